package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing"
)

// emergency reports what may keep an emergency call from help, or change its digits.
func (l *linter) emergency(x *index) {
	way := false
	shield := l.shield(x)
	for i := range l.rs.Rules {
		if r := &l.rs.Rules[i]; !l.dead[i] && l.mayTake(r) {
			way = true
			l.rewriting(i, shield >= 0 && (l.rs.Order != routing.PriorityFirst || l.rs.Rules[shield].Priority >= r.Priority))
		}
	}
	switch {
	case !way:
		l.about(EmergencyRefused, "rules", "add a rule with match.to.service: [emergency], unless emergency calls are configured elsewhere",
			"emergency calls reach no rule: there is neither one for them nor a default rule for their type")
	case !l.hasEmergencyRule(x):
		l.about(NoEmergency, "rules", "add a rule with match.to.service: [emergency], unless emergency calls are configured elsewhere",
			"no rule is for emergency calls: they are routed as all others are")
	}
}

func (l *linter) hasEmergencyRule(x *index) bool {
	for i := range x.emergency {
		if !l.dead[x.emergency[i].rule] {
			return true
		}
	}
	for i := range x.postings {
		p := &x.postings[i]
		if attrs := &x.conds.list[p.cond].attrs; p.cond != 0 && !l.dead[p.rule] && *attrs == x.conds.list[p.cond].emergency {
			return true // it is for calls of the emergency type alone
		}
	}
	return false
}

// mayTake reports whether an emergency call may be one of the rule's.
func (l *linter) mayTake(r *routing.Rule) bool {
	if r.Reject != nil {
		return false
	}
	if len(r.Match.Type) > 0 && !slices.Contains(r.Match.Type, calls.TypeEmergency) {
		return false
	}
	if r.Default || len(r.Match.To.Service) > 0 {
		return true
	}
	return slices.ContainsFunc(r.Match.To.Prefix, beginsEmergency) || slices.ContainsFunc(r.Match.To.Exact, isEmergency) ||
		slices.ContainsFunc(r.Match.To.List, func(name string) bool {
			return slices.ContainsFunc(l.rs.Lists[name], func(entry string) bool {
				if number, prefix := strings.CutSuffix(entry, "*"); prefix {
					return beginsEmergency(number)
				}
				return isEmergency(entry)
			})
		})
}

// beginsEmergency reports whether an emergency number of some region begins with
// the prefix. Those of two and three digits do with nearly every digit.
func beginsEmergency(prefix string) bool {
	if !e164.Digits(prefix) {
		return false
	}
	if len(prefix) < 3 {
		return true
	}
	return isEmergency(prefix[:3]) || isEmergency(prefix)
}

// isEmergency reports whether number is an emergency number of some region.
func isEmergency(number string) bool {
	if !e164.Short(number) {
		return false
	}
	return e164.Emergency("", number) ||
		slices.ContainsFunc(e164.EmergencyRegions(), func(region string) bool { return e164.Listed(region, number) })
}

// sample is a number that is dialled for help everywhere.
const sample = "112"

// rewriting reports destinations of rule i that would change an emergency number:
// one that they are told to rewrite, or one that nobody recognised as such.
// shielded says that another rule takes every emergency call that is recognised.
func (l *linter) rewriting(i int, shielded bool) {
	r := &l.rs.Rules[i]
	isFor := len(r.Match.To.Service) > 0 || slices.Equal(r.Match.Type, []calls.Type{calls.TypeEmergency}) ||
		!r.Default && len(r.Match.To.Prefix) == 0 && len(r.Match.To.List) == 0
	if !isFor && shielded {
		return
	}
	seen := map[string]bool{}
	for j := range r.Route {
		for _, g := range r.Route[j].Targets {
			seen[g.To] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		d := l.rs.Destinations[id]
		sent := rewritten(sample, &d)
		switch {
		case sent == sample:
		case d.Emergency && (!isFor || d.Strip > 0):
			l.aboutRule(EmergencyRewritten, i, "route emergency calls to a destination that rewrites nothing, by a rule with match.to.service: [emergency]",
				"may take emergency calls, and destination %s rewrites their numbers, too: %s is sent as %q", id, sample, sent)
		case !d.Emergency && !isFor:
			l.aboutRule(EmergencyRewritten, i, "add a rule with match.to.service: [emergency] for the numbers that are known, and one for the short codes that are dialled",
				"may take emergency calls, and destination %s rewrites numbers: an emergency number that is not recognised as one is sent like %q for %s",
				id, sent, sample)
		}
	}
}

// shield returns the rule of the highest priority that takes every emergency call, by
// the service class; -1 if there is none.
func (l *linter) shield(x *index) int {
	best := -1
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		if len(r.Match.To.Service) > 0 && !l.dead[i] && x.everyCall(r) && (best < 0 || r.Priority > l.rs.Rules[best].Priority) {
			best = i
		}
	}
	return best
}

// rewritten is the number as the destination's strip, prepend and replace make it.
func rewritten(number string, d *routing.DestinationSpec) string {
	if d.Replace != "" {
		return d.Replace
	}
	if d.StripPlus {
		return number // a number that is dialled for help has none
	}
	return d.Prepend + number[min(d.Strip, len(number)):]
}
