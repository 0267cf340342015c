package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/calendar"
)

// neverOpen reports rules whose own conditions no call can meet any more.
func (l *linter) neverOpen(x *index) {
	conds := make([]string, len(x.conds.list)) // why each can't be met
	for i := range x.conds.list {
		conds[i] = x.conds.list[i].never(x.at)
	}
	for i := range l.rs.Rules {
		if l.dead[i] {
			continue // it is not enabled
		}
		if why := conds[x.conds.of(&l.rs.Rules[i])]; why != "" {
			l.dead[i] = true
			l.aboutRule(NeverOpen, i, "remove it, or give it times that come", "no call reaches the rule: %s", why)
		}
	}
}

// never says why no call from the time at on can meet the condition, "" if one
// can.
func (c *cond) never(at int64) string {
	b := c.calls(false, at)
	switch {
	case c.until <= at && at != always:
		return "its validity ended before the time that is asked for"
	case b.from >= b.until:
		return "its validity has no time in it"
	case c.when != nil && !c.when.OpensWithin(instantOf(b.from), endOf(b.until)):
		return "its times are all over, or taken away by its exceptions or its validity"
	}
	needed := 0
	for i := range c.terms {
		v := &c.terms[i].values
		if v.empty() {
			return fmt.Sprintf("its conditions on %s contradict each other", strings.TrimPrefix(c.terms[i].key, "."))
		}
		if _, absent := slices.BinarySearch(v.list, ""); strings.HasPrefix(c.terms[i].key, ".") && absent == v.but {
			needed++
		}
	}
	if needed > calls.MaxMetadata {
		return fmt.Sprintf("it asks for %d keys of metadata, and a call has at most %d", needed, calls.MaxMetadata)
	}
	return ""
}

// instantOf returns the instant of a number of Unix nanoseconds. always is long ago.
func instantOf(nanos int64) time.Time {
	if nanos == always {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// endOf is instantOf of an end; never is the zero time.
func endOf(nanos int64) time.Time {
	if nanos == never {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// timeGaps reports callees whose rules leave minutes of the week to nobody.
func (l *linter) timeGaps(x *index) {
	g := gaps{index: x, l: l, timed: make([]bool, len(x.conds.list))}
	some := false
	for i := range x.conds.list {
		g.timed[i] = x.conds.list[i].when != nil
		some = some || g.timed[i]
	}
	if !some {
		return
	}
	if root, ok := x.find(0); ok {
		for _, p := range x.of(root) {
			if p.tenants == 0 && !g.timed[p.cond] && !l.dead[p.rule] {
				return // there is always a rule left
			}
		}
	}
	for callee := range x.codes {
		g.callee(callee)
	}
}

type gaps struct {
	*index

	l     *linter
	timed []bool
}

func (g *gaps) callee(callee int) {
	list := g.of(callee)
	if !slices.ContainsFunc(list, func(p posting) bool { return g.timed[p.cond] }) {
		return
	}
	done := map[[2]uint32]bool{}
	for i := range list {
		p := &list[i]
		if !g.timed[p.cond] || g.l.dead[p.rule] {
			continue
		}
		kind := uint32(0)
		if p.exact {
			kind = 1
		}
		tenants := g.tenants[p.tenants]
		if p.tenants == 0 {
			tenants = []uint32{0}
		}
		for _, t := range tenants {
			if group := [2]uint32{t, kind}; !done[group] {
				done[group] = true
				g.group(callee, p, t)
			}
		}
	}
}

// group looks at the calls of a tenant, 0 for one that no rule names, to the
// callee of p.
func (g *gaps) group(callee int, p *posting, tenant uint32) {
	var open calendar.WeekMinutes
	zone := ""
	// covers adds the times of a callee's rules; false if they leave no gap, or
	// it can't be said. Every other condition of them is taken to hold.
	covers := func(at int) bool {
		for _, q := range g.of(at) {
			if q.exact && (at != callee || !p.exact) || g.l.dead[q.rule] || !g.isFor(&q, tenant) {
				continue
			}
			c := &g.conds.list[q.cond]
			if c.when == nil || len(c.when.RRule) > 0 {
				return false
			}
			if zone = cmp.Or(zone, c.when.TimeZone); zone != c.when.TimeZone {
				return false
			}
			for i := range open {
				open[i] |= c.week[i]
			}
		}
		return true
	}
	for at := callee; at >= 0; at = int(g.parents[at]) {
		if !covers(at) {
			return
		}
	}
	closed := minutesOfWeek - openMinutes(&open)
	if closed == 0 || !p.exact && g.filled(callee) {
		return
	}
	who := "calls"
	if tenant != 0 {
		who = "calls of tenant " + string(g.names[tenant])
	}
	g.l.aboutRule(TimeGap, int(p.rule), "add a rule without times for the rest, at a lower priority",
		"%s to %s reach no rule for %d of the week's %d minutes: %s (%s)", who, g.text(callee, p.exact), closed, minutesOfWeek, spansText(&open), zone)
}

func (g *gaps) isFor(q *posting, tenant uint32) bool {
	if q.tenants == 0 {
		return true
	}
	_, ok := slices.BinarySearch(g.tenants[q.tenants], tenant)
	return ok && tenant != 0
}

// filled reports whether longer callees may leave the callee no calls of its own.
func (x *index) filled(callee int) bool {
	c := x.codes[callee]
	length := codeLength(c)
	if length == 0 || starred(c) || !longer(c, length) {
		return false
	}
	for s := uint64(1); s <= 10; s++ {
		if length == 1 && c>>60 == plusSymbol && s == 1 {
			continue
		}
		if !x.anyBelow(c|s<<(60-4*length), length+1) {
			return false
		}
	}
	return true
}

// anyBelow reports whether a callee begins with the code.
func (x *index) anyBelow(c uint64, length int) bool {
	at, _ := x.find(c)
	return at < len(x.codes) && begins(x.codes[at], c, length)
}

func (x *index) text(callee int, exact bool) string {
	switch s := codeText(x.codes[callee]); {
	case s == "":
		return "any number"
	case exact:
		return s
	default:
		return s + "…"
	}
}

// maxSpans bounds how many spans are written out.
const maxSpans = 14

// spansText lists the minutes that are not open: "mon 00:00-08:00".
func spansText(open *calendar.WeekMinutes) string {
	closed := func(m int) bool { return open[m/64]>>(m%64)&1 == 0 }
	var list []string
	for m := 0; m < minutesOfWeek; {
		if !closed(m) {
			m++
			continue
		}
		end := m
		for end < minutesOfWeek && closed(end) {
			end++
		}
		list = append(list, minuteText(m)+" to "+minuteText(end))
		m = end
	}
	if len(list) > maxSpans {
		return strings.Join(list[:maxSpans], ", ") + fmt.Sprintf(" and %d more spans", len(list)-maxSpans)
	}
	return strings.Join(list, ", ")
}

func minuteText(m int) string {
	if m == minutesOfWeek {
		return "sun 24:00"
	}
	day := [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}[m/(24*60)]
	return fmt.Sprintf("%s %02d:%02d", day, m/60%24, m%60)
}
