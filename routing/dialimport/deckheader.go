package dialimport

import (
	"maps"
	"slices"
	"strings"
)

// The fields of a rate deck, to which columns are mapped.
const (
	fieldCode       = "code"       // prefixes, ranges and lists of them
	fieldCountry    = "country"    // the country code, when code is what stands behind it
	fieldName       = "name"       // of the destination; it is not kept
	fieldRate       = "rate"       // the price of a minute
	fieldConnect    = "connect"    // the price of being answered
	fieldFirst      = "first"      // seconds charged at least
	fieldNext       = "next"       // seconds of each further step
	fieldIncrements = "increments" // both: "60/60"
	fieldFrom       = "from"
	fieldUntil      = "until"
	fieldCurrency   = "currency"
	fieldChange     = "change"  // what happens to the rate: rows that end one are read so
	fieldCarrier    = "carrier" // the deck of the row
)

// deckFields returns the names by which columns are recognised, in small letters and
// digits alone.
func deckFields() map[string][]string {
	return map[string][]string{
		fieldCode: {
			"code", "codes", "prefix", "prefixes", "dialcode", "dialcodes", "dialingcode", "dialprefix", "destinationcode", "destcode", "areacode",
			"areacodes", "areaprefix", "phonecode", "breakout", "vorwahl", "vorwahlen", "rufnummernpraefix", "npanxx", "citycode", "dialedprefix",
			"numberprefix", "digits",
		},
		fieldCountry: {"countrycode", "countryprefix", "cc", "laendervorwahl", "landesvorwahl", "intlcode"},
		fieldName: {
			"name", "destination", "destinationname", "description", "country", "countryname", "zone", "area", "destinationdescription", "codename",
			"ziel", "location",
		},
		fieldRate: {
			"rate", "price", "priceminute", "permin", "perminute", "rateperminute", "ratepermin", "ratemin", "rateminute", "priceperminute",
			"pricepermin", "pricemin",
			"cost", "costperminute", "costpermin", "newrate", "newprice", "sellrate", "buyrate", "usdmin", "eurmin", "rateusd", "rateeur", "usdrate", "preis",
			"preisprominute", "preismin", "preisminute", "minutenpreis", "tarif", "peakrate", "currentrate", "interrate", "chargerate", "rateusdmin",
			"rateeurmin", "priceusd", "priceeur",
		},
		fieldConnect: {
			"connect", "connectfee", "connectionfee", "connectcharge", "connectioncharge", "setup", "setupfee", "setupcharge", "callsetup",
			"surcharge", "connectcost", "flagfall", "verbindungsentgelt",
		},
		fieldFirst: {
			"first", "firstinterval", "firstincrement", "minimum", "min", "minduration", "minimumduration", "initialincrement", "minimumincrement",
			"minincrement",
			"firstperiod", "initialperiod", "interval1", "intervalstart", "startinterval", "intervalfirst", "minimumcharge", "mintime", "initial",
			"firstseconds", "minimumseconds",
		},
		fieldNext: {
			"next", "nextinterval", "nextincrement", "increment", "subsequent", "subsequentincrement", "additionalincrement", "interval2",
			"intervaln", "recurringinterval",
			"billingincrement", "secondincrement", "nextperiod", "subsequentperiod", "nextseconds", "step", "intervall",
		},
		fieldIncrements: {
			"increments", "billingincrements", "billing", "billingterms", "billinginterval", "billingintervals", "takt", "taktung",
			"rounding", "chargingintervals", "pulse",
		},
		fieldFrom: {
			"from", "effective", "effectivedate", "effectivefrom", "validfrom", "startdate", "start", "date", "effdate", "gueltigab",
			"activationdate", "begin", "effectdate",
		},
		fieldUntil: {
			"until", "enddate", "end", "validuntil", "validto", "expiry", "expirydate", "expirationdate", "gueltigbis", "effectiveto",
			"to", "discontinueddate",
		},
		fieldCurrency: {"currency", "curr", "ccy", "waehrung"},
		fieldChange:   {"change", "changecode", "changetype", "status", "action", "ratechange", "changeindicator", "comment", "comments", "changes"},
		fieldCarrier:  {"carrier", "vendor", "supplier", "provider", "trunk", "deck"},
	}
}

// DeckFields lists the fields that the columns of a rate deck are mapped to.
func DeckFields() []string { return slices.Sorted(maps.Keys(deckFields())) }

func fieldList() string { return strings.Join(DeckFields(), ", ") }

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
	for i, name := range row {
		key := letters(name)
		if _, done := h.mapped[key]; done {
			continue
		}
		if field, ok := h.fields[key]; ok && !d.has(field) {
			d.at[field] = i
		}
	}
	// "Country code" with a code beside it is the country's; alone it is all.
	if !d.has(fieldCode) && d.has(fieldCountry) {
		d.at[fieldCode] = d.at[fieldCountry]
		delete(d.at, fieldCountry)
	}
	if !d.has(fieldCode) || !d.has(fieldRate) {
		return nil
	}
	d.money = map[string][]string{}
	for _, field := range [...]string{fieldRate, fieldConnect} {
		if i, ok := d.at[field]; ok {
			d.money[field] = moneyOf(d.names[i], true)
		}
	}
	return d
}
