package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// tenantNumbers reports numbers of tenants that lie within another's, and those to which
// inbound calls reach no rule of the set.
func (l *linter) tenantNumbers(x *index) {
	if len(l.rs.TenantNumbers) == 0 {
		return
	}
	owner := map[string]string{} // by the prefix
	for t, list := range l.rs.TenantNumbers {
		for _, s := range list {
			if prefix, is := strings.CutSuffix(s, "*"); is {
				owner[prefix] = t
			}
		}
	}
	anybody := l.anybodysInbound()
	for _, t := range slices.Sorted(maps.Keys(l.rs.TenantNumbers)) {
		lost, n := "", 0
		for i, s := range l.rs.TenantNumbers[t] {
			prefix, isPrefix := strings.CutSuffix(s, "*")
			for k := len(prefix); k > 0; k-- {
				other := owner[prefix[:k]]
				if other == "" || isPrefix && k == len(prefix) {
					continue
				}
				if other != t {
					l.about(TenantNumber, fmt.Sprintf("tenant_numbers.%s[%d]", t, i), "", "%s is tenant %s's, within %s* of tenant %s: the longer one holds", s, t, prefix[:k], other)
				}
				break
			}
			if !anybody[""] && !anybody[t] && !l.inbound(x, t, prefix, isPrefix) {
				if n++; n == 1 {
					lost = s
				}
			}
		}
		if n == 0 {
			continue
		}
		if n > 1 {
			lost += fmt.Sprintf(" and %d more", n-1)
		}
		l.about(TenantNumber, "tenant_numbers."+t, "",
			"inbound calls to %s are tenant %s's, and no rule of this set takes them: the tenant needs rules of its own", lost, t)
	}
}

// anybodysInbound is the tenants that have a rule for every callee that takes inbound calls;
// "" stands for a rule of all tenants.
func (l *linter) anybodysInbound() map[string]bool {
	of := map[string]bool{}
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		if l.dead[i] || !r.Default || len(r.Match.Direction) > 0 && !slices.Contains(r.Match.Direction, calls.Inbound) {
			continue
		}
		if len(r.Match.Tenant) == 0 {
			of[""] = true
		}
		for _, t := range r.Match.Tenant {
			of[string(t)] = true
		}
	}
	return of
}

// inbound reports whether some rule takes an inbound call of the tenant to the number, or to
// one that begins with it.
func (l *linter) inbound(x *index, tenant, number string, isPrefix bool) bool {
	takes := func(callee int, exactToo bool) bool {
		for _, p := range x.of(callee) {
			m := &l.rs.Rules[p.rule].Match
			if !l.dead[p.rule] && (exactToo || !p.exact) &&
				(len(m.Tenant) == 0 || slices.Contains(m.Tenant, callmodel.TenantID(tenant))) &&
				(len(m.Direction) == 0 || slices.Contains(m.Direction, calls.Inbound)) {
				return true
			}
		}
		return false
	}
	c := code(number)
	length := codeLength(c)
	for n := length; n > 0; n-- {
		if callee, ok := x.find(c &^ (1<<(64-4*n) - 1)); ok && takes(callee, n == length) {
			return true
		}
	}
	if !isPrefix {
		return false
	}
	at, _ := x.find(c)
	for ; at < len(x.codes) && begins(x.codes[at], c, length); at++ {
		if takes(at, true) {
			return true
		}
	}
	return false
}

// testedRules reports tests that expect what the set doesn't have, or has switched off.
func (l *linter) testedRules() {
	if len(l.rs.Tests) == 0 {
		return
	}
	rules := make(map[string]bool, len(l.rs.Rules)) // by id: whether it takes calls
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		rules[r.ID] = r.Enabled == nil || *r.Enabled
	}
	for i := range l.rs.Tests {
		x, path := &l.rs.Tests[i].Expect, fmt.Sprintf("tests[%d]", i)
		name := l.rs.Tests[i].Name
		switch on, known := rules[x.Rule]; {
		case x.Rule == "":
		case !known:
			l.about(TestOfNothing, path, "put its id right, or leave the test out", "test %q expects rule %s, and there is none", name, x.Rule)
		case !on:
			l.about(TestOfNothing, path, "enable the rule, or leave the test out", "test %q expects rule %s, which is not enabled", name, x.Rule)
		}
		for _, id := range append([]string{x.First}, x.Destinations...) {
			if _, known := l.rs.Destinations[id]; id != "" && !known {
				l.about(TestOfNothing, path, "put its id right, or leave the test out", "test %q expects destination %s, and there is none", name, id)
				break
			}
		}
	}
}
