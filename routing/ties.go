package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// ties reports rules of the same prefix that are level in rank and could both
// match a call: which of them won would be luck.
func (c *compiler) ties() error {
	t := tieFinder{c: c, seen: map[[2]uint32]bool{}}
	for n := range c.r.trie.nodes {
		list := c.r.trie.at(uint32(n))
		for len(list) > 1 && len(t.errs) < maxFaults {
			// The list is in rank order: those level with its first are next to it.
			end := 1
			for end < len(list) && c.r.level(&c.r.rules[list[0]], &c.r.rules[list[end]]) == 0 {
				end++
			}
			t.group(list[:end])
			list = list[end:]
		}
	}
	slices.SortStableFunc(t.errs, func(a, b callmodel.FieldError) int { return cmp.Compare(a.Line, b.Line) })
	return t.errs.Err()
}

type tieFinder struct {
	c    *compiler
	seen map[[2]uint32]bool // pairs of written rules that were reported
	errs callmodel.FieldErrors
}

// group looks for ties among rules that are level. Rules of different tenants
// never meet, so each is held against those of its own tenants and those for
// all tenants only: a platform has a default rule a tenant, and every pair of
// tens of thousands is too many.
func (t *tieFinder) group(list []uint32) {
	if len(list) < 2 {
		return
	}
	everybody := make([]uint32, 0, len(list))
	byTenant := map[callmodel.TenantID][]uint32{}
	for _, ri := range list {
		x := &t.c.r.rules[ri]
		for _, other := range everybody {
			t.pair(x, &t.c.r.rules[other])
		}
		if len(x.tenants) == 0 {
			for _, other := range list {
				if other == ri {
					break
				}
				if y := &t.c.r.rules[other]; len(y.tenants) > 0 {
					t.pair(x, y)
				}
			}
			everybody = append(everybody, ri)
			continue
		}
		for _, tenant := range x.tenants {
			for _, other := range byTenant[tenant] {
				t.pair(x, &t.c.r.rules[other])
			}
			byTenant[tenant] = append(byTenant[tenant], ri)
		}
	}
}

func (t *tieFinder) pair(x, y *rule) {
	pair := [2]uint32{min(x.source, y.source), max(x.source, y.source)}
	if len(t.errs) == maxFaults || t.c.disjoint(x, y) || t.seen[pair] {
		return
	}
	t.seen[pair] = true
	path := fmt.Sprintf("rules[%d]", pair[1])
	first, second := &t.c.rs.Rules[pair[0]], &t.c.rs.Rules[pair[1]]
	t.errs = append(t.errs, callmodel.FieldError{
		Path: path, Line: lineOf(t.c.rs.lines, path),
		Message: fmt.Sprintf("rule %s: ties with rule %s (rules[%d]) for calls to %s: give them different priorities, or conditions that exclude each other",
			second.ID, first.ID, pair[0], describePrefix(x)),
	})
}

// disjoint reports whether no call can match both rules, by the conditions
// that show it.
func (c *compiler) disjoint(x, y *rule) bool {
	if x.types != 0 && y.types != 0 && x.types&y.types == 0 || x.dirs != 0 && y.dirs != 0 && x.dirs&y.dirs == 0 {
		return true
	}
	if x.prioMax < y.prioMin || y.prioMax < x.prioMin {
		return true
	}
	if len(x.tenants) > 0 && len(y.tenants) > 0 && !slices.ContainsFunc(x.tenants, func(t callmodel.TenantID) bool { return slices.Contains(y.tenants, t) }) {
		return true
	}
	if x.window >= 0 && y.window >= 0 && x.window != y.window {
		a, b := &c.r.windows[x.window], &c.r.windows[y.window]
		if a.zone.String() == b.zone.String() && !a.week.overlaps(&b.week) {
			return true
		}
	}
	return x.from != nil && y.from != nil && !numbersMeet(x.from, y.from)
}

// numbersMeet reports whether some number satisfies both conditions.
func numbersMeet(x, y *NumberMatch) bool {
	for _, p := range x.Prefix {
		for _, q := range y.Prefix {
			if strings.HasPrefix(p, q) || strings.HasPrefix(q, p) {
				return true
			}
		}
	}
	return slices.ContainsFunc(x.Exact, y.holds) || slices.ContainsFunc(y.Exact, x.holds)
}
