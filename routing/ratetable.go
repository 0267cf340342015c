package routing

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// RateTable finds the rate for a number at a time: that of the longest prefix
// that has one in force. It is immutable and may be used by any number of
// goroutines.
//
// A prefix is a word of 16 symbols of 4 bits, the first on the left and nothing
// after the last, so that in the order of these words a prefix stands right
// before all that begin with it. The longest prefix of a number is then the
// nearest word before it, or one that this one begins with.
type RateTable struct {
	currency string
	codes    []uint64  // the prefixes, ascending
	at       []ratedAt // of the same index
	rates    []rate    // of one prefix next to each other, the latest from first
	index    []uint32  // where the international prefixes of each three digits begin; nil for few
}

type ratedAt struct {
	parent int32  // the longest other prefix that this one begins with; -1 for none
	first  uint32 // index in rates
	count  uint32
}

// NewRateTable compiles rates. The currency is three capital letters (ISO
// 4217). Every fault is reported at once, as callmodel.FieldErrors below
// rows[i].
//
// Of the rates of one prefix, that with the latest From among those in force
// holds, so that a new price needs no change of the old one. Two that begin at
// the same time are an error, and so is one that begins before another's Until
// that began earlier: one of them would be wrong.
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

// newRateTable compiles rows that were validated.
func newRateTable(currency string, rows []RateRow) *RateTable {
	t := &RateTable{currency: currency, rates: make([]rate, len(rows))}
	for i := range rows {
		t.rates[i] = rows[i].compiled()
	}
	slices.SortFunc(t.rates, func(a, b rate) int {
		return cmp.Or(cmp.Compare(prefixCode(a.prefix), prefixCode(b.prefix)), cmp.Compare(b.from, a.from))
	})
	var open []int32 // the prefixes that the last one begins with, and it
	for i := range t.rates {
		code := prefixCode(t.rates[i].prefix)
		if n := len(t.codes); n > 0 && t.codes[n-1] == code {
			t.at[n-1].count++
			continue
		}
		for len(open) > 0 && !begins(code, t.codes[open[len(open)-1]]) {
			open = open[:len(open)-1]
		}
		parent := int32(-1)
		if len(open) > 0 {
			parent = open[len(open)-1]
		}
		open = append(open, int32(len(t.codes)))
		t.codes = append(t.codes, code)
		t.at = append(t.at, ratedAt{parent: parent, first: uint32(i), count: 1})
	}
	if len(t.codes) > fewPrefixes {
		t.buildIndex()
	}
	return t
}

const (
	fewPrefixes  = 64
	plusNibble   = 11
	indexBuckets = 1 << 12 // three symbols behind the plus
)

func (t *RateTable) buildIndex() {
	t.index = make([]uint32, indexBuckets+1)
	for b := range t.index {
		least := uint64(plusNibble)<<60 + uint64(b)<<48
		t.index[b] = uint32(sort.Search(len(t.codes), func(i int) bool { return t.codes[i] >= least }))
	}
}

// prefixCode is the number's first 16 symbols, up to the first that is none.
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

// begins reports whether the number begins with the prefix. No symbol is 0, so
// the zeros behind a prefix tell its length.
func begins(number, prefix uint64) bool {
	return (number^prefix)>>(uint(bits.TrailingZeros64(prefix))&^3) == 0
}

// find is the rate for the number at a time in Unix seconds, or nil.
func (t *RateTable) find(number string, at int64) *rate {
	code := prefixCode(number)
	for i := t.before(code); i >= 0; i = t.at[i].parent {
		if !begins(code, t.codes[i]) {
			continue
		}
		a := &t.at[i]
		rates := t.rates[a.first : a.first+a.count]
		for j := range rates {
			if r := &rates[j]; at >= r.from && at < r.until {
				return r
			}
		}
	}
	return nil
}

// before is the index of the last prefix that is not after code, or -1.
func (t *RateTable) before(code uint64) int32 {
	low, high := 0, len(t.codes)
	if t.index != nil && code>>60 == plusNibble {
		bucket := code >> 48 & (indexBuckets - 1)
		low, high = int(t.index[bucket]), int(t.index[bucket+1])
	}
	for low < high {
		middle := int(uint(low+high) >> 1)
		if t.codes[middle] <= code {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return int32(low) - 1
}

// Lookup is the rate for the number at a time: that of the longest prefix which
// has one in force.
func (t *RateTable) Lookup(number string, at time.Time) (RateRow, bool) {
	r := t.find(number, at.Unix())
	if r == nil {
		return RateRow{}, false
	}
	return r.row(t.currency), true
}

// Currency is that of every rate.
func (t *RateTable) Currency() string { return t.currency }

// Len is how many rates the table has.
func (t *RateTable) Len() int { return len(t.rates) }
