package routing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Router decides by one compiled rule set. It is immutable and may be used by
// any number of goroutines.
type Router struct {
	hash      string
	order     Order
	rules     []rule
	trie      *trie
	windows   []window
	dests     []destination
	plans     []plan
	written   int  // rules as people wrote them
	unlimited bool // every rule is listed by Explain, since there are few
}

// rule is a compiled Rule: what Route looks at, and nothing else.
type rule struct {
	id       string
	source   uint32 // index in the rule set
	plan     uint32
	window   int32 // index in windows, -1 for always
	priority int16
	fromLen  uint8 // symbols of the caller prefixes, for the rank; exact numbers rank above all
	types    uint8 // bits; 0 for any
	dirs     uint8 // bits; 0 for any
	prioMin  uint8
	prioMax  uint8
	isDef    bool
	exact    bool // the callee must be the prefix and no more
	tenants  []callmodel.TenantID
	from     *NumberMatch
	to       string // the prefix or number it stands under
}

// Compile checks the set and makes a Router of it. Every fault is reported at
// once, as [callmodel.FieldErrors]: those of [RuleSet.Validate], and rules that
// are level in rank and can match the same call.
func Compile(rs *RuleSet) (*Router, error) {
	if err := rs.Validate(); err != nil {
		return nil, err
	}
	c := compiler{rs: rs, destIndex: map[string]uint32{}, planIndex: map[string]uint32{}, windowIndex: map[string]int32{}}
	r := &Router{hash: rs.Hash(), order: cmp.Or(rs.Order, PrefixFirst)}
	c.r = r
	c.destinations()
	r.rules = make([]rule, 0, len(rs.Rules))
	entries := make([]entry, 0, len(rs.Rules))
	for i := range rs.Rules {
		entries = c.add(i, entries)
	}
	var err error
	if r.trie, err = newTrie(entries, r.rank); err != nil {
		return nil, callmodel.FieldErrors{{Path: "rules", Message: err.Error()}}
	}
	r.written = len(rs.Rules)
	r.unlimited = len(r.rules) <= maxListed
	if err := c.ties(); err != nil {
		return nil, err
	}
	return r, nil
}

type compiler struct {
	rs          *RuleSet
	r           *Router
	destIndex   map[string]uint32
	planIndex   map[string]uint32
	windowIndex map[string]int32
	decks       map[string]*RateTable
	planKey     []byte // of the plan at hand, kept for reuse
}

// add compiles rule i once for every callee it names and every length of
// caller prefix, so that a compiled rule has one rank.
func (c *compiler) add(i int, entries []entry) []entry {
	src := &c.rs.Rules[i]
	base := rule{
		id: src.ID, source: uint32(i), plan: c.plan(src), window: c.window(src.Match.When),
		priority: int16(src.Priority), prioMax: callmodel.MaxPriority, isDef: src.Default, tenants: src.Match.Tenant,
	}
	for _, t := range src.Match.Type {
		base.types |= typeBit(t)
	}
	for _, d := range src.Match.Direction {
		base.dirs |= directionBit(d)
	}
	if p := src.Match.CallPriority; p != nil {
		base.prioMin, base.prioMax = uint8(p.Min), uint8(p.Max)
	}
	under := func(to string, exact bool) {
		for _, from := range fromByLength(&src.Match.From) {
			one := base
			one.to, one.exact, one.from, one.fromLen = to, exact, from.match, from.length
			entries = append(entries, entry{to, uint32(len(c.r.rules))})
			c.r.rules = append(c.r.rules, one)
		}
	}
	if src.Default {
		under("", false)
	}
	for _, p := range unique(src.Match.To.Prefix) {
		under(p, false)
	}
	for _, p := range unique(src.Match.To.Exact) {
		under(p, true)
	}
	return entries
}

// fromLength is the callers of a rule that rank alike.
type fromLength struct {
	match  *NumberMatch // nil for any caller
	length uint8
}

func fromByLength(m *NumberMatch) []fromLength {
	if m.IsZero() {
		return []fromLength{{}}
	}
	var list []fromLength
	if len(m.Exact) > 0 {
		list = append(list, fromLength{&NumberMatch{Exact: m.Exact}, maxPrefixSymbols + 1})
	}
	for _, p := range m.Prefix {
		i := slices.IndexFunc(list, func(f fromLength) bool { return int(f.length) == len(p) })
		if i < 0 {
			i = len(list)
			list = append(list, fromLength{&NumberMatch{}, uint8(len(p))})
		}
		list[i].match.Prefix = append(list[i].match.Prefix, p)
	}
	return list
}

func unique(s []string) []string {
	if len(s) < 2 {
		return s
	}
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func (c *compiler) window(w *Windows) int32 {
	if w == nil {
		return -1
	}
	compiled := window{}
	for _, s := range w.Weekly {
		_ = compiled.week.add(s) // validated
	}
	zone, err := loadZone(w.TimeZone)
	if err != nil {
		zone = time.UTC // unreachable: validated
	}
	compiled.zone = zone
	key := w.TimeZone + fmt.Sprint(compiled.week)
	if i, ok := c.windowIndex[key]; ok {
		return i
	}
	i := int32(len(c.r.windows))
	c.r.windows = append(c.r.windows, compiled)
	c.windowIndex[key] = i
	return i
}

// rank orders the rules of one callee prefix: the winner first. An exact
// number outranks a prefix of the same length.
func (r *Router) rank(a, b uint32) int {
	x, y := &r.rules[a], &r.rules[b]
	if c := r.level(x, y); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

// level is 0 for rules of one prefix that no rank tells apart.
func (r *Router) level(x, y *rule) int {
	exact := func(r *rule) int {
		if r.exact {
			return 1
		}
		return 0
	}
	byExact := cmp.Compare(exact(y), exact(x))
	byPriority := cmp.Compare(y.priority, x.priority)
	byFrom := cmp.Compare(y.fromLen, x.fromLen)
	if r.order == PriorityFirst {
		return cmp.Or(byPriority, byExact, byFrom)
	}
	return cmp.Or(byExact, byPriority, byFrom)
}

func describePrefix(r *rule) string {
	switch {
	case r.to == "":
		return "any number"
	case r.exact:
		return r.to
	default:
		return r.to + "…"
	}
}
