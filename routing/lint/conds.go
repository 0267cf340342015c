package lint

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// attributes has a bit for every combination of a call's type, direction, emergency
// flag and priority.
type attributes [5]uint64

const (
	typeCount      = 4
	directionCount = 4 // with none
	priorityCount  = calls.MaxPriority + 1
	attributeCount = typeCount * directionCount * 2 * priorityCount
)

func attributeBit(kind, direction, flag, priority int) int {
	return ((kind*directionCount+direction)*2+flag)*priorityCount + priority
}

func (a *attributes) set(bit int) { a[bit/64] |= 1 << (bit % 64) }
func (a *attributes) empty() bool { return *a == attributes{} }

func (a *attributes) and(o *attributes) (out attributes) {
	for i := range a {
		out[i] = a[i] & o[i]
	}
	return out
}

func (a *attributes) minus(o *attributes) (out attributes) {
	for i := range a {
		out[i] = a[i] &^ o[i]
	}
	return out
}

func directions() []calls.Direction {
	return []calls.Direction{"", calls.Inbound, calls.Outbound, calls.Internal}
}

// attributesOf returns the attributes that the rule takes; with emergencyOnly, those
// of emergency calls alone.
func attributesOf(m *routing.Match, emergencyOnly bool) (a attributes) {
	noEmergency := m.User != nil || m.Callee != nil
	low, high := calls.MinPriority, calls.MaxPriority
	if m.CallPriority != nil {
		low, high = m.CallPriority.Min, m.CallPriority.Max
	}
	for k, kind := range calls.Types() {
		for d, direction := range directions() {
			for flag := range 2 {
				emergency := flag == 1 || kind == calls.TypeEmergency
				if len(m.Type) > 0 && !slices.Contains(m.Type, kind) || len(m.Direction) > 0 && !slices.Contains(m.Direction, direction) ||
					emergencyOnly && !emergency || noEmergency && emergency {
					continue
				}
				for p := low; p <= high; p++ {
					a.set(attributeBit(k, d, flag, p))
				}
			}
		}
	}
	return a
}

// cond holds the conditions that several rules share, without callee, tenant and
// caller.
type cond struct {
	attrs     attributes
	emergency attributes // those of attrs that are of emergency calls
	all       bool       // it takes every call
	timeless  bool       // it holds at any time
	from      int64      // Unix nanoseconds
	until     int64
	when      *calendar.Windows
	window    int // which of the different ones, 0 for none
	week      calendar.WeekMinutes
	terms     []term // sorted by key
	any       []string
	every     []string
	expr      string
}

// term is the values that a key of the call may have: "" for none, "=x" for x.
type term struct {
	key    string // "trunk", or "." and the key of the metadata
	values values
}

const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// bound returns an instant as the router knows it. An instant that nanoseconds can't
// count is no bound.
func bound(s string, without int64) int64 {
	t, err := time.Parse(time.RFC3339, s)
	switch {
	case s == "" || err != nil:
		return without
	case t.Year() < 1678:
		return always
	case t.Year() > 2261:
		return never
	}
	return t.UnixNano()
}

// condSet keeps each different condition once.
type condSet struct {
	rs      *routing.RuleSet
	list    []cond
	index   map[string]int32
	windows map[string]int
	buf     []byte
}

func newCondSet(rs *routing.RuleSet) *condSet {
	s := &condSet{rs: rs, index: map[string]int32{}, windows: map[string]int{}}
	s.of(&routing.Rule{}) // the condition 0 takes every call
	return s
}

func plain(m *routing.Match) bool {
	return len(m.Type) == 0 && len(m.Direction) == 0 && m.CallPriority == nil && m.When == nil && len(m.Trunk) == 0 && len(m.Metadata) == 0 &&
		len(m.MetadataPresent) == 0 && len(m.MetadataAbsent) == 0 && len(m.CapabilitiesAny) == 0 && len(m.CapabilitiesAll) == 0 &&
		m.ValidFrom == "" && m.ValidUntil == "" && m.User == nil && m.Callee == nil && m.Not == nil && m.Expr == ""
}

func (s *condSet) of(r *routing.Rule) int32 {
	m, rejects := &r.Match, r.Reject != nil
	if m.When != nil && m.When.Calendar != "" {
		named := *m
		named.When = s.rs.Windows(m.When)
		m = &named
	}
	if plain(m) && !rejects && len(s.list) > 0 {
		return 0
	}
	s.buf = condKey(s.buf[:0], m)
	if rejects {
		s.buf = append(s.buf, 'r')
	}
	if i, ok := s.index[string(s.buf)]; ok {
		return i
	}
	i := int32(len(s.list))
	s.index[string(s.buf)] = i
	s.list = append(s.list, s.compile(m, rejects))
	return i
}

// compile makes the condition of a match. A rule that rejects takes no emergency call, nor
// one to a number that is dialled for help; which those are isn't looked at, so that it
// takes for certain only what another takes under the same expression.
func (s *condSet) compile(m *routing.Match, rejects bool) cond {
	c := cond{
		attrs: attributesOf(m, false), emergency: attributesOf(m, true), all: plain(m), from: bound(m.ValidFrom, always), until: bound(m.ValidUntil, never),
		when: m.When, any: sorted(m.CapabilitiesAny), every: sorted(m.CapabilitiesAll), expr: m.Expr + usersText(m),
	}
	if rejects {
		c.attrs, c.emergency, c.all = c.attrs.minus(&c.emergency), attributes{}, false
		c.expr += "\x00reject"
	}
	c.timeless = c.when == nil && c.from == always && c.until == never
	if m.When != nil {
		key := string(windowKey(nil, m.When))
		if s.windows[key] == 0 {
			s.windows[key] = len(s.windows) + 1
		}
		c.window, c.week = s.windows[key], m.When.Week()
	}
	terms := map[string]values{}
	narrow := func(key string, v values) {
		if have, ok := terms[key]; ok {
			v = have.and(v)
		}
		terms[key] = v
	}
	if len(m.Trunk) > 0 {
		narrow("trunk", oneOf(m.Trunk))
	}
	for key, list := range m.Metadata {
		narrow("."+key, oneOf(list))
	}
	for _, key := range m.MetadataPresent {
		narrow("."+key, values{but: true, list: []string{""}})
	}
	for _, key := range m.MetadataAbsent {
		narrow("."+key, values{list: []string{""}})
	}
	for _, key := range slices.Sorted(maps.Keys(terms)) {
		c.terms = append(c.terms, term{key, terms[key]})
	}
	return c
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func oneOf(list []string) values {
	v := values{list: make([]string, len(list))}
	for i, s := range list {
		v.list[i] = "=" + s
	}
	slices.Sort(v.list)
	v.list = slices.Compact(v.list)
	return v
}

func condKey(b []byte, m *routing.Match) []byte {
	b = listKey(listKey(b, m.Type), m.Direction)
	if p := m.CallPriority; p != nil {
		b = fmt.Appendf(b, "p%d-%d", p.Min, p.Max)
	}
	if m.When != nil {
		b = windowKey(append(b, 'w'), m.When)
	}
	b = listKey(append(b, 't'), m.Trunk)
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		b = listKey(listKey(b, []string{key}), m.Metadata[key])
	}
	b = listKey(listKey(append(b, 'm'), m.MetadataPresent), m.MetadataAbsent)
	b = listKey(listKey(b, m.CapabilitiesAny), m.CapabilitiesAll)
	return listKey(b, []string{m.ValidFrom, m.ValidUntil, m.Expr, usersText(m)})
}

// usersText is the conditions on users and the exclusions, which are told apart by their text alone, as
// expressions are.
func usersText(m *routing.Match) string {
	if m.User == nil && m.Callee == nil && m.Not == nil {
		return ""
	}
	b, err := json.Marshal(routing.Match{User: m.User, Callee: m.Callee, Not: m.Not})
	if err != nil {
		return "" // unreachable: lists of texts always marshal
	}
	return string(b)
}

func windowKey(b []byte, w *calendar.Windows) []byte {
	b = listKey(listKey(listKey(listKey(b, []string{w.TimeZone}), w.Weekly), w.Except), w.Also)
	for _, r := range w.RRule {
		b = listKey(b, []string{r.Rule, r.Start, r.Duration})
	}
	return b
}

// listKey appends a list so that different lists give different bytes.
func listKey[S ~string](b []byte, list []S) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// values is a set of texts: the texts of a sorted list, or all others.
type values struct {
	but  bool
	list []string
}

func (v values) empty() bool { return !v.but && len(v.list) == 0 }

func (v values) not() values { return values{!v.but, v.list} }

func (v values) and(o values) values {
	switch {
	case v.but && o.but:
		return values{but: true, list: merge(v.list, o.list)}
	case v.but:
		return values{list: keep(o.list, v.list, false)}
	default:
		return values{list: keep(v.list, o.list, !o.but)}
	}
}

// meets reports whether both have a text in common.
func (v values) meets(o *values) bool {
	if v.but && o.but {
		return true
	}
	small, other := &v, o
	if small.but || !other.but && len(other.list) < len(small.list) {
		small, other = other, small
	}
	for _, s := range small.list {
		if _, listed := slices.BinarySearch(other.list, s); listed != other.but {
			return true
		}
	}
	return false
}

func (v values) minus(o values) values { return v.and(o.not()) }

func merge(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// keep returns the texts of a that are in b, or those that are not.
func keep(a, b []string, in bool) []string {
	var out []string
	for _, s := range a {
		if _, found := slices.BinarySearchFunc(b, s, cmp.Compare[string]); found == in {
			out = append(out, s)
		}
	}
	return out
}

// capableOf reports whether p asks for all capabilities that c asks for. Then every
// call that p takes has them.
func (c *cond) capableOf(p *cond) bool {
	within := func(list, of []string) bool {
		return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(of, s) })
	}
	if !within(c.every, p.every) {
		return false
	}
	return len(c.any) == 0 || slices.ContainsFunc(c.any, func(s string) bool { return slices.Contains(p.every, s) }) ||
		len(p.any) > 0 && within(p.any, c.any)
}
