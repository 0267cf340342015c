package routing_test

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// The oracle decides as the package's documentation says, straight from the
// rule set and rule by rule: no index, no compilation, nothing shared with the
// router.

// oracleRank is what a rule that matches is ranked by, for the best of the
// callees and callers it names.
type oracleRank struct {
	service, callee, exact, priority, from int
}

// compare is positive when a ranks before b. An exact number is longer than
// the same digits as a prefix, and counts as part of the callee's length; a
// service class is longer than any.
func (a oracleRank) compare(b oracleRank, o routing.Order) int {
	callee := cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.callee, b.callee), cmp.Compare(a.exact, b.exact))
	priority := cmp.Compare(a.priority, b.priority)
	if o == routing.PriorityFirst {
		return cmp.Or(priority, callee, cmp.Compare(a.from, b.from))
	}
	return cmp.Or(callee, priority, cmp.Compare(a.from, b.from))
}

// longest is the length of the longest condition that holds; an exact number
// is longer than any prefix. A list's entries are written as the others are.
func longest(m *routing.NumberMatch, lists map[string][]string, number string) (length, exact int, holds bool) {
	prefix := func(p string) {
		if strings.HasPrefix(number, p) && (!holds || len(p) > length) {
			length, holds = len(p), true
		}
	}
	whole := slices.Contains(m.Exact, number)
	for _, p := range m.Prefix {
		prefix(p)
	}
	for _, name := range m.List {
		for _, e := range lists[name] {
			if p, isPrefix := strings.CutSuffix(e, "*"); isPrefix {
				prefix(p)
			} else {
				whole = whole || e == number
			}
		}
	}
	if whole {
		return len(number), 1, true
	}
	return length, 0, holds
}

func oracleMatches(rs *routing.RuleSet, r *routing.Rule, q *calls.Request) (rank oracleRank, ok bool) {
	m := &r.Match
	rank.priority = r.Priority
	emergency := q.Emergency || q.Type == calls.TypeEmergency
	switch {
	case r.Default:
	case len(m.To.Service) > 0 && emergency:
		rank.service = 1
	default:
		if rank.callee, rank.exact, ok = longest(&m.To, rs.Lists, q.To); !ok {
			return rank, false
		}
	}
	if !m.From.IsZero() {
		length, exact, ok := longest(&m.From, rs.Lists, q.From)
		if !ok {
			return rank, false
		}
		rank.from = length + 100*exact
	}
	c := m.CallPriority
	offered := func(tag string) bool { return slices.Contains(q.Capabilities, tag) }
	ok = (len(m.Tenant) == 0 || slices.Contains(m.Tenant, q.TenantID)) &&
		(len(m.Type) == 0 || slices.Contains(m.Type, q.Type)) &&
		(len(m.Direction) == 0 || slices.Contains(m.Direction, q.Direction)) &&
		(len(m.Trunk) == 0 || slices.Contains(m.Trunk, q.Trunk)) &&
		(len(m.CapabilitiesAny) == 0 || slices.ContainsFunc(m.CapabilitiesAny, offered)) &&
		!slices.ContainsFunc(m.CapabilitiesAll, func(tag string) bool { return !offered(tag) }) &&
		(c == nil || c.Min <= q.Priority && q.Priority <= c.Max) &&
		(m.When == nil || oracleOpen(m.When, q.At)) &&
		(m.ValidFrom == "" || !q.At.Before(rfc3339(m.ValidFrom))) &&
		(m.ValidUntil == "" || q.At.Before(rfc3339(m.ValidUntil))) &&
		oracleMetadata(m, q.Metadata) &&
		oracleUsers(m, q) &&
		(m.Expr == "" || predicatesKnown()[m.Expr](q))
	return rank, ok
}

func oracleMetadata(m *routing.Match, have map[string]string) bool {
	for key, values := range m.Metadata {
		if v, ok := have[key]; !ok || !slices.Contains(values, v) {
			return false
		}
	}
	has := func(key string) bool { _, ok := have[key]; return ok }
	return !slices.ContainsFunc(m.MetadataPresent, func(k string) bool { return !has(k) }) && !slices.ContainsFunc(m.MetadataAbsent, has)
}

func rfc3339(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// oracleOpen reads the windows as they are written, for every instant anew.
func oracleOpen(w *calendar.Windows, at time.Time) bool {
	t := at.In(oracleZone(w.TimeZone))
	on := func(s string) bool { return oracleDated(s, t) }
	open := slices.ContainsFunc(w.Weekly, func(s string) bool { return oracleWeekly(s, t) }) ||
		slices.ContainsFunc(w.RRule, func(r calendar.Recurrence) bool { return oracleRecurs(r, t) })
	return open && !slices.ContainsFunc(w.Except, on) || slices.ContainsFunc(w.Also, on)
}

// zonesLoaded keeps what is read from the machine's files.
var zonesLoaded sync.Map

func oracleZone(name string) *time.Location {
	if loc, ok := zonesLoaded.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	zonesLoaded.Store(name, loc)
	return loc
}

// oracleWeekly reports whether "mon-fri 08:00-18:00" holds at t: some day of
// the list began its span at most a day ago.
func oracleWeekly(weekly string, t time.Time) bool {
	days, span, _ := strings.Cut(weekly, " ")
	return oracleSpan(span, t, func(day time.Time) bool { return oracleDay(days, day.Weekday()) })
}

// oracleDated does for "2026-12-24" and "2026-12-25..2026-12-26 12:00-24:00".
func oracleDated(s string, t time.Time) bool {
	days, span, timed := strings.Cut(s, " ")
	from, to, isRange := strings.Cut(days, "..")
	if !isRange {
		to = from
	}
	if !timed {
		span = "00:00-24:00"
	}
	return oracleSpan(span, t, func(day time.Time) bool {
		date := day.Format("2006-01-02")
		return from <= date && date <= to
	})
}

// oracleSpan reports whether the wall clock is in a span that began on a day
// that is asked for: today, or yesterday if the span goes past midnight.
func oracleSpan(span string, t time.Time, asked func(day time.Time) bool) bool {
	from, to, _ := strings.Cut(span, "-")
	clock := t.Format("15:04")
	today := time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
	if from < to {
		return clock >= from && clock < to && asked(today)
	}
	return clock >= from && asked(today) || clock < to && asked(today.AddDate(0, 0, -1))
}

func oracleDay(days string, day time.Weekday) bool {
	const week = "sun mon tue wed thu fri sat"
	for part := range strings.SplitSeq(days, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, last := strings.Index(week, from)/4, strings.Index(week, to)/4
		if ((int(day)-first)+7)%7 <= ((last-first)+7)%7 {
			return true
		}
	}
	return false
}

// oracleRecurs asks the library whether one began less than its duration ago.
func oracleRecurs(r calendar.Recurrence, t time.Time) bool {
	start, err := time.ParseInLocation("2006-01-02 15:04", r.Start, t.Location())
	if err != nil {
		panic(err)
	}
	option, err := rrule.StrToROptionInLocation(r.Rule, t.Location())
	if err != nil {
		panic(err)
	}
	option.Dtstart = start
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		panic(err)
	}
	lasts, err := time.ParseDuration(r.Duration)
	if err != nil {
		panic(err)
	}
	return slices.ContainsFunc(rule.Between(t.Add(-lasts-time.Hour), t.Add(time.Hour), true), func(start time.Time) bool {
		since := t.Sub(firstOfTwo(start))
		return since >= 0 && since < lasts
	})
}

// firstOfTwo returns the first instant at which the wall clock shows what it shows
// at t: where clocks repeat a time, [time.Date] does not say which it gives.
func firstOfTwo(t time.Time) time.Time {
	for _, repeated := range []time.Duration{time.Hour, 30 * time.Minute} {
		if before := t.Add(-repeated); before.Format("02 15:04") == t.Format("02 15:04") {
			return before
		}
	}
	return t
}

// predicatesKnown is the expressions that are drawn, and what they mean.
func predicatesKnown() map[string]func(*calls.Request) bool {
	return map[string]func(*calls.Request) bool{
		`priority > 4 and type != "fax"`: func(q *calls.Request) bool { return q.Priority > 4 && q.Type != "fax" },
		`metadata["plan"] in ["gold", "silver"]`: func(q *calls.Request) bool {
			return q.Metadata["plan"] == "gold" || q.Metadata["plan"] == "silver"
		},
		`from startsWith "+1" or "opus" in capabilities`: func(q *calls.Request) bool {
			return strings.HasPrefix(q.From, "+1") || slices.Contains(q.Capabilities, "opus")
		},
		`10 % priority == 1`:         func(q *calls.Request) bool { return q.Priority != 0 && 10%q.Priority == 1 },
		`emergency || trunk == "t1"`: func(q *calls.Request) bool { return q.Emergency || q.Type == "emergency" || q.Trunk == "t1" },
		`to matches "^[+]1.*0$"`: func(q *calls.Request) bool {
			return strings.HasPrefix(q.To, "+1") && strings.HasSuffix(q.To, "0")
		},
	}
}
