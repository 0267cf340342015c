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
			d.sayColumns(at)
		default:
			d.row(at, row)
		}
	}
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
	code, rate, country := d.columns.get(row, fieldCode), d.columns.get(row, fieldRate), d.columns.get(row, fieldCountry)
	amount, rounded, rateErr := price(rate)
	if strings.IndexFunc(code+country, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 && rateErr != nil {
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
		d.report.approximate(at, "rate "+rate, "it is rounded to 8 decimals, %s", amount)
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
	err := codes(code, country, func(prefix string) {
		r.Prefix = prefix
		to.rows, to.at = append(to.rows, r), append(to.at, from)
	})
	if err != nil {
		to.rows, to.at = to.rows[:before], to.at[:before]
		d.report.skip(at, "code "+code, "%s", err)
		return
	}
	d.report.Converted++
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

func (d *decks) prices(at place, row []string, r *routing.RateRow) bool {
	text := d.columns.get(row, fieldConnect)
	if text == "" || text == "-" {
		return true
	}
	amount, rounded, err := price(text)
	if err != nil {
		d.report.skip(at, "connect "+text, "%s", err)
		return false
	}
	if rounded {
		d.report.approximate(at, "connect "+text, "it is rounded to 8 decimals, %s", amount)
	}
	r.Connect = amount
	return true
}

func (d *decks) increments(at place, row []string, r *routing.RateRow) bool {
	var err error
	text := d.columns.get(row, fieldIncrements)
	if text != "" {
		r.First, r.Next, err = increments(text)
	}
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
		d.report.approximate(at, field+" "+text, "the month stands first in it, and dates that leave it open are read with the day "+
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
