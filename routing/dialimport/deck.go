package dialimport

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// decks is the state of an import of rate decks. Rows are read one by one, and only
// the rates that they make are kept.
type decks struct {
	o      *Options
	report *Report
	names  *headerNames
	loc    *time.Location
	rates  map[string]*deck

	currency string
	columns  *deckColumns
	file     string
	deck     string // of rows without a carrier
	told     map[string]bool
}

// deck holds the rates of one name.
type deck struct {
	rows  []routing.RateRow
	at    []origin // of the same index
	files []string
}

type origin struct {
	line int32
	file int32
	ends bool // the row says that the prefix's rate ends
}

func (d *decks) source(src *Source, text *bufio.Reader) error {
	comma, headerLine, ok := sniff(text, func(row []string) int {
		if c := d.names.columns(row); c != nil {
			return len(c.at)
		}
		return 0
	})
	if !ok {
		return &callmodel.Error{
			Code: callmodel.CodeMalformed,
			Message: fmt.Sprintf("%s has no header with a column for the code and one for the rate; map columns of it to code and "+
				"rate, and to what else they are of %s", src.Name, fieldList()),
		}
	}
	base := strings.TrimSuffix(filepath.Base(src.Name), filepath.Ext(src.Name))
	d.file, d.deck = src.Name, cmp.Or(d.o.Deck, validName(base))
	in := newDelimited(text, comma)
	for {
		row, line, err := in.next()
		at := place{file: src.Name, line: line}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errRecord):
			d.report.Rows++
			d.report.skip(at, "a row", "%s", err)
		case err != nil:
			return fmt.Errorf("%s: line %d: %w", src.Name, line, err)
		case line < headerLine:
			d.report.remark(at, strings.Join(row, " "), "it stands above the header")
		case line == headerLine:
			d.columns = d.names.columns(row)
			if name := d.names.missing(d.columns); name != "" {
				return &callmodel.Error{
					Code:    callmodel.CodeMalformed,
					Message: fmt.Sprintf("%s: line %d: the header has no column %q, which was mapped", src.Name, line, name),
				}
			}
			if d.columns.has(fieldCountry) && d.o.Country != "" || d.columns.northAmerican && d.o.Country != "" && d.o.Country != "1" {
				return callmodel.FieldErrors{{Path: "country", Message: fmt.Sprintf("%s: line %d: column %q says the country; leave the option out, "+
					"or map the column to another field", src.Name, line, d.columns.names[d.columns.at[d.countryField()]])}}
			}
			d.sayColumns(at)
		default:
			d.row(at, row)
		}
	}
}

// countryField is the field of the column that says the country code.
func (d *decks) countryField() string {
	if d.columns.has(fieldCountry) {
		return fieldCountry
	}
	return fieldCode
}

// sayColumns reports how the header was read.
func (d *decks) sayColumns(at place) {
	taken := map[int]bool{}
	var list []string
	for _, field := range slices.Sorted(maps.Keys(d.columns.at)) {
		i := d.columns.at[field]
		taken[i] = true
		list = append(list, fmt.Sprintf("%q is %s", short(d.columns.names[i]), field))
	}
	d.report.remark(at, "the header", "%s", strings.Join(list, ", "))
	if d.columns.northAmerican {
		d.report.remark(at, "codes", "they are of the North American Numbering Plan by their column's name; +1 stands before them")
	}
	for i, name := range d.columns.names {
		if !taken[i] && name != "" {
			d.report.remark(at, "column "+name, "it is not used")
		}
	}
}

// once makes a remark that holds for many rows, the first time only.
func (d *decks) once(at place, what, why string) {
	if !d.told[d.file+what] {
		d.told[d.file+what] = true
		d.report.remark(at, what, "%s", why)
	}
}

func (d *decks) row(at place, row []string) {
	code, rate, country := d.columns.get(row, fieldCode), d.columns.get(row, fieldRate), d.country(at, row)
	if d.columns.northAmerican {
		code += d.columns.get(row, fieldNXX)
	}
	amount, rounded, rateErr := price(rate)
	if strings.IndexFunc(code+country, isDigit) < 0 && rateErr != nil {
		d.report.remark(at, strings.TrimSpace(strings.Join(row, " ")), "it has neither a code nor a rate")
		return
	}
	d.report.Rows++
	at.row = "code " + short(strings.TrimSpace(country+" "+code))
	ends := d.withdrawn(row)
	if rateErr != nil && !ends {
		d.report.skip(at, "rate "+rate, "%s", rateErr)
		return
	}
	if rounded {
		d.report.price(RoundedRates, at, "rate "+rate, "it is rounded to 8 decimals, %s", amount)
	}
	r := routing.RateRow{PerMinute: amount}
	if !d.prices(at, row, &r) || !d.increments(at, row, &r) || !d.dates(at, row, &r) || !d.money(at, row) {
		return
	}
	if r.PerMinute < 0 || r.PerMinute > routing.MaxPrice || r.Connect < 0 || r.Connect > routing.MaxPrice {
		d.report.skip(at, "rate "+rate, "prices must be 0 to %s", routing.MaxPrice)
		return
	}
	to := d.deckOf(row)
	before := len(to.rows)
	from := origin{line: int32(min(at.line, 1<<31-1)), file: to.file(d.file), ends: ends}
	form := codeForm{country: country, access: d.o.Access, northAmerican: d.columns.northAmerican}
	err := form.codes(code, func(prefix string) {
		r.Prefix = prefix
		to.rows, to.at = append(to.rows, r), append(to.at, from)
	})
	if err != nil {
		to.rows, to.at = to.rows[:before], to.at[:before]
		d.report.skip(at, "code "+code, "%s", err)
		return
	}
	if !ends {
		d.unusedPrices(at, row, &r)
	}
	d.report.Converted++
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// country returns the country code of a row. A country by its name or by its letters
// of ISO 3166 is none.
func (d *decks) country(at place, row []string) string {
	text := d.columns.get(row, fieldCountry)
	if text != "" && strings.IndexFunc(text, isDigit) < 0 {
		d.once(at, "country "+short(text), "it is no code of digits; codes are taken to begin with the country's")
		text = ""
	}
	return cmp.Or(text, d.o.Country)
}

// unusedPrices reports the values of a row that speak of its price and aren't used.
func (d *decks) unusedPrices(at place, row []string, r *routing.RateRow) {
	for _, i := range d.columns.pricing {
		if i >= len(row) || row[i] == "" {
			continue
		}
		name, text := d.columns.names[i], row[i]
		key := letters(name)
		change, why := UnusedColumns, "the column speaks of a price and is not used; map it to a field, or to nothing if it is no price"
		switch field := d.names.fields[key]; {
		case strings.Contains(key, "origin"):
			if all := letters(text); all == "all" || all == "any" || all == "" || all == "world" {
				continue
			}
			change, why = CallerRates, "the rate is for some callers only, and is taken for every one"
		case isMoney(field), field == "" && !strings.Contains(key, "interval") && !strings.Contains(key, "increment"):
			amount, _, err := price(text)
			if err != nil || amount == 0 || amount == r.PerMinute && rateLike(key) {
				continue
			}
			switch {
			case twoStep(key):
				change, why = TwoStepRates, "the rate changes within a call, and the first is taken throughout"
			case strings.Contains(key, "intra"), strings.Contains(key, "inter"), strings.Contains(key, "indet"):
				change, why = CallerRates, "it holds for some callers, and the other rate is taken for every one"
			}
		default:
			first, next, err := increments(text)
			if err != nil || first == 0 && next == 0 || first == r.First && (next == r.Next || first == next) || len(text) < 4 && first == r.Next {
				continue
			}
			change, why = OtherSteps, "another column says other steps, which are taken"
		}
		d.report.price(change, at, "column "+name+" "+text, "%s", why)
	}
}

// rateLike reports whether a column's name is that of a whole rate, so that one equal
// to the row's changes nothing.
func rateLike(key string) bool {
	return strings.Contains(key, "rate") || strings.Contains(key, "price") || strings.Contains(key, "cost") || strings.Contains(key, "intra") ||
		strings.Contains(key, "inter") || strings.Contains(key, "indet") || strings.Contains(key, "peak") || strings.Contains(key, "tarif") ||
		strings.Contains(key, "preis")
}

func (d *decks) deckOf(row []string) *deck {
	name := d.deck
	if c := d.columns.get(row, fieldCarrier); c != "" {
		name = validName(c)
	}
	to := d.rates[name]
	if to == nil {
		to = &deck{}
		d.rates[name] = to
	}
	return to
}

func (d *deck) file(name string) int32 {
	if n := len(d.files); n == 0 || d.files[n-1] != name {
		d.files = append(d.files, name)
	}
	return int32(len(d.files) - 1)
}

// withdrawn reports whether the row says that the rate ends.
func (d *decks) withdrawn(row []string) bool {
	switch letters(d.columns.get(row, fieldChange)) {
	case "d", "del", "delete", "deleted", "deletion", "remove", "removed", "discontinued", "closed", "close", "withdrawn", "block", "blocked",
		"expired", "terminated":
		return true
	}
	return false
}

// prices reads what a call costs beside the rate of its minutes.
func (d *decks) prices(at place, row []string, r *routing.RateRow) bool {
	read := func(field string) (amount callmodel.Amount, given, ok bool) {
		text := d.columns.get(row, field)
		if text == "" || text == "-" {
			return 0, false, true
		}
		amount, rounded, err := price(text)
		if err != nil {
			d.report.skip(at, field+" "+text, "%s", err)
			return 0, false, false
		}
		if rounded {
			d.report.price(RoundedRates, at, field+" "+text, "it is rounded to 8 decimals, %s", amount)
		}
		return amount, true, true
	}
	connect, _, ok := read(fieldConnect)
	if !ok {
		return false
	}
	end, _, ok := read(fieldDisconnect)
	if !ok {
		return false
	}
	if end != 0 {
		d.report.price(DisconnectCharge, at, "disconnect "+end.String(), "a price at the call's end can't be said; it is added to that of the answer")
	}
	r.Connect = connect + end
	first, given, ok := read(fieldRateFirst)
	if !ok {
		return false
	}
	if given && first != r.PerMinute {
		d.report.price(TwoStepRates, at, "rate_first "+first.String(), "the first step has another rate than the others, %s; theirs is taken throughout",
			r.PerMinute)
	}
	return true
}

func (d *decks) increments(at place, row []string, r *routing.RateRow) bool {
	var err error
	text := d.columns.get(row, fieldIncrements)
	if text != "" {
		r.First, r.Next, err = increments(text)
	}
	both := *r
	if first := d.columns.get(row, fieldFirst); first != "" && err == nil {
		text = first
		r.First, err = seconds(first)
	}
	if next := d.columns.get(row, fieldNext); next != "" && err == nil {
		text = next
		if strings.ContainsAny(next, "/+") { // "billing increment: 60/60"
			r.First, r.Next, err = increments(next)
		} else {
			r.Next, err = seconds(next)
		}
	}
	if err != nil {
		d.report.skip(at, "increments "+text, "%s", err)
		return false
	}
	// A single number beside a column for the first step is that of the others.
	said := d.columns.get(row, fieldIncrements)
	_, several := seconds(said)
	if said != "" && (both.First != r.First && several != nil || both.Next != r.Next) {
		d.report.price(OtherSteps, at, "increments "+said, "other columns say %g/%g seconds, which are taken", r.First.Seconds(), r.Next.Seconds())
	}
	return true
}

// date reads a date. One whose month can only be first, in a deck of which the
// option doesn't say so, is no remark: the deck's other dates were read wrong.
func (d *decks) date(at place, field, text string) (t time.Time, day, ok bool) {
	t, day, order, err := date(text, d.loc, d.o.MonthFirst)
	if err != nil {
		d.report.skip(at, field+" "+text, "%s", err)
		return t, day, false
	}
	switch order {
	case orderGuessed:
		d.once(at, "dates", "they are read with the day before the month; say so if the month is first")
	case orderMonthFirst:
		d.report.price(UnclearDates, at, field+" "+text, "the month stands first in it, and dates that leave it open are read with the day "+
			"first; say if the month is first in all")
	case orderClear:
	}
	return t, day, true
}

func (d *decks) dates(at place, row []string, r *routing.RateRow) bool {
	if text := d.columns.get(row, fieldFrom); text != "" {
		t, _, ok := d.date(at, "from", text)
		if !ok {
			return false
		}
		r.From = t.UTC()
	}
	if text := d.columns.get(row, fieldUntil); text != "" {
		t, day, ok := d.date(at, "until", text)
		if !ok {
			return false
		}
		if day {
			t = t.AddDate(0, 0, 1)
			d.once(at, "end dates", "they are read as the last day on which a rate holds")
		}
		r.Until = t.UTC()
		if !r.From.IsZero() && !r.Until.After(r.From) {
			d.report.skip(at, "until "+text, "it ends before it begins")
			return false
		}
	}
	return true
}
