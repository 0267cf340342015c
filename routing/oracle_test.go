package routing_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// The oracle decides as the package's documentation says, straight from the
// rule set and rule by rule: no trie, no compilation, nothing shared with the
// router.

// oracleRank is what a rule that matches is ranked by, for the best of the
// callees and callers it names.
type oracleRank struct {
	callee, exact, priority, from int
}

// compare is positive when a ranks before b. An exact number is longer than
// the same digits as a prefix, and counts as part of the callee's length.
func (a oracleRank) compare(b oracleRank, o routing.Order) int {
	callee := cmp.Or(cmp.Compare(a.callee, b.callee), cmp.Compare(a.exact, b.exact))
	priority := cmp.Compare(a.priority, b.priority)
	if o == routing.PriorityFirst {
		return cmp.Or(priority, callee, cmp.Compare(a.from, b.from))
	}
	return cmp.Or(callee, priority, cmp.Compare(a.from, b.from))
}

// longest is the length of the longest condition that holds; an exact number
// is longer than any prefix.
func longest(m routing.NumberMatch, number string) (length, exact int, holds bool) {
	for _, p := range m.Prefix {
		if strings.HasPrefix(number, p) && (!holds || len(p) > length) {
			length, holds = len(p), true
		}
	}
	if slices.Contains(m.Exact, number) {
		return len(number), 1, true
	}
	return length, 0, holds
}

func oracleMatches(r *routing.Rule, q *callmodel.CallRequest) (rank oracleRank, ok bool) {
	m := &r.Match
	rank.priority = r.Priority
	if !r.Default {
		if rank.callee, rank.exact, ok = longest(m.To, q.To); !ok {
			return rank, false
		}
	}
	if !m.From.IsZero() {
		length, exact, ok := longest(m.From, q.From)
		if !ok {
			return rank, false
		}
		rank.from = length + 100*exact
	}
	c := m.CallPriority
	ok = (len(m.Tenant) == 0 || slices.Contains(m.Tenant, q.TenantID)) &&
		(len(m.Type) == 0 || slices.Contains(m.Type, q.Type)) &&
		(len(m.Direction) == 0 || slices.Contains(m.Direction, q.Direction)) &&
		(c == nil || c.Min <= q.Priority && q.Priority <= c.Max) &&
		(m.When == nil || slices.ContainsFunc(m.When.Weekly, func(w string) bool { return oracleOpen(w, m.When.TimeZone, q.At) }))
	return rank, ok
}

// oracleOpen reports whether "mon-fri 08:00-18:00" holds at t: some day of the
// list began its span at most a day ago.
func oracleOpen(weekly, zone string, t time.Time) bool {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return false
	}
	t = t.In(loc)
	days, span, _ := strings.Cut(weekly, " ")
	from, to, _ := strings.Cut(span, "-")
	clock := t.Format("15:04")
	if from < to {
		return clock >= from && clock < to && oracleDay(days, t.Weekday())
	}
	return clock >= from && oracleDay(days, t.Weekday()) || clock < to && oracleDay(days, (t.Weekday()+6)%7)
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

// oracle is the winner, "" for none, and who is level with it.
func oracle(rs *routing.RuleSet, q *callmodel.CallRequest) (winner string, level []string) {
	var best oracleRank
	for i := range rs.Rules {
		rank, ok := oracleMatches(&rs.Rules[i], q)
		if !ok {
			continue
		}
		switch c := rank.compare(best, rs.Order); {
		case winner == "" || c > 0:
			winner, best, level = rs.Rules[i].ID, rank, nil
		case c == 0:
			level = append(level, rs.Rules[i].ID)
		}
	}
	return winner, level
}

// The alphabets are small, so that rules and calls meet often.

func oneOf[T any](v ...T) *rapid.Generator[T] { return rapid.SampledFrom(v) }

// some is a list of up to most different values, or none at all.
func some[T comparable](g *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.SliceOfNDistinct(g, 0, most, rapid.ID[T])
}

var (
	prefixes = oneOf("+", "+1", "+12", "+121", "+1212", "+12125550", "+2", "1", "11", "112")
	numbers  = oneOf("+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121")
	callees  = oneOf("+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121", "+49301234567", "2", "", "urn:service:sos", "+12125550123456789")
	tenants  = oneOf[callmodel.TenantID]("a", "b", "c")
	types    = oneOf(callmodel.TypeVoice, callmodel.TypeFax, callmodel.TypeEmergency)
	ways     = oneOf(callmodel.Inbound, callmodel.Outbound)
	weeks    = oneOf("mon-fri 08:00-18:00", "sat,sun 00:00-24:00", "fri 22:00-02:00", "sat-mon 12:00-13:00", "sun 02:00-03:00", "wed 17:59-18:01")
	zones    = oneOf("UTC", "America/New_York", "Europe/Berlin")
)

func genNumbers(most int) *rapid.Generator[routing.NumberMatch] {
	return rapid.Custom(func(t *rapid.T) routing.NumberMatch {
		return routing.NumberMatch{Prefix: some(prefixes, most).Draw(t, "prefix"), Exact: some(numbers, 1).Draw(t, "exact")}
	})
}

func genRule(i int) *rapid.Generator[routing.Rule] {
	rare := oneOf(false, false, false, true)
	return rapid.Custom(func(t *rapid.T) routing.Rule {
		r := routing.Rule{ID: fmt.Sprintf("r%d", i), Priority: oneOf(-1, 0, 0, 1, 2).Draw(t, "priority"), Route: []routing.Tier{{Targets: []routing.Target{{To: "x"}, {To: "y"}}}, {Targets: []routing.Target{{To: "z"}}}}}
		if r.Match.To = genNumbers(2).Draw(t, "to"); r.Match.To.IsZero() {
			r.Default = true
		}
		if rare.Draw(t, "has from") {
			r.Match.From = genNumbers(2).Draw(t, "from")
		}
		if rare.Draw(t, "has tenants") {
			r.Match.Tenant = some(tenants, 2).Draw(t, "tenant")
		}
		if rare.Draw(t, "has types") {
			r.Match.Type = some(types, 2).Draw(t, "type")
		}
		if rare.Draw(t, "has directions") {
			r.Match.Direction = some(ways, 1).Draw(t, "direction")
		}
		if rare.Draw(t, "has call priority") {
			low := rapid.IntRange(0, 9).Draw(t, "min")
			r.Match.CallPriority = &routing.PriorityRange{Min: low, Max: rapid.IntRange(low, 9).Draw(t, "max")}
		}
		if rare.Draw(t, "has windows") {
			r.Match.When = &routing.Windows{TimeZone: zones.Draw(t, "zone"), Weekly: rapid.SliceOfN(weeks, 1, 2).Draw(t, "weekly")}
		}
		return r
	})
}

func destinations() map[string]routing.DestinationSpec {
	return map[string]routing.DestinationSpec{"x": {URI: "sip:x"}, "y": {URI: "sip:y", Strip: 1, Prepend: "9"}, "z": {URI: "sip:z"}}
}

func genRules(t *rapid.T) *routing.RuleSet {
	rs := &routing.RuleSet{
		Order:        oneOf("", routing.PrefixFirst, routing.PriorityFirst).Draw(t, "order"),
		Destinations: destinations(),
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		rs.Rules = append(rs.Rules, genRule(i).Draw(t, "rule"))
	}
	return rs
}

func genCall(t *rapid.T) *callmodel.CallRequest {
	// A fortnight that holds both changes of clocks of 2026 in New York and Berlin, by the minute.
	start := oneOf(time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)).Draw(t, "start")
	return &callmodel.CallRequest{
		TenantID: tenants.Draw(t, "tenant"), CallID: callmodel.CallID(rapid.StringMatching("c[0-9]").Draw(t, "id")),
		To: callees.Draw(t, "to"), From: callees.Draw(t, "from"),
		Type: types.Draw(t, "type"), Direction: oneOf("", callmodel.Inbound, callmodel.Outbound).Draw(t, "direction"),
		Priority: rapid.IntRange(0, 9).Draw(t, "priority"), At: start.Add(time.Duration(rapid.IntRange(0, 9*24*60).Draw(t, "minute")) * time.Minute),
	}
}

// TestRouteEqualsOracle compares some 25,000 decisions of rule sets and calls
// that are drawn at random; -rapid.checks=N makes N times 250 of them.
func TestRouteEqualsOracle(t *testing.T) {
	t.Parallel()
	var decided, refused, tied, matched int
	rapid.Check(t, func(t *rapid.T) {
		var reused callmodel.Decision
		for range 25 {
			rs := genRules(t)
			router, err := routing.Compile(rs)
			if err != nil {
				require.Contains(t, err.Error(), "ties with", "the only fault that is drawn")
				refused++
			}
			for range 10 {
				q := genCall(t)
				want, level := oracle(rs, q)
				if len(level) > 0 {
					tied++
					require.Error(t, err, "rules %s and %v are level for %+v, and Compile took them", want, level, q)
				}
				if err != nil {
					continue
				}
				decided++
				if want != "" {
					matched++
				}
				compareWith(t, router, q, want, &reused)
			}
		}
	})
	t.Logf("%d decisions, %d of which found a rule; %d sets refused, %d calls tied", decided, matched, refused, tied)
	assert.Positive(t, refused)
	assert.Positive(t, tied)
	assert.Greater(t, matched, decided/4, "the draws meet")
}

// compareWith checks a decision, its explanation and its reuse against the oracle's rule.
func compareWith(t *rapid.T, router *routing.Router, q *callmodel.CallRequest, want string, reused *callmodel.Decision) {
	d, err := router.Route(q)
	if want == "" {
		require.ErrorIs(t, err, routing.ErrNoRoute, "%+v", q)
	} else {
		require.NoError(t, err, "%+v", q)
		require.Len(t, d.Destinations, 3)
		require.Equal(t, "z", d.Destinations[2].ID, "the second tier comes second")
	}
	require.Equal(t, want, d.Rule, "%+v", q)
	require.Equal(t, router.Hash(), d.RuleSet)

	again := router.RouteInto(q, reused)
	require.Equal(t, err, again)
	require.Equal(t, d.Rule, reused.Rule)
	require.True(t, slices.Equal(d.Destinations, reused.Destinations), "a reused decision is the same: %v, %v", d, reused)

	x := router.Explain(q)
	require.Equal(t, d, x.Decision)
	require.Equal(t, err != nil, x.NoRoute)
	listed := map[string]bool{}
	won := ""
	for _, v := range x.Considered {
		require.False(t, listed[v.Rule], "%s is listed twice", v.Rule)
		listed[v.Rule] = true
		require.NotEmpty(t, v.Reason)
		if v.Won {
			require.Empty(t, won, "one winner")
			won = v.Rule
		}
	}
	require.Equal(t, want, won)
}

// TestCompileRefusesOnlyTies: of two rules that Compile calls a tie, some call
// is taken by both at the same rank. Windows are left out: whether two of
// different time zones meet is not asked, and such rules are refused to be safe.
func TestCompileRefusesOnlyTies(t *testing.T) {
	t.Parallel()
	var calls []*callmodel.CallRequest
	// Every exact number that is drawn, and below every prefix one that no longer
	// prefix and no exact number takes.
	all := []string{
		"+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121",
		"+9", "+19", "+129", "+1219", "+12129", "+121255509", "+29", "19", "119", "1129",
	}
	for _, to := range all {
		for _, from := range all {
			for i, tenant := range []callmodel.TenantID{"a", "b", "c"} {
				for _, kind := range []callmodel.CallType{callmodel.TypeVoice, callmodel.TypeFax, callmodel.TypeEmergency} {
					for _, way := range []callmodel.Direction{callmodel.Inbound, callmodel.Outbound} {
						for p := range 10 {
							calls = append(calls, &callmodel.CallRequest{TenantID: tenant, To: to, From: from, Type: kind, Direction: way, Priority: (p + i) % 10})
						}
					}
				}
			}
		}
	}
	var refused, taken int
	rapid.Check(t, func(t *rapid.T) {
		for range 3 {
			rs := &routing.RuleSet{
				Order: oneOf(routing.PrefixFirst, routing.PriorityFirst).Draw(t, "order"), Destinations: destinations(),
				Rules: []routing.Rule{genRule(0).Draw(t, "one"), genRule(1).Draw(t, "other")},
			}
			for i := range rs.Rules {
				rs.Rules[i].Match.When, rs.Rules[i].Priority = nil, 0
			}
			_, err := routing.Compile(rs)
			found := slices.ContainsFunc(calls, func(q *callmodel.CallRequest) bool {
				_, level := oracle(rs, q)
				return len(level) > 0
			})
			if found != (err != nil) {
				t.Fatalf("a call that both rules take at one rank: %v; Compile says %v\n%+v", found, err, rs.Rules)
			}
			if found {
				refused++
			} else {
				taken++
			}
		}
	})
	t.Logf("%d pairs refused, %d taken", refused, taken)
	assert.Greater(t, refused, 5)
	assert.Greater(t, taken, 20)
}

// TestCompileCountsRules: a set with more rules under one callee than can be
// counted is refused; it must not lose some of them in silence.
func TestCompileCountsRules(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{Destinations: destinations()}
	for i := range 1 << 16 {
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: fmt.Sprintf("r%d", i), Default: true, Route: []routing.Tier{{Targets: []routing.Target{{To: "x"}}}},
			Match: routing.Match{Tenant: []callmodel.TenantID{callmodel.TenantID(fmt.Sprintf("t%d", i))}},
		})
	}
	_, err := routing.Compile(rs)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.Contains(t, err.Error(), "may share a callee")
}
