package lint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// tiers reports tiers that no call comes to, since the failover ends it before.
func (l *linter) tiers() {
	none := map[*calls.Failover]string{} // why no cause leads to the next destination
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		f := cmp.Or(r.Failover, l.rs.Failover)
		if l.dead[i] || f == nil || len(r.Route) == 0 {
			continue
		}
		why, known := none[f]
		if !known {
			why = leadsNowhere(f)
			none[f] = why
		}
		targets := 0
		for j := range r.Route {
			if more := len(r.Route) - j - 1; more == 0 {
				break
			}
			targets += len(r.Route[j].Targets)
			switch {
			case why != "":
				l.aboutRule(TierUnreached, i, "take a cause out of failover.final, or leave the tier out",
					"tier %d is not tried when the destinations before it fail: %s", j+2, why)
			case f.MaxAttempts > 0 && targets >= f.MaxAttempts:
				l.aboutRule(TierUnreached, i, "raise failover.max_attempts, or leave the tier out",
					"tier %d is not tried when the destinations before it fail: they are %d, and max_attempts is %d", j+2, targets, f.MaxAttempts)
			default:
				continue
			}
			break // those behind it aren't, either
		}
	}
}

// leadsNowhere says why the policy ends every call at its first destination, "" if some
// cause leads to the next. Telephone servers report causes as SIP's status codes,
// those of ISDN as Q.850's.
func leadsNowhere(f *calls.Failover) string {
	sip, q850 := false, false
	for status := 300; status < 700; status++ {
		sip = sip || f.Retryable(calls.Cause{SIP: status})
	}
	for value := 1; value < 128; value++ {
		q850 = q850 || f.Retryable(calls.Cause{Q850: value})
	}
	switch {
	case sip:
		return ""
	case q850:
		return "failover.final names every status of SIP after which another would be; only causes of Q.850 lead on"
	default:
		return "failover.final names every cause after which another would be"
	}
}

// empties reports texts that are written, empty, and so do nothing. An empty prepend is
// meant to take the number's plus away, and doesn't.
func (l *linter) empties() {
	for _, id := range slices.Sorted(maps.Keys(l.rs.Destinations)) {
		d := l.rs.Destinations[id]
		empty := map[string]bool{"prepend": d.Prepend == "", "replace": d.Replace == ""}
		if d.Caller != nil {
			empty["caller.prepend"] = d.Caller.Prepend == ""
		}
		for _, field := range slices.Sorted(maps.Keys(empty)) {
			path := fmt.Sprintf("destinations.%s.%s", id, field)
			if empty[field] && l.rs.Written(path) {
				l.about(NoEffect, path, "leave it out; strip_plus: true takes the plus away",
					"destination %s has an empty %s, which does nothing: a number that is not rewritten keeps its plus", id, field)
			}
		}
	}
}

// twoZones reports callees for which rules of one tenant have times in several zones:
// in a part of the year, or of every day, their times don't join.
func (l *linter) twoZones(x *index) {
	type group struct {
		tenant uint32
		exact  bool
	}
	told := map[[2]int32]bool{}
	for callee := range x.codes {
		list := x.of(callee)
		if len(list) < 2 {
			continue
		}
		first := map[group]int32{}
		for i := range list {
			p := &list[i]
			when := x.conds.list[p.cond].when
			if when == nil || l.dead[p.rule] {
				continue
			}
			tenants := x.tenants[p.tenants]
			if len(tenants) == 0 {
				tenants = []uint32{0}
			}
			for _, t := range tenants {
				g := group{t, p.exact}
				other, seen := first[g]
				if !seen {
					first[g] = p.rule
					continue
				}
				zone := l.rs.Windows(l.rs.Rules[other].Match.When).TimeZone
				pair := [2]int32{min(other, p.rule), max(other, p.rule)}
				if zone == when.TimeZone || told[pair] {
					continue
				}
				told[pair] = true
				l.aboutRule(TwoZones, int(p.rule), "give both the zone in which the hours are meant",
					"its times are of %s, and those of %s for the same callee %s of %s: they don't join or exclude each other as the hours say",
					when.TimeZone, ruleAt(l, other), x.text(callee, p.exact), zone)
				l.relate(int(p.rule), l.rs.Rules[other].ID)
			}
		}
	}
}

// shadowedByService reports conditions that no call meets since a rule takes every
// emergency call, whatever its number: the service class of a rule that has numbers,
// too, and the type emergency beside others.
func (l *linter) shadowedByService(x *index) {
	shield := l.shield(x)
	if shield < 0 {
		return
	}
	by := &l.rs.Rules[shield]
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		first := by.Priority >= r.Priority // it is before r at the same callee, or else anywhere
		if i == shield || l.dead[i] || r.Match.User != nil || r.Match.Callee != nil {
			continue
		}
		var condition string
		switch beside := len(r.Match.To.Prefix)+len(r.Match.To.Exact)+len(r.Match.To.List) > 0; {
		case len(r.Match.To.Service) > 0 && beside && first:
			condition = "to.service: [emergency]"
		case len(r.Match.To.Service) == 0 && len(r.Match.Type) > 1 && slices.Contains(r.Match.Type, calls.TypeEmergency) &&
			(first || l.rs.Order != routing.PriorityFirst):
			condition = "type: [emergency]"
		default:
			continue
		}
		l.aboutRule(ShadowedCondition, i, "take the condition out, or rank the rule before that one",
			"no call meets its condition %s: %s takes every emergency call before it", condition, ruleAt(l, int32(shield)))
		l.relate(i, by.ID)
	}
}
