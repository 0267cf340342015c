package lint

import (
	"fmt"
	"reflect"
	"strings"
)

// report reports a rule that no call reaches, and who takes its calls.
func (r *reacher) report(rule int32) {
	by := r.by[rule]
	me := &r.rs.Rules[rule]
	if len(by) == 1 {
		other := &r.rs.Rules[by[0]]
		where := ruleAt(r.l, by[0])
		switch {
		case !reflect.DeepEqual(me.Match, other.Match) || me.Default != other.Default:
			r.l.aboutRule(Shadowed, int(rule), "remove it, or give it a higher priority or a longer prefix",
				"no call reaches the rule: %s ranks before it and takes every call that it could match", where)
		case reflect.DeepEqual(me.Route, other.Route) && reflect.DeepEqual(me.Failover, other.Failover):
			r.l.aboutRule(Duplicate, int(rule), "remove one of the two", "says the same as %s, with the same route, and ranks behind it", where)
		default:
			r.l.aboutRule(Duplicate, int(rule), "remove one of the two, or give them conditions that tell their calls apart",
				"has the same conditions as %s, another route, and ranks behind it: its route is never used", where)
		}
		r.l.relate(int(rule), other.ID)
		return
	}
	if len(by) == 0 { // nobody takes them: there are none
		r.l.aboutRule(NeverOpen, int(rule), "take out what no emergency call meets",
			"no call reaches the rule: it is for emergency calls, and its other conditions hold for none of them")
		return
	}
	names, ids := make([]string, 0, maxNamed), make([]string, 0, maxNamed)
	for _, b := range by[:min(len(by), maxNamed)] {
		names, ids = append(names, ruleAt(r.l, b)), append(ids, r.rs.Rules[b].ID)
	}
	more := ""
	if len(by) > maxNamed {
		more = " and others"
	}
	r.l.aboutRule(Unreachable, int(rule), "remove it, or give it a higher priority",
		"no call reaches the rule: together %s%s take every call that it could match", strings.Join(names, ", "), more)
	r.l.relate(int(rule), ids...)
}

// relate adds the other rules to the last finding, if that is about rule i.
func (l *linter) relate(i int, ids ...string) {
	if n := len(l.report.Findings); n > 0 && l.report.Findings[n-1].Path == rulePath(i) {
		l.report.Findings[n-1].Rules = ids
	}
}

func ruleAt(l *linter, i int32) string {
	id := l.rs.Rules[i].ID
	if line := l.rs.Line(rulePath(int(i))); line > 0 {
		return fmt.Sprintf("rule %s (line %d)", id, line)
	}
	return "rule " + id
}
