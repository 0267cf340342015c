package lint

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing"
)

// posting is a rule under one callee, for callers of one length, as the router ranks
// it.
type posting struct {
	rule     int32
	cond     int32
	tenants  int32 // in index.tenants, 0 for all
	callers  int32 // in index.callers, 0 for any
	rank     uint32
	priority int16
	exact    bool
}

// index holds the postings of a set, sorted by callee and then by rank. The postings
// of a callee stand before those of the callees that begin with it.
type index struct {
	rs            *routing.RuleSet
	at            int64 // from when on calls are made
	priorityFirst bool

	codes     []uint64 // the callees, ascending
	first     []int32  // of each callee's postings; one more for the end
	parents   []int32  // the longest other callee that this one begins with, -1 for none
	postings  []posting
	emergency []posting // of the service class

	conds   *condSet
	tenants [][]uint32 // sorted, of interned tenants
	callers []callerSet
	names   []callmodel.TenantID // by interned number, from 1
	filed   map[int32]map[uint32][]int32
}

// callerSet holds callers of equal rank: prefixes of one length, or numbers.
type callerSet struct {
	length int // exactCaller for numbers
	list   []string
	set    map[string]bool
}

const (
	exactCaller   = 17 // ranks above every prefix
	codeSymbols   = 16
	plusSymbol    = 11
	starSymbol    = 12
	hashSymbol    = 13
	emergencyRoot = -1 // in place of a callee's number
)

// code is a packed prefix of up to 16 symbols, the first in the highest bits. No
// symbol is 0, so the trailing zeros tell its length, and 0 is every callee.
func code(prefix string) (c uint64) {
	for i := range min(len(prefix), codeSymbols) {
		var s uint64
		switch prefix[i] {
		case '+':
			s = plusSymbol
		case '*':
			s = starSymbol
		case '#':
			s = hashSymbol
		default:
			s = uint64(prefix[i]-'0') + 1
		}
		c |= s << (60 - 4*i)
	}
	return c
}

func codeLength(c uint64) int {
	n := 0
	for ; c != 0; c <<= 4 {
		n++
	}
	return n
}

func codeText(c uint64) string {
	var b strings.Builder
	for ; c != 0; c <<= 4 {
		switch s := byte(c >> 60); s {
		case plusSymbol:
			b.WriteByte('+')
		case starSymbol:
			b.WriteByte('*')
		case hashSymbol:
			b.WriteByte('#')
		default:
			b.WriteByte('0' + s - 1)
		}
	}
	return b.String()
}

// starred reports whether c is of codes that begin with a star or a hash. What
// longer callees take of those together is not looked at.
func starred(c uint64) bool { return c>>60 >= starSymbol }

// begins reports whether c begins with the prefix of so many symbols.
func begins(c, prefix uint64, length int) bool { return length == 0 || (c^prefix)>>(64-4*length) == 0 }

type placed struct {
	posting

	code uint64
}

func newIndex(rs *routing.RuleSet, at time.Time) *index {
	x := &index{rs: rs, at: always, priorityFirst: rs.Order == routing.PriorityFirst, conds: newCondSet(rs), filed: map[int32]map[uint32][]int32{}}
	if !at.IsZero() {
		x.at = bound(at.Format(time.RFC3339), always)
	}
	x.tenants, x.callers, x.names = [][]uint32{nil}, []callerSet{{}}, []callmodel.TenantID{""}
	b := builder{x: x, tenantSets: map[string]int32{}, tenants: map[callmodel.TenantID]uint32{}, callers: map[string][]int32{}}
	list := make([]placed, 0, len(rs.Rules))
	for i := range rs.Rules {
		if r := &rs.Rules[i]; r.Enabled == nil || *r.Enabled {
			list = b.rule(int32(i), r, list)
		}
	}
	slices.SortFunc(list, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(b.rank, a.rank), cmp.Compare(a.rule, b.rule))
	})
	slices.SortStableFunc(x.emergency, func(a, b posting) int { return cmp.Compare(b.rank, a.rank) })
	x.lay(list)
	return x
}

func (x *index) lay(list []placed) {
	x.postings = make([]posting, len(list))
	var open []int32
	for i := range list {
		x.postings[i] = list[i].posting
		c := list[i].code
		if n := len(x.codes); n > 0 && x.codes[n-1] == c {
			continue
		}
		for len(open) > 0 && !begins(c, x.codes[open[len(open)-1]], codeLength(x.codes[open[len(open)-1]])) {
			open = open[:len(open)-1]
		}
		parent := int32(-1)
		if len(open) > 0 {
			parent = open[len(open)-1]
		}
		open = append(open, int32(len(x.codes)))
		x.codes, x.first, x.parents = append(x.codes, c), append(x.first, int32(i)), append(x.parents, parent)
	}
	x.first = append(x.first, int32(len(list)))
}

// of returns the postings of a callee.
func (x *index) of(callee int) []posting {
	if callee == emergencyRoot {
		return x.emergency
	}
	return x.postings[x.first[callee]:x.first[callee+1]]
}

// find returns the callee with that code, or where it would stand.
func (x *index) find(c uint64) (int, bool) { return slices.BinarySearch(x.codes, c) }

type builder struct {
	x          *index
	tenantSets map[string]int32
	tenants    map[callmodel.TenantID]uint32
	callers    map[string][]int32
	buf        []byte
}

func (b *builder) rule(i int32, r *routing.Rule, list []placed) []placed {
	p := posting{rule: i, cond: b.x.conds.of(r), tenants: b.tenantSet(r.Match.Tenant), priority: int16(r.Priority)}
	for _, p.callers = range b.callersOf(&r.Match.From) {
		length := uint32(b.x.callers[p.callers].length)
		place := func(prefix string, exact bool) {
			p.exact, p.rank = exact, b.x.rankOf(&p, exact, length)
			list = append(list, placed{p, code(prefix)})
		}
		if len(r.Match.To.Service) > 0 {
			p.exact, p.rank = false, b.x.rankOf(&p, false, length)
			b.x.emergency = append(b.x.emergency, p)
		}
		if r.Default {
			place("", false)
		}
		b.x.eachNumber(&r.Match.To, place)
	}
	return list
}

// rankOf returns the rank among the postings of one callee.
func (x *index) rankOf(p *posting, exact bool, fromLength uint32) uint32 {
	priority, whole := uint32(int(p.priority)+routing.MaxRulePriority), uint32(0)
	if exact {
		whole = 1
	}
	if x.priorityFirst {
		return priority<<6 | whole<<5 | fromLength
	}
	return whole<<16 | priority<<5 | fromLength
}

// eachNumber visits the prefixes and whole numbers of a condition, those of
// its lists too, each once.
func (x *index) eachNumber(m *routing.NumberMatch, visit func(number string, exact bool)) {
	if len(m.List) == 0 && len(m.Prefix)+len(m.Exact) == 1 {
		for _, s := range m.Prefix {
			visit(s, false)
		}
		for _, s := range m.Exact {
			visit(s, true)
		}
		return
	}
	prefixes, exact := slices.Clone(m.Prefix), slices.Clone(m.Exact)
	for _, name := range m.List {
		for _, s := range x.rs.Lists[name] {
			if number, isPrefix := strings.CutSuffix(s, "*"); isPrefix {
				prefixes = append(prefixes, number)
			} else {
				exact = append(exact, s)
			}
		}
	}
	for _, s := range sorted(prefixes) {
		visit(s, false)
	}
	for _, s := range sorted(exact) {
		visit(s, true)
	}
}

func (b *builder) tenantSet(list []callmodel.TenantID) int32 {
	if len(list) == 0 {
		return 0
	}
	b.buf = listKey(b.buf[:0], list)
	if i, ok := b.tenantSets[string(b.buf)]; ok {
		return i
	}
	set := make([]uint32, 0, len(list))
	for _, t := range list {
		n, ok := b.tenants[t]
		if !ok {
			n = uint32(len(b.x.names))
			b.tenants[t] = n
			b.x.names = append(b.x.names, t)
		}
		set = append(set, n)
	}
	slices.Sort(set)
	i := int32(len(b.x.tenants))
	b.x.tenants = append(b.x.tenants, slices.Compact(set))
	b.tenantSets[string(b.buf)] = i
	return i
}

// callersOf returns the callers of a condition, one set for each rank.
func (b *builder) callersOf(m *routing.NumberMatch) []int32 {
	if m.IsZero() {
		return []int32{0}
	}
	b.buf = listKey(listKey(listKey(b.buf[:0], m.Prefix), m.Exact), m.List)
	key := string(b.buf)
	if list, ok := b.callers[key]; ok {
		return list
	}
	byLength := map[int][]string{}
	b.x.eachNumber(m, func(s string, exact bool) {
		length := len(s)
		if exact {
			length = exactCaller
		}
		byLength[length] = append(byLength[length], s)
	})
	var out []int32
	for length := range exactCaller + 1 {
		numbers := byLength[length]
		if len(numbers) == 0 {
			continue
		}
		c := callerSet{length: length, list: numbers, set: make(map[string]bool, len(numbers))}
		for _, s := range numbers {
			c.set[s] = true
		}
		out = append(out, int32(len(b.x.callers)))
		b.x.callers = append(b.x.callers, c)
	}
	b.callers[key] = out
	return out
}

// takes reports whether the set holds every caller of the other: the number itself,
// or all numbers that begin with the prefix.
func (c *callerSet) takes(number string, length int) bool {
	if c.length == exactCaller {
		return length == exactCaller && c.set[number]
	}
	return len(number) >= c.length && c.set[number[:c.length]]
}

// validNumber reports whether a call may have that callee: see the package
// comment.
func validNumber(c uint64) bool {
	s := codeText(c)
	return e164.Valid(s) || e164.Short(s)
}

// longer reports whether there are numbers longer than the code that begin with it.
func longer(c uint64, length int) bool {
	if length == 0 {
		return true
	}
	if c>>60 == plusSymbol {
		return length < 1+e164.MaxDigits
	}
	return length < e164.MaxShortDigits
}
