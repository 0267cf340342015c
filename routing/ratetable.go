package routing

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// RateTable finds the rate for a number at a time: the rate in force of the longest
// prefix that has one. It is immutable and may be used by any number of goroutines.
//
// A prefix is a word of 16 symbols of 4 bits, the first on the left, with zeros
// after the last. Sorted by these words, a prefix stands right before everything
// that begins with it. So the longest prefix of a number is the nearest word before
// the number, or a prefix of that word.
type RateTable struct {
	currency string
	prefixes []ratePrefix // ascending
	// rates holds the rates of one prefix next to each other, the latest from first;
	// the last one is marked. Prefixes with equal rates share them: a deck has few
	// prices, and those that are read often stay in the processor's cache.
	rates []rate
	rows  int
	// index says where the international prefixes with each value of the first
	// digits begin. nil for small tables.
	index       []uint32
	indexDigits int
}

type ratePrefix struct {
	code   uint64
	parent int32  // the longest shorter prefix of this one; -1 for none
	first  uint32 // index in rates
}

// rateBuilder puts the rates of rows into a table.
type rateBuilder struct {
	t      *RateTable
	rows   []RateRow
	single map[rate]uint32 // the places of single rates
}

// add puts the rates of one prefix into the table and returns where they begin.
func (b *rateBuilder) add(keys []rateKey) uint32 {
	first := uint32(len(b.t.rates))
	for i, k := range slices.Backward(keys) { // the latest first
		r := b.rows[k.row].compiled()
		r.last = i == 0
		if len(keys) == 1 {
			if at, ok := b.single[r]; ok {
				return at
			}
			b.single[r] = first
		}
		b.t.rates = append(b.t.rates, r)
	}
	return first
}

// NewRateTable compiles rates. The currency is three capital letters (ISO 4217). It
// reports every fault at once, as callmodel.FieldErrors below rows[i].
//
// Among the rates of one prefix that are in force, the one with the latest From
// holds, so that a new price needs no change of the old one. Two rates that begin at
// the same time are an error. So is a rate that begins before the Until of an
// earlier one: one of them would be wrong.
func NewRateTable(currency string, rows []RateRow) (*RateTable, error) {
	var faults callmodel.FieldErrors
	if !validCurrency(currency) {
		faults.Add("currency", "%q is not three capital letters of ISO 4217, like \"EUR\"", currency)
	}
	rateFaults(currency, rows, func(i int, field, format string, args ...any) {
		if len(faults) < maxFaults {
			faults.Add(fmt.Sprintf("rows[%d].%s", i, field), format, args...)
		}
	})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return newRateTable(currency, rows), nil
}

// rateKey is the key by which rows are sorted.
type rateKey struct {
	code uint64
	from int64
	row  int32
}

// sortedRates returns the rows by prefix, and those of one prefix by From. Invalid
// prefixes may share the code of another but are kept apart.
func sortedRates(rows []RateRow) []rateKey {
	keys := make([]rateKey, len(rows))
	for i := range rows {
		one := rows[i].compiled()
		keys[i] = rateKey{prefixCode(rows[i].Prefix), one.from, int32(i)}
	}
	slices.SortFunc(keys, func(a, b rateKey) int {
		if a.code != b.code {
			return cmp.Compare(a.code, b.code)
		}
		return cmp.Or(cmp.Compare(rows[a.row].Prefix, rows[b.row].Prefix), cmp.Compare(a.from, b.from), cmp.Compare(a.row, b.row))
	})
	return keys
}

// newRateTable compiles rows that were validated.
func newRateTable(currency string, rows []RateRow) *RateTable {
	keys := sortedRates(rows)
	t := &RateTable{currency: currency, rows: len(rows)}
	b := rateBuilder{t: t, rows: rows, single: map[rate]uint32{}}
	var open []int32 // the last prefix and its shorter prefixes, the shortest first
	for start := 0; start < len(keys); {
		code := keys[start].code
		end := start
		for end < len(keys) && keys[end].code == code {
			end++
		}
		for len(open) > 0 && !begins(code, t.prefixes[open[len(open)-1]].code) {
			open = open[:len(open)-1]
		}
		parent := int32(-1)
		if len(open) > 0 {
			parent = open[len(open)-1]
		}
		open = append(open, int32(len(t.prefixes)))
		t.prefixes = append(t.prefixes, ratePrefix{code: code, parent: parent, first: b.add(keys[start:end])})
		start = end
	}
	t.prefixes, t.rates = slices.Clip(t.prefixes), slices.Clip(t.rates)
	t.buildIndex()
	return t
}

const (
	plusNibble     = 11
	fewPrefixes    = 64
	maxIndexDigits = 6
	// perBucket is how many prefixes each place of the index may lead to on average.
	perBucket = 8
)

// buildIndex makes an index of the first digits, of so many that few prefixes begin
// with each value.
func (t *RateTable) buildIndex() {
	n := len(t.prefixes)
	if n <= fewPrefixes {
		return
	}
	values := 1
	for t.indexDigits < maxIndexDigits && values*perBucket < n {
		t.indexDigits++
		values *= 10
	}
	t.index = make([]uint32, values+1)
	at := 0
	for v := range values {
		least := uint64(plusNibble) << 60
		rest := v
		for d := t.indexDigits; d > 0; d-- {
			least |= uint64(rest%10+1) << (60 - 4*d)
			rest /= 10
		}
		for at < n && t.prefixes[at].code < least {
			at++
		}
		t.index[v] = uint32(at)
	}
	t.index[values] = uint32(n) // nothing sorts behind the international prefixes
}

// dialled is a number, prepared for look-ups.
type dialled struct {
	number string
	code   uint64
	lead   uint32 // the value of its first digits after the plus, at most six
	digits int    // how many digits lead has
}

func dial(number string) dialled {
	d := dialled{number: number, code: prefixCode(number)}
	if d.code>>60 != plusNibble {
		return d
	}
	for shift := 56; d.digits < maxIndexDigits; shift -= 4 {
		symbol := d.code >> shift & 15
		if symbol == 0 || symbol > 10 {
			break
		}
		d.lead = d.lead*10 + uint32(symbol-1)
		d.digits++
	}
	return d
}

// prefixCode returns the first 16 symbols of the number, up to the first that is
// none.
func prefixCode(number string) uint64 {
	var code uint64
	shift := 60
	for i := 0; i < len(number) && shift >= 0; i++ {
		c := uint64(number[i])
		switch {
		case c >= '0' && c <= '9':
			c -= '0' - 1
		case c == '+' && i == 0:
			c = plusNibble
		default:
			return code
		}
		code |= c << shift
		shift -= 4
	}
	return code
}

// begins reports whether the number begins with the prefix.
func begins(number, prefix uint64) bool { return (number^prefix)>>emptyBits(prefix) == 0 }

// emptyBits returns how many bits after the prefix are empty. No symbol is 0.
func emptyBits(prefix uint64) uint { return uint(bits.TrailingZeros64(prefix)) &^ 3 }

// find returns the rate for the number at a time in Unix seconds, with its prefix;
// nil for none.
func (t *RateTable) find(d *dialled, at int64) (*rate, string) {
	for i := t.before(d); i >= 0; i = t.prefixes[i].parent {
		p := &t.prefixes[i]
		if !begins(d.code, p.code) {
			continue
		}
		for j := p.first; ; j++ {
			r := &t.rates[j]
			if at >= r.from && at < r.until {
				return r, d.number[:16-emptyBits(p.code)/4]
			}
			if r.last {
				break
			}
		}
	}
	return nil, ""
}

// before returns the index of the last prefix that is not behind the number, or -1.
func (t *RateTable) before(d *dialled) int32 {
	low, n := 0, len(t.prefixes)
	if t.index != nil && d.digits >= t.indexDigits {
		lead := d.lead
		for range d.digits - t.indexDigits {
			lead /= 10
		}
		low = int(t.index[lead])
		n = int(t.index[lead+1]) - low
	}
	if n == 0 || t.prefixes[low].code > d.code {
		return int32(low) - 1
	}
	for n > 1 {
		half := n / 2
		if t.prefixes[low+half].code <= d.code {
			low += half
		}
		n -= half
	}
	return int32(low)
}

// Lookup returns the rate for the number at a time: the rate in force of the longest
// prefix that has one.
func (t *RateTable) Lookup(number string, at time.Time) (RateRow, bool) {
	d := dial(number)
	r, prefix := t.find(&d, at.Unix())
	if r == nil {
		return RateRow{}, false
	}
	return r.row(prefix, t.currency), true
}

// Currency returns the currency of every rate.
func (t *RateTable) Currency() string { return t.currency }

// Len returns how many rates the table has.
func (t *RateTable) Len() int { return t.rows }
