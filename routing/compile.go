package routing

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/prefix"
)

// Router decides by one compiled rule set. Any number of goroutines may use it: it
// is immutable but for a counter of failed expressions.
type Router struct {
	hash    string
	order   Order
	index   index
	kinds   []kind
	callers []callers
	extras  []extra
	tenants map[callmodel.TenantID]uint32 // those that rules name, numbered from 1
	dests   []destination
	plans   []plan
	ids     string // of the rules as they were written; a byte with the length stands before each
	written int    // rules as people wrote them
	tests   []Test
	limits  AllLimits
	owners  owners

	exprErrors atomic.Uint64
	listAll    bool                 // Explain lists every rule, since there are few
	callees    func() []ruleCallees // of every rule, made once if listAll wants them
}

// id returns the rule id that begins at that place of ids.
func (r *Router) id(rule uint32) string {
	return r.ids[rule+1 : rule+1+uint32(r.ids[rule])]
}

// Compile checks the set and makes a Router of it. It reports every fault at once,
// as [callmodel.FieldErrors]: the faults that [RuleSet.Validate] finds, else rules
// that are equal in rank and can match the same call.
func Compile(rs *RuleSet) (*Router, error) {
	b := newBuild(rs, len(rs.Rules), false)
	for i := range rs.Rules {
		b.take(i, &rs.Rules[i])
	}
	if err := b.v.errs.Err(); err != nil {
		return nil, err
	}
	return b.router()
}

type compiler struct {
	rs *RuleSet
	r  *Router
	v  *validation

	destIndex   map[string]uint32
	planIndex   map[string]uint32
	planOf      []uint32 // by number of the route, see validation.routes
	kindIndex   map[kind]uint32
	callerIndex map[string][]uint32 // the callers of each condition
	extraIndex  map[string]uint32
	entries     []entry
	windows     map[string]*calendar.Window
	tenantNames []callmodel.TenantID // by their number
	everybody   []uint32             // one 0: any tenant, any caller
	buf         []byte
	decks       map[string]*RateTable
	planKey     []byte // room for the key of a plan
}

func newCompiler(rs *RuleSet, r *Router, v *validation) *compiler {
	r.tenants = map[callmodel.TenantID]uint32{}
	return &compiler{
		rs: rs, r: r, v: v, destIndex: map[string]uint32{}, planIndex: map[string]uint32{}, kindIndex: map[kind]uint32{},
		callerIndex: map[string][]uint32{}, extraIndex: map[string]uint32{}, windows: map[string]*calendar.Window{},
		everybody: []uint32{0}, tenantNames: []callmodel.TenantID{""},
	}
}

// entry is a posting on its way into the index.
type entry struct {
	posting

	node uint64 // the prefix's key, or the number of one of the first nodes
	rank uint32
}

// postings makes postings of rule i, for each callee, tenant and length of caller
// prefix that it names. So each posting has one rank.
func (c *compiler) postings(i int, src *Rule, route uint32) error {
	c.entries = c.add(src, c.v.ids.places[i], c.routePlan(src, route), c.entries)
	fault := func(format string, args ...any) error {
		path := fmt.Sprintf("rules[%d]", i)
		return callmodel.FieldErrors{{Path: path, Line: c.rs.Line(path), Message: "rule " + src.ID + ": " + fmt.Sprintf(format, args...)}}
	}
	switch {
	case len(c.entries) > maxPostings:
		return fault("with this rule the set has more than %d pairs of a rule and a callee, tenant or length of caller; let rules share fewer lists", maxPostings)
	case len(c.r.tenants) > maxTenants:
		return fault("with this rule the set names more than %d tenants; name more than %d in a rule, which are kept apart from these", maxTenants, tenantRuns)
	}
	return nil
}

const noPlan = ^uint32(0)

// routePlan returns the plan of the rule's route, which has that number. Equal
// routes share one.
func (c *compiler) routePlan(src *Rule, route uint32) uint32 {
	for int(route) >= len(c.planOf) {
		c.planOf = append(c.planOf, noPlan)
	}
	if c.planOf[route] == noPlan {
		c.planOf[route] = c.plan(src)
	}
	return c.planOf[route]
}

// add appends the postings of a rule whose id has that place.
func (c *compiler) add(src *Rule, id, plan uint32, entries []entry) []entry {
	m := &src.Match
	p := posting{rule: id, plan: plan}
	idBytes := uint32(len(src.ID)) << tenantBits
	k := kind{priority: int16(src.Priority), prioMax: calls.MaxPriority, rejects: src.Reject != nil}
	for _, t := range m.Type {
		k.types |= typeBit(t)
	}
	for _, d := range m.Direction {
		k.dirs |= directionBit(d)
	}
	if p := m.CallPriority; p != nil {
		k.prioMin, k.prioMax = uint8(p.Min), uint8(p.Max)
	}
	k.extra = c.extra(m)
	tenants := c.tenantsOf(m)
	under := func(node uint64, exact bool) {
		k.exact = exact
		for _, from := range c.callersOf(&m.From) {
			if k.from = from; from > 0 {
				k.fromLen = c.r.callers[from-1].length
			}
			k.setRank(c.r.order)
			p.kind = c.kind(k)
			for _, tenant := range tenants {
				p.whose = tenant | idBytes
				entries = append(entries, entry{p, node, k.rank})
			}
		}
	}
	if src.Default {
		under(prefix.Root, false)
	}
	if len(m.To.Service) > 0 {
		under(prefix.Emergency, false)
	}
	prefixes, exact := c.numbers(&m.To)
	for _, s := range prefixes {
		under(nodeKey(s), false)
	}
	for _, s := range exact {
		under(nodeKey(s), true)
	}
	return entries
}

func nodeKey(s string) uint64 {
	if s == "+" {
		return prefix.Plus
	}
	return prefix.Key(s)
}

// tenantsOf returns the tenants that the rule has postings for. A rule for many
// tenants has one posting for everybody, and a condition that knows its tenants.
func (c *compiler) tenantsOf(m *Match) []uint32 {
	if len(m.Tenant) == 0 || len(m.Tenant) > tenantRuns {
		return c.everybody
	}
	list := make([]uint32, 0, tenantRuns)
	for _, t := range m.Tenant {
		n, ok := c.r.tenants[t]
		if !ok {
			n = uint32(len(c.r.tenants) + 1)
			c.r.tenants[t] = n
			c.tenantNames = append(c.tenantNames, t)
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// numbers returns the prefixes and whole numbers of a condition and of its lists,
// each once.
func (c *compiler) numbers(m *NumberMatch) (prefixes, exact []string) {
	if len(m.List) == 0 {
		return unique(m.Prefix), unique(m.Exact)
	}
	prefixes, exact = slices.Clone(m.Prefix), slices.Clone(m.Exact)
	for _, name := range m.List {
		for _, s := range c.rs.Lists[name] {
			if number, isPrefix := listEntry(s); isPrefix {
				prefixes = append(prefixes, number)
			} else {
				exact = append(exact, number)
			}
		}
	}
	return unique(prefixes), unique(exact)
}

func unique(s []string) []string {
	if len(s) < 2 {
		return s
	}
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

func (c *compiler) kind(k kind) uint32 {
	i, ok := c.kindIndex[k]
	if !ok {
		i = uint32(len(c.r.kinds))
		c.r.kinds = append(c.r.kinds, k)
		c.kindIndex[k] = i
	}
	return i
}

// buildIndex puts the entries into the index and looks for ties in passing.
func (c *compiler) buildIndex(entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(b.rank, a.rank), cmp.Compare(a.rule, b.rule))
	})
	x := &c.r.index
	nodes, listed := countNodes(entries)
	if nodes > maxPostings {
		return callmodel.FieldErrors{{Path: "rules", Message: fmt.Sprintf("the set names %d different callees, at most %d are taken", nodes, maxPostings)}}
	}
	x.Index = prefix.New(nodes)
	x.postings = make([]posting, nodes, nodes+listed)
	ties := newTieFinder(c)
	var list []posting
	for n := range uint32(nodes) {
		key := uint64(n)
		if n >= prefix.FirstNode {
			key = entries[0].node
			x.Set(n, key)
		}
		list = list[:0]
		for len(entries) > 0 && entries[0].node == key {
			list = append(list, entries[0].posting)
			entries = entries[1:]
		}
		ties.node(n, list)
		c.r.putPostings(n, list)
	}
	x.postings, x.groups = slices.Clip(x.postings), slices.Clip(x.groups)
	x.Build()
	return ties.err()
}

// countNodes returns how many nodes the sorted entries need, and how many postings
// stand outside of their node because it has several. Runs of callers may need
// some more.
func countNodes(entries []entry) (nodes, listed int) {
	nodes = prefix.FirstNode
	for start := 0; start < len(entries); {
		end := start + 1
		for end < len(entries) && entries[end].node == entries[start].node {
			end++
		}
		if entries[start].node >= prefix.FirstNode {
			nodes++
		}
		switch n := end - start; {
		case n > ungrouped:
			listed += n + 1 // a header
		case n > 1:
			listed += n
		}
		start = end
	}
	return nodes, listed
}
