package routing

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// RateRow is the price of calls to the numbers with a prefix. [NewRateTable] says
// which of several rates of a prefix is in force.
type RateRow struct {
	// Prefix is the beginning of the callee's number as it is routed: "+4930"; "+" is every
	// international number.
	Prefix string `json:"prefix"`
	// PerMinute is the price of 60 seconds, 0 to 10000.
	PerMinute callmodel.Amount `json:"per_minute" required:"give the price of a minute, 0 if it is free"`
	// Connect is charged once for every answered call, 0 to 10000.
	Connect callmodel.Amount `json:"connect,omitempty"`
	// First is the least time that an answered call is charged for, and Next the
	// steps in which more is charged: 60 s and 60 s, 30 s and 6 s, 1 s and 1 s. Whole
	// seconds up to an hour; 0 means one second.
	First time.Duration `json:"first_seconds,omitempty" unsaid:"give 1 to 3600, or leave it out for 1"`
	Next  time.Duration `json:"next_seconds,omitempty" unsaid:"give 1 to 3600, or leave it out for 1"`
	// From is when the rate begins to hold, and Until when it ends, by whole
	// seconds. Zero: always.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Currency must be that of the rule set or the table. "" means that it is.
	Currency string `json:"currency,omitempty"`
}

// Limits of rates.
const (
	MaxPrice         = 10_000 * callmodel.AmountUnit
	MaxRateIncrement = time.Hour
)

// rateJSON is a RateRow as JSON has it. Decks have a million rows, so it is written
// without reflection on durations.
type rateJSON struct {
	Prefix       string           `json:"prefix"`
	PerMinute    callmodel.Amount `json:"per_minute"`
	Connect      callmodel.Amount `json:"connect,omitempty"`
	FirstSeconds float64          `json:"first_seconds,omitempty"`
	NextSeconds  float64          `json:"next_seconds,omitempty"`
	From         time.Time        `json:"from,omitzero"`
	Until        time.Time        `json:"until,omitzero"`
	Currency     string           `json:"currency,omitempty"`
}

func (r *RateRow) inJSON() rateJSON {
	return rateJSON{r.Prefix, r.PerMinute, r.Connect, r.First.Seconds(), r.Next.Seconds(), r.From, r.Until, r.Currency}
}

// MarshalJSON writes the durations as numbers of seconds.
func (r RateRow) MarshalJSON() ([]byte, error) { return json.Marshal(r.inJSON()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *RateRow) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, r) }

// Billed returns the time for which an answered call of that length is charged: whole
// seconds, at least First, and in steps of Next.
func (r *RateRow) Billed(length time.Duration) time.Duration {
	if length <= 0 {
		return 0
	}
	first, next := max(r.First, time.Second), max(r.Next, time.Second)
	if length <= first {
		return first
	}
	rest := length - first
	if part := rest % next; part > 0 {
		rest += next - part
	}
	return first + rest
}

// Cost returns the price of an answered call of that length: the connect fee and the
// time charged for, rounded half up to a hundred-millionth. A call of no length was
// not answered and costs nothing.
func (r *RateRow) Cost(length time.Duration) callmodel.Amount {
	if length <= 0 {
		return 0
	}
	billed := r.Billed(length) / time.Second
	minutes, rest := callmodel.Amount(billed/60), callmodel.Amount(billed%60)
	return r.Connect + r.PerMinute*minutes + (r.PerMinute*rest+30)/60
}

// rateFaults reports everything that is wrong with the rows of one deck.
func rateFaults(currency string, rows []RateRow, fault func(i int, field, format string, args ...any)) {
	for i := range rows {
		r := &rows[i]
		if why := badPrefix(r.Prefix); why != "" && r.Prefix != "" {
			fault(i, "prefix", "%q %s", r.Prefix, why)
		} else if r.Prefix == "" {
			fault(i, "prefix", "is missing; give the first digits of the numbers, or \"+\" for all")
		}
		if r.PerMinute < 0 || r.PerMinute > MaxPrice {
			fault(i, "per_minute", "must be 0 to %s, is %s", MaxPrice, r.PerMinute)
		}
		if r.Connect < 0 || r.Connect > MaxPrice {
			fault(i, "connect", "must be 0 to %s, is %s", MaxPrice, r.Connect)
		}
		if why := badSeconds(r.First, MaxRateIncrement); why != "" {
			fault(i, "first_seconds", "%s", why)
		}
		if why := badSeconds(r.Next, MaxRateIncrement); why != "" {
			fault(i, "next_seconds", "%s", why)
		}
		if r.From.Nanosecond() != 0 || r.Until.Nanosecond() != 0 {
			fault(i, "from", "rates change at whole seconds")
		}
		if !r.From.IsZero() && !r.Until.IsZero() && !r.Until.After(r.From) {
			fault(i, "until", "must be after from")
		}
		if r.Currency != "" && r.Currency != currency {
			fault(i, "currency", "%q is not the currency of the rates, %s; one set has one currency", r.Currency, currency)
		}
	}
	rateConflicts(rows, fault)
}

// badSeconds says what is wrong with a duration that must be whole seconds, "" for
// nothing. 0 stands for one that is left out.
func badSeconds(d, most time.Duration) string {
	switch {
	case d < 0 || d > most:
		return fmt.Sprintf("must be 1 to %d, is %g", most/time.Second, d.Seconds())
	case d%time.Second != 0:
		return fmt.Sprintf("must be a whole number, is %g", d.Seconds())
	}
	return ""
}

// rateConflicts reports rows of one prefix that could hold at the same time.
func rateConflicts(rows []RateRow, fault func(i int, field, format string, args ...any)) {
	// bounded is the row of the prefix with the latest until so far.
	bounded, last := -1, -1
	for _, k := range sortedRates(rows) {
		i := int(k.row)
		r := &rows[i]
		switch {
		case last < 0 || rows[last].Prefix != r.Prefix:
			bounded = -1
		case rows[last].From.Equal(r.From):
			fault(i, "from", "row %d has the same prefix %s and begins at the same time; which holds?", last, r.Prefix)
		case bounded >= 0 && r.From.Before(rows[bounded].Until):
			fault(i, "from", "row %d of the same prefix %s holds until %s, after this begins; end it, or give it no until", bounded, r.Prefix,
				rows[bounded].Until.UTC().Format(time.RFC3339))
		}
		if !r.Until.IsZero() && (bounded < 0 || r.Until.After(rows[bounded].Until)) {
			bounded = i
		}
		last = i
	}
}

func validCurrency(s string) bool {
	ok := len(s) == 3
	for i := range len(s) {
		ok = ok && s[i] >= 'A' && s[i] <= 'Z'
	}
	return ok
}

func (v *validation) checkRates() {
	if len(v.rs.Rates) == 0 {
		if v.rs.Currency != "" {
			v.fault("currency", "is of the rates, and there are none; leave it out")
		}
		return
	}
	if !validCurrency(v.rs.Currency) {
		v.fault("currency", "%q is not three capital letters of ISO 4217, like \"EUR\"; the rates need one", v.rs.Currency)
	}
	for _, name := range sortedKeys(v.rs.Rates) {
		p := "rates." + name
		if !callmodel.ValidID(name) {
			v.fault(p, "the name must be 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"")
		}
		rows := v.rs.Rates[name]
		if len(rows) == 0 {
			v.fault(p, "is empty; give rates, or leave the deck out")
		}
		rateFaults(v.rs.Currency, rows, func(i int, field, format string, args ...any) {
			v.fault(fmt.Sprintf("%s[%d].%s", p, i, field), format, args...)
		})
	}
}

// canonical returns the row without defaults: rows that mean the same are written
// the same.
func (r RateRow) canonical() RateRow {
	r.Currency = ""
	if r.First == time.Second {
		r.First = 0
	}
	if r.Next == time.Second {
		r.Next = 0
	}
	if !r.From.IsZero() {
		r.From = r.From.UTC()
	}
	if !r.Until.IsZero() {
		r.Until = r.Until.UTC()
	}
	return r
}

// rate is a compiled RateRow.
type rate struct {
	perMinute   callmodel.Amount
	connect     callmodel.Amount
	from, until int64 // Unix seconds
	first, next int16 // seconds
	last        bool  // of the rates of its prefix
}

func (r *RateRow) compiled() rate {
	out := rate{
		perMinute: r.PerMinute, connect: r.Connect, from: math.MinInt64, until: math.MaxInt64,
		first: int16(max(r.First/time.Second, 1)), next: int16(max(r.Next/time.Second, 1)),
	}
	if !r.From.IsZero() {
		out.from = r.From.Unix()
	}
	if !r.Until.IsZero() {
		out.until = r.Until.Unix()
	}
	return out
}

// row returns the rate as it was written.
func (r *rate) row(prefix, currency string) RateRow {
	out := RateRow{
		Prefix: prefix, PerMinute: r.perMinute, Connect: r.connect, Currency: currency,
		First: time.Duration(r.first) * time.Second, Next: time.Duration(r.next) * time.Second,
	}
	if r.from != math.MinInt64 {
		out.From = time.Unix(r.from, 0).UTC()
	}
	if r.until != math.MaxInt64 {
		out.Until = time.Unix(r.until, 0).UTC()
	}
	return out
}

// billedSeconds is [RateRow.Billed] in whole seconds, for decisions.
func (r *rate) billedSeconds(seconds int32) int64 {
	length, first, next := int64(seconds), int64(r.first), int64(r.next)
	switch {
	case length <= 0:
		return 0
	case length <= first:
		return first
	}
	return first + (length-first+next-1)/next*next
}

// sixtieths returns the cost in sixtieths of a hundred-millionth. That is exact, so
// that even the smallest difference of costs counts.
func (r *rate) sixtieths(seconds int32) int64 {
	return int64(r.connect)*60 + int64(r.perMinute)*r.billedSeconds(seconds)
}

func (r *rate) cost(seconds int32, prefix, currency string) calls.Cost {
	return calls.Cost{
		Amount: callmodel.Amount((r.sixtieths(seconds) + 30) / 60), Currency: currency,
		Length: time.Duration(seconds) * time.Second, Prefix: prefix,
	}
}
