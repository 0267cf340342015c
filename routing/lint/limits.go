package lint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// measure is one of the two things that limits bound.
type measure struct {
	unit string
	of   func(*routing.Limits) int // 0: any number
}

func measures() []measure {
	return []measure{
		{"calls at once", func(l *routing.Limits) int { return l.Concurrent }},
		{"calls a second", func(l *routing.Limits) int { return l.CPS }},
	}
}

// callLimits reports limits of tenants, inbound trunks, rules and destinations that are never
// met, as others are met before or no call is theirs.
func (l *linter) callLimits() {
	for _, m := range measures() {
		for i := range l.rs.Rules {
			if r := &l.rs.Rules[i]; !l.dead[i] && r.Limits != nil && m.of(r.Limits) > 0 {
				l.ruleLimit(i, &m)
			}
		}
		l.destinationLimits(&m)
	}
	if l.rs.Limits == nil {
		return
	}
	tenants := func(m *routing.Match) []string {
		list := make([]string, len(m.Tenant))
		for i, t := range m.Tenant {
			list[i] = string(t)
		}
		return list
	}
	l.unreachedLimits("tenant", l.rs.Limits.Tenants, tenants, func(t *routing.Test) string { return string(t.Call.Tenant) })
	l.unreachedLimits("trunk", l.rs.Limits.Trunks, func(m *routing.Match) []string { return m.Trunk }, func(t *routing.Test) string { return t.Call.Trunk })
}

// ruleLimit reports a rule's limit that those of its destinations, its tenants or its trunks
// keep it from.
func (l *linter) ruleLimit(rule int, m *measure) {
	r := &l.rs.Rules[rule]
	limit := m.of(r.Limits)
	below := func(sum int, whose string) {
		if sum > 0 && sum < limit {
			l.aboutRule(UnreachedLimit, rule, "lower it, or raise the others",
				"its limit of %d %s is hardly ever met: %s %d together", limit, m.unit, whose, sum)
		}
	}
	ids := map[string]bool{}
	for _, tier := range r.Route {
		for _, g := range tier.Targets {
			ids[g.To] = true
		}
	}
	below(sum(slices.Collect(maps.Keys(ids)), func(id string) int { return l.limit(id, m.of) }), "its destinations take")
	if c := l.rs.Limits; c != nil {
		tenants := make([]string, len(r.Match.Tenant))
		for i, t := range r.Match.Tenant {
			tenants[i] = string(t)
		}
		below(sum(tenants, func(id string) int { return limitOf(c.Tenants, id, m) }), "its tenants may have")
		below(sum(r.Match.Trunk, func(id string) int { return limitOf(c.Trunks, id, m) }), "its trunks may bring")
	}
}

// limitOf is the limit in a table of a set's limits, 0 for none.
func limitOf(table map[string]routing.Limits, id string, m *measure) int {
	one, ok := table[id]
	if !ok {
		one = table[routing.AnyOther]
	}
	return m.of(&one)
}

// sum adds the limits of all that are named; 0 if there are none, or one has no limit.
func sum(ids []string, of func(string) int) (all int) {
	for _, id := range ids {
		n := of(id)
		if n == 0 {
			return 0
		}
		all += n
	}
	return all
}

// destinationLimits reports destinations whose limit the rules' own keep calls from.
func (l *linter) destinationLimits(m *measure) {
	comes := map[string]int{} // calls that rules send there at most; below 0: any number
	rules, seen := map[string][]string{}, map[string]bool{}
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		if l.dead[i] {
			continue
		}
		most := -1
		if r.Limits != nil && m.of(r.Limits) > 0 {
			most = m.of(r.Limits)
		}
		clear(seen)
		for _, tier := range r.Route {
			for _, g := range tier.Targets {
				if seen[g.To] || l.limit(g.To, m.of) == 0 {
					continue
				}
				seen[g.To] = true
				if most < 0 || comes[g.To] < 0 {
					comes[g.To] = -1
					continue
				}
				comes[g.To] += most
				rules[g.To] = append(rules[g.To], r.ID)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(comes)) {
		limit := l.limit(id, m.of)
		if most := comes[id]; most < 0 || limit <= most {
			continue
		}
		l.add(UnreachedLimit, func() Finding {
			return Finding{
				Path: "destinations." + id, Rules: rules[id][:min(len(rules[id]), maxNamed)], Fix: "raise the limits of the rules, or lower its own",
				Message: fmt.Sprintf("destination %s takes %d %s, and the limits of all rules that use it let %d through", id, limit, m.unit, comes[id]),
			}
		})
	}
}

// unreachedLimits reports limits of tenants or trunks of which no rule takes a call, and
// those that nothing else in the set names while it does name others.
func (l *linter) unreachedLimits(kind string, table map[string]routing.Limits, of func(*routing.Match) []string, tested func(*routing.Test) string) {
	named, others := map[string]bool{}, false // others: some rule takes calls of every one
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		list := of(&r.Match)
		for _, id := range list {
			named[id] = true
		}
		others = others || !l.dead[i] && len(list) == 0
	}
	for i := range l.rs.Tests {
		if id := tested(&l.rs.Tests[i]); id != "" {
			named[id] = true
		}
	}
	if kind == "tenant" {
		for id := range l.rs.TenantNumbers {
			named[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(table)) {
		path := fmt.Sprintf("limits.%ss.%s", kind, id)
		switch {
		case id == routing.AnyOther || named[id] || !callmodel.ValidID(id):
		case !others:
			l.about(UnreachedLimit, path, "put the name right, or leave it out",
				"the limit is never met: every rule is for other %ss, and none takes a call of %s", kind, id)
		case len(named) > 0:
			l.about(UnnamedLimit, path, "", "no rule and no test names the %s %s, and others they do: look whether its name is right", kind, id)
		}
	}
}
