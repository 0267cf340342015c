package routing

import (
	"math/bits"
	"slices"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// packNumber packs a number or a prefix of at most 15 digits, with or without a
// plus, into a word. Different texts have different words, and none of them is 0 or
// that of [calls.AnonymousCaller], which is no number's. Any other text packs to 0.
func packNumber(s string) uint64 {
	if s == calls.AnonymousCaller {
		return packedAnonymous
	}
	plus := uint64(0)
	if s != "" && s[0] == '+' {
		plus, s = 1, s[1:]
	}
	if len(s) > 15 {
		return 0
	}
	v := uint64(1)
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0
		}
		v = v*10 + uint64(d)
	}
	return v<<1 | plus
}

// packedAnonymous is less than the word of any number: those have a 1 before their digits.
const packedAnonymous = 1

// numberSet is a set of packed numbers. A few are compared one by one; many stand in
// a hash table with open addressing, at most half full.
type numberSet struct {
	slots []uint64
	shift uint8 // of the hash; 0 for a plain list
}

const plainSet = 8

func newNumberSet(packed []uint64) numberSet {
	if len(packed) <= plainSet {
		return numberSet{slots: packed}
	}
	size := uint(bits.Len(uint(len(packed)*2 - 1)))
	s := numberSet{slots: make([]uint64, 1<<size), shift: uint8(64 - size)}
	for _, v := range packed {
		for i := mix(v) >> s.shift; ; i = (i + 1) & uint64(len(s.slots)-1) {
			if s.slots[i] == 0 || s.slots[i] == v {
				s.slots[i] = v
				break
			}
		}
	}
	return s
}

func (s *numberSet) has(v uint64) bool {
	if s.shift == 0 {
		return slices.Contains(s.slots, v)
	}
	for i := mix(v) >> s.shift; ; i = (i + 1) & uint64(len(s.slots)-1) {
		switch s.slots[i] {
		case v:
			return true
		case 0:
			return false
		}
	}
}

// meets reports whether the sets share a number.
func (s *numberSet) meets(o *numberSet) bool {
	if len(s.slots) > len(o.slots) {
		s, o = o, s
	}
	for _, v := range s.slots {
		if v != 0 && o.has(v) {
			return true
		}
	}
	return false
}

// callers are callers that a rule takes and that are equal in rank: prefixes of one
// length, or whole numbers.
type callers struct {
	numberSet

	length uint8  // in symbols; exactCallers for whole numbers
	words  string // for explanations
}

// exactCallers ranks whole numbers above every prefix.
const exactCallers = maxPrefixSymbols + 1

// callerKeys are the packed prefixes of the call's caller, made when the first rule
// asks for them.
type callerKeys struct {
	from   [exactCallers + 1]uint64 // by length in symbols, and the whole number; 0 for none
	packed bool
}

func (p *callerKeys) caller(req *calls.Request, length uint8) uint64 {
	if !p.packed {
		p.packed = true
		if !req.FromAsGiven {
			p.pack(req.From)
		}
	}
	return p.from[length]
}

func (p *callerKeys) pack(number string) {
	if number == calls.AnonymousCaller {
		p.from[exactCallers] = packedAnonymous
		return
	}
	plus, v, i := uint64(0), uint64(1), 0
	if number != "" && number[0] == '+' {
		plus, i = 1, 1
		p.from[1] = v<<1 | plus
	}
	for ; i < len(number) && i < maxPrefixSymbols; i++ {
		d := number[i] - '0'
		if d > 9 || i-int(plus) >= 15 {
			return
		}
		v = v*10 + uint64(d)
		p.from[i+1] = v<<1 | plus
	}
	if i == len(number) && i > int(plus) {
		p.from[exactCallers] = v<<1 | plus
	}
}

// callersOf returns the indexes, plus one, of the condition's callers: one for each
// rank, or a single 0 for any caller. Equal conditions share them.
func (c *compiler) callersOf(m *NumberMatch) []uint32 {
	if m.IsZero() {
		return c.everybody
	}
	c.buf = text.AppendKey(text.AppendKey(text.AppendKey(c.buf[:0], m.Prefix), m.Exact), m.List)
	if list, ok := c.callerIndex[string(c.buf)]; ok {
		return list
	}
	key := string(c.buf)
	prefixes, exact := c.numbers(m)
	prefixes = slices.DeleteFunc(slices.Clone(prefixes), e164.BeginsCode) // of a list that is for callees, too
	exact = slices.DeleteFunc(slices.Clone(exact), e164.BeginsCode)
	var byLength [exactCallers + 1][]string
	byLength[exactCallers] = exact
	for _, p := range prefixes {
		byLength[len(p)] = append(byLength[len(p)], p)
	}
	var list []uint32
	for length, numbers := range byLength {
		if len(numbers) == 0 {
			continue
		}
		packed := make([]uint64, len(numbers))
		for i, s := range numbers {
			packed[i] = packNumber(s)
		}
		one := callers{numberSet: newNumberSet(packed), length: uint8(length)}
		if length == exactCallers {
			one.words = describeNumbers(nil, numbers)
		} else {
			one.words = describeNumbers(numbers, nil)
		}
		c.r.callers = append(c.r.callers, one)
		list = append(list, uint32(len(c.r.callers)))
	}
	c.callerIndex[key] = list
	return list
}
