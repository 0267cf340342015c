package dialimport

import (
	"maps"
	"slices"
	"strings"
)

// headerNames recognises columns.
type headerNames struct {
	fields map[string]string // by the name's letters
	mapped map[string]string // by what was mapped, its letters too
}

func newHeaderNames(columns map[string]string) *headerNames {
	h := &headerNames{fields: map[string]string{}, mapped: map[string]string{}}
	for field, names := range deckFields() {
		for _, n := range names {
			h.fields[n] = field
		}
	}
	for column, field := range columns {
		h.mapped[letters(column)] = field
	}
	return h
}

// letters returns the small letters and digits of a name, without text in
// brackets: "Rate (USD/min)" is "rate".
func letters(s string) string {
	s = strings.ToLower(s)
	for {
		open := strings.IndexByte(s, '(')
		length := strings.IndexByte(s[max(open, 0):], ')')
		if open < 0 || length < 0 {
			break
		}
		s = s[:open] + s[open+length+1:]
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == 'ä':
			b.WriteString("ae")
		case r == 'ö':
			b.WriteString("oe")
		case r == 'ü':
			b.WriteString("ue")
		}
	}
	return b.String()
}

// deckColumns says in which columns the fields of a deck stand.
type deckColumns struct {
	at    map[string]int
	names []string            // of the header
	money map[string][]string // the currencies of prices by their columns' names
	// pricing are columns that no field has, but whose values may say something of
	// the price.
	pricing []int
	// northAmerican says that the codes are those of the North American Numbering
	// Plan, without their country code 1.
	northAmerican bool
}

func (d *deckColumns) get(row []string, field string) string {
	if i, ok := d.at[field]; ok && i < len(row) {
		return row[i]
	}
	return ""
}

func (d *deckColumns) has(field string) bool { _, ok := d.at[field]; return ok }

// missing returns a mapped column that the header doesn't have.
func (h *headerNames) missing(columns *deckColumns) string {
	have := map[string]bool{}
	for _, name := range columns.names {
		have[letters(name)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(h.mapped)) {
		if !have[name] {
			return name
		}
	}
	return ""
}

// columns finds the fields of a header, nil if the line is no header. A mapped column
// goes before a recognised one, and the first of several before the others.
func (h *headerNames) columns(row []string) *deckColumns {
	d := &deckColumns{at: map[string]int{}, names: slices.Clone(row)}
	for i, name := range row {
		if field, ok := h.mapped[letters(name)]; ok && field != "" && !d.has(field) {
			d.at[field] = i
		}
	}
	for _, weak := range [...]bool{false, true} {
		for i, name := range row {
			key := letters(name)
			// A breakout is a code to some and a name to others, who have a column of codes.
			breakout := key == "breakout" || key == "breakouts"
			if _, done := h.mapped[key]; done || breakout != weak {
				continue
			}
			if field, ok := h.field(key); ok && !d.has(field) {
				d.at[field] = i
			}
		}
	}
	d.settle(h)
	if !d.has(fieldCode) || !d.has(fieldRate) {
		return nil
	}
	delete(d.at, fieldNPANXX) // another column has the whole code
	d.money = map[string][]string{}
	for _, field := range [...]string{fieldRate, fieldRateFirst, fieldConnect, fieldDisconnect} {
		if i, ok := d.at[field]; ok {
			d.money[field] = moneyOf(d.names[i], true)
		}
	}
	d.pricing = h.pricing(d)
	return d
}

// field returns the field of a column by its name's letters. A currency before or
// behind a name says nothing else: "rateusd", "priceperminuteineur".
func (h *headerNames) field(key string) (string, bool) {
	if field, ok := h.fields[key]; ok {
		return field, true
	}
	for _, currency := range [...]string{"usd", "eur", "gbp", "cad", "chf", "cents"} {
		rest, before := strings.CutPrefix(key, currency)
		if !before {
			var behind bool
			if rest, behind = strings.CutSuffix(key, currency); !behind {
				continue
			}
			if _, known := h.fields[rest]; !known {
				rest = strings.TrimSuffix(rest, "in")
			}
		}
		field, ok := h.fields[rest]
		return field, ok && currency != "cents" && isMoney(field)
	}
	return "", false
}

func isMoney(field string) bool {
	return field == fieldRate || field == fieldRateFirst || field == fieldConnect || field == fieldDisconnect
}

// settle decides what a column is when others stand beside it, or don't.
func (d *deckColumns) settle(h *headerNames) {
	// "Country code" with a code beside it is the country's; alone it is all.
	if !d.has(fieldCode) && !d.has(fieldNPANXX) && d.has(fieldCountry) {
		d.move(fieldCountry, fieldCode)
	}
	// PortaBilling calls the code the destination, and its name the description.
	if !d.has(fieldCode) && !d.has(fieldNPANXX) {
		destination := slices.IndexFunc(d.names, func(name string) bool { return letters(name) == "destination" })
		other := slices.ContainsFunc(d.names, func(name string) bool {
			key := letters(name)
			return key != "destination" && h.fields[key] == fieldName
		})
		if destination >= 0 && other && h.mapped["destination"] == "" {
			d.at[fieldCode] = destination
			if d.at[fieldName] == destination {
				delete(d.at, fieldName)
			}
		}
	}
	if d.has(fieldNPANXX) && !d.has(fieldCode) {
		d.northAmerican = true
		d.move(fieldNPANXX, fieldCode)
	}
	if !d.has(fieldRate) && d.has(fieldRateFirst) { // the only one is that of all steps
		d.move(fieldRateFirst, fieldRate)
	}
}

func (d *deckColumns) move(from, to string) {
	d.at[to] = d.at[from]
	delete(d.at, from)
}

// pricing returns the columns that no field has, and whose names speak of what a call
// costs: a second rate, a fee, a step. What was mapped to nothing is not among them.
func (h *headerNames) pricing(d *deckColumns) []int {
	var list []int
	for i, name := range d.names {
		key := letters(name)
		if _, mapped := h.mapped[key]; mapped || d.taken(i) {
			continue
		}
		field := h.fields[key]
		switch {
		case field != "" && h.says(field): // which column it is was chosen
		case field != "" && (isMoney(field) || field == fieldFirst || field == fieldNext || field == fieldIncrements),
			field == "" && namesPrice(key):
			list = append(list, i)
		}
	}
	return list
}

// says reports whether a column was mapped to the field.
func (h *headerNames) says(field string) bool {
	for _, f := range h.mapped {
		if f == field {
			return true
		}
	}
	return false
}

func (d *deckColumns) taken(column int) bool {
	for _, i := range d.at {
		if i == column {
			return true
		}
	}
	return false
}

// namesPrice reports whether the letters of a column's name speak of a price that
// holds, rather than of one that held, or of a plan's name.
func namesPrice(key string) bool {
	for _, no := range [...]string{
		"old", "previous", "prev", "last", "change", "date", "name", "type", "plan", "group", "currency", "note", "comment", "deck", "code", "table",
		"card", "center", "centre", "status", "sheet", "operator", "list", "diff", "quality", "country", "id",
	} {
		if key == no || len(no) > len("id") && strings.Contains(key, no) || strings.HasSuffix(key, "id") && no == "id" {
			return false
		}
	}
	for _, yes := range [...]string{
		"rate", "price", "cost", "charge", "fee", "interval", "increment", "block", "step", "tax", "discount", "free", "grace", "intrastate", "interstate",
		"intralata", "interlata", "indeterminate", "peak", "tarif", "preis", "rounding", "surcharge", "minimum", "origin",
	} {
		if strings.Contains(key, yes) {
			return true
		}
	}
	return false
}

// twoStep reports whether a column is of a second rate within a call, as A2Billing's
// stepchargea, chargea and timechargea are.
func twoStep(key string) bool {
	if !strings.Contains(key, "charge") && !strings.HasPrefix(key, "billingblock") {
		return false
	}
	return strings.HasSuffix(key, "a") || strings.HasSuffix(key, "b") || strings.HasSuffix(key, "c")
}
