package routing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
)

// maxPairs bounds how many pairs of rules of equal rank are compared. More are an
// error. Small groups don't count: they have few pairs a rule.
const maxPairs = 20_000_000

// tieFinder reports rules for the same callee that are equal in rank and can match
// the same call. Which of them wins would be luck.
type tieFinder struct {
	c     *compiler
	seen  map[[2]uint32]bool // pairs of written rules that were reported
	errs  callmodel.FieldErrors
	pairs int
	at    uint32 // the current node
}

func newTieFinder(c *compiler) *tieFinder { return &tieFinder{c: c, seen: map[[2]uint32]bool{}} }

func (t *tieFinder) err() error {
	slices.SortStableFunc(t.errs, func(a, b callmodel.FieldError) int { return cmp.Compare(a.Line, b.Line) })
	return t.errs.Err()
}

// node compares the postings of a node. They are in rank order, so those of equal
// rank stand next to each other.
func (t *tieFinder) node(node uint32, list []posting) {
	t.at = node
	kinds := t.c.r.kinds
	for len(list) > 1 && len(t.errs) < maxFaults && t.pairs <= maxPairs {
		end := 1
		for end < len(list) && kinds[list[0].kind].rank == kinds[list[end].kind].rank {
			end++
		}
		if end > 1 {
			t.group(list[:end])
		}
		list = list[end:]
	}
}

// who is a tenant and a caller. 0 stands for everybody, and for too many callers to
// compare one by one.
type who struct {
	tenant uint32
	caller uint64
}

// group looks for ties among postings of equal rank. Postings of different tenants
// or of different callers never match the same call, so each is compared only with
// those of its own tenant and caller and with those for everybody. A platform has a
// default rule for each tenant, and comparing every pair of tens of thousands takes
// too long.
func (t *tieFinder) group(list []posting) {
	if before := t.pairs; len(list) <= ungrouped {
		for i := range list {
			for j := range i {
				t.pair(&list[i], &list[j])
			}
		}
		t.pairs = before
		return
	}
	// A posting is filed under its own tenant and caller and under the wider groups
	// of both, so that a wide posting finds the narrow ones.
	filed := map[who][]uint32{}
	for i := range list {
		p := &list[i]
		for _, caller := range t.callers(p) {
			self := who{p.tenant(), caller}
			for _, w := range meets(self) {
				for _, other := range filed[w] {
					t.pair(p, &list[other])
				}
			}
			for _, w := range files(self) {
				filed[w] = append(filed[w], uint32(i))
			}
		}
		if t.pairs > maxPairs {
			t.tooMany(p)
			return
		}
	}
}

// callers returns the callers of the posting, or one 0 if they are many.
func (t *tieFinder) callers(p *posting) []uint64 {
	from := t.c.r.kinds[p.kind].from
	if from == 0 || len(t.c.r.callers[from-1].slots) > callerRuns {
		return []uint64{0}
	}
	return t.c.r.callers[from-1].slots
}

// Files are kept for exactly one tenant and caller, and for the wider groups: of
// one tenant with any caller, of one caller with any tenant, and of all.
const (
	anyTenant = ^uint32(0)
	anyCaller = ^uint64(0)
)

// meets lists the files that hold every posting that may match a call of w, each
// posting in one of them.
func meets(w who) []who {
	switch {
	case w.tenant == 0 && w.caller == 0:
		return []who{{anyTenant, anyCaller}}
	case w.tenant == 0:
		return []who{{anyTenant, w.caller}, {anyTenant, 0}}
	case w.caller == 0:
		return []who{{w.tenant, anyCaller}, {0, anyCaller}}
	}
	return []who{{w.tenant, w.caller}, {w.tenant, 0}, {0, w.caller}, {0, 0}}
}

// files lists the files in which w is put.
func files(w who) []who {
	return []who{w, {anyTenant, w.caller}, {w.tenant, anyCaller}, {anyTenant, anyCaller}}
}

func (t *tieFinder) pair(x, y *posting) {
	if x.rule == y.rule {
		return
	}
	t.pairs++
	pair := [2]uint32{min(x.rule, y.rule), max(x.rule, y.rule)}
	if len(t.errs) >= maxFaults || t.seen[pair] || t.c.disjoint(x, y) {
		return
	}
	t.seen[pair] = true
	t.fault(pair[1], fmt.Sprintf("rule %s: ties with rule %s (rules[%d]) for calls to %s: give them different priorities, or "+
		"conditions that exclude each other",
		t.c.r.id(pair[1]), t.c.r.id(pair[0]), t.c.number(pair[0]), t.c.r.describeCallee(t.at, t.c.r.kinds[x.kind].exact)))
}

func (t *tieFinder) tooMany(p *posting) {
	t.fault(p.rule, fmt.Sprintf("rule %s: too many rules for calls to %s are level to see whether they exclude each other: give them "+
		"different priorities, or longer prefixes",
		t.c.r.id(p.rule), t.c.r.describeCallee(t.at, t.c.r.kinds[p.kind].exact)))
}

func (t *tieFinder) fault(rule uint32, message string) {
	path := fmt.Sprintf("rules[%d]", t.c.number(rule))
	t.errs = append(t.errs, callmodel.FieldError{Path: path, Line: t.c.rs.Line(path), Message: message})
}

// number returns the index of the rule in the set, by the place of its id.
func (c *compiler) number(rule uint32) int {
	i, _ := slices.BinarySearch(c.v.ids.places, rule)
	return i
}

// disjoint reports whether no call can match both postings, which are of equal rank.
// Conditions that can't show this are taken to overlap.
func (c *compiler) disjoint(p, q *posting) bool {
	x, y := &c.r.kinds[p.kind], &c.r.kinds[q.kind]
	switch {
	case p.tenant() != 0 && q.tenant() != 0 && p.tenant() != q.tenant():
		return true
	case x.types != 0 && y.types != 0 && x.types&y.types == 0, x.dirs != 0 && y.dirs != 0 && x.dirs&y.dirs == 0:
		return true
	case x.prioMax < y.prioMin || y.prioMax < x.prioMin:
		return true
	case x.from != 0 && y.from != 0 && x.from != y.from:
		// Both sets hold numbers of one length, since the ranks are equal.
		if !c.r.callers[x.from-1].meets(&c.r.callers[y.from-1].numberSet) {
			return true
		}
	}
	if c.excludes(x, y, q) || c.excludes(y, x, p) {
		return true
	}
	if c.otherTenants(x, q) || c.otherTenants(y, p) {
		return true
	}
	return x.extra != 0 && y.extra != 0 && x.extra != y.extra && c.disjointExtras(&c.r.extras[x.extra-1], &c.r.extras[y.extra-1])
}

// otherTenants reports whether x is for many tenants and p for none of them.
func (c *compiler) otherTenants(x *kind, p *posting) bool {
	if x.extra == 0 || p.tenant() == 0 {
		return false
	}
	many := c.r.extras[x.extra-1].tenants
	return many != nil && !many[c.tenantNames[p.tenant()]]
}

func (c *compiler) disjointExtras(x, y *extra) bool {
	if x.until <= y.from || y.until <= x.from {
		return true
	}
	if x.window != nil && y.window != nil && x.window != y.window && !x.window.Overlaps(y.window) {
		return true
	}
	if len(x.trunks) > 0 && len(y.trunks) > 0 && !intersect(x.trunks, y.trunks) {
		return true
	}
	if x.tenants != nil && y.tenants != nil && !mapsMeet(x.tenants, y.tenants) {
		return true
	}
	if x.user.excludes(y.user) || x.callee.excludes(y.callee) {
		return true
	}
	for i := range x.metadata {
		for j := range y.metadata {
			if x.metadata[i].excludes(&y.metadata[j]) {
				return true
			}
		}
	}
	return false
}

func (t *metadataTerm) excludes(o *metadataTerm) bool {
	return t.key == o.key && (t.absent != o.absent || t.values != nil && o.values != nil && !intersect(t.values, o.values))
}

// intersect reports whether two sorted lists have a common value.
func intersect(x, y []string) bool {
	for len(x) > 0 && len(y) > 0 {
		switch c := cmp.Compare(x[0], y[0]); {
		case c == 0:
			return true
		case c < 0:
			x = x[1:]
		default:
			y = y[1:]
		}
	}
	return false
}

func mapsMeet(x, y map[callmodel.TenantID]bool) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	for k := range x {
		if y[k] {
			return true
		}
	}
	return false
}
