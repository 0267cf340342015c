package diff_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
)

const decks = `currency: EUR
rates: {cheap: [{prefix: "+49", per_minute: 0.01}], dear: [{prefix: "+49", per_minute: 0.02}]}
destinations:
  a: {uri: "sip:a", rates: cheap}
  b: {uri: "sip:b", rates: dear}
  c: {uri: "sip:c"}
rules:
`

func set(t *testing.T, rules string) (*diff.Set, *routing.Router) {
	t.Helper()
	rs, err := routing.Parse([]byte(decks + rules))
	require.NoError(t, err)
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	s, err := diff.NewSet(rs, router)
	require.NoError(t, err)
	return s, router
}

func call(line int, to string, seconds float64, at time.Time) callfile.Call {
	return callfile.Call{Line: line, Length: time.Duration(seconds * float64(time.Second)), Request: calls.Request{
		TenantID: "t", CallID: callmodel.CallID(fmt.Sprintf("c%d", line)), To: to, From: "+442079460123", Type: calls.TypeVoice, At: at,
	}}
}

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// TestEveryKind has one call of each kind of change, and one of none.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	before, _ := set(t, `
  - {id: lost, match: {to: {prefix: "+491"}}, route: [[{to: a}]]}
  - {id: first, match: {to: {prefix: "+493"}}, route: [[{to: a}], [{to: b}]]}
  - {id: order, match: {to: {prefix: "+494"}}, route: [[{to: a}], [{to: b}], [{to: c}]]}
  - {id: old, match: {to: {prefix: "+495"}}, route: [[{to: a}]]}
  - {id: same, match: {to: {prefix: "+496"}}, route: [[{to: a}]]}`)
	after, _ := set(t, `
  - {id: gained, match: {to: {prefix: "+492"}}, route: [[{to: b}]]}
  - {id: first, match: {to: {prefix: "+493"}}, route: [[{to: b}], [{to: a}]]}
  - {id: order, match: {to: {prefix: "+494"}}, route: [[{to: a}], [{to: c}], [{to: b}]]}
  - {id: new, match: {to: {prefix: "+495"}}, route: [[{to: a}]]}
  - {id: same, match: {to: {prefix: "+496"}}, route: [[{to: a}]]}`)
	c := diff.New(before, after, &diff.Options{Workers: 2})
	var calls []callfile.Call
	for i := range 7 {
		calls = append(calls, call(i, fmt.Sprintf("+49%d0000000", i), 60, noon()))
	}
	calls[3].Length = callfile.NoLength
	c.Calls(calls)
	r := c.Report()
	assert.Equal(t, map[diff.Kind]int{diff.Lost: 1, diff.Gained: 1, diff.Destination: 1, diff.Order: 1, diff.Rule: 1}, r.Kinds)
	assert.Equal(t, 7, r.Calls)
	assert.Equal(t, 5, r.Changed)
	assert.Equal(t, 1, r.Assumed)
	assert.Equal(t, 2, r.NoRouteBefore)
	assert.Equal(t, 2, r.NoRouteAfter)
	require.Len(t, r.Groups, 5)
	byKind := map[diff.Kind]diff.Group{}
	for _, g := range r.Groups {
		byKind[g.Kind] = g
	}
	assert.Equal(t, diff.Group{
		Kind: diff.Destination, Before: diff.Outcome{Rule: "first", Destination: "a"}, After: diff.Outcome{Rule: "first", Destination: "b"},
		Calls: 1, Seconds: 180, CostBefore: 3_000_000, CostAfter: 6_000_000,
		Examples: []diff.Example{{Line: 3, CallID: "c3", Before: []string{"a", "b"}, After: []string{"b", "a"}}},
	}, byKind[diff.Destination])
	assert.Equal(t, diff.Outcome{}, byKind[diff.Lost].After)
	assert.Equal(t, diff.Load{
		Destination: "a",
		Before:      diff.Usage{Calls: 5, Seconds: 4*60 + 180, PeakCPS: 5, PeakAt: noon().Unix(), Cost: 7_000_000},
		After:       diff.Usage{Calls: 3, Seconds: 180, PeakCPS: 3, PeakAt: noon().Unix(), Cost: 3_000_000},
	}, r.Load[0])
	assert.Equal(t, "EUR", r.CurrencyAfter)
}

func TestForm(t *testing.T) {
	t.Parallel()
	before, _ := set(t, `  - {id: r, default: true, route: [[{to: c}]]}`)
	rs, err := routing.Parse([]byte("destinations: {c: {uri: \"sip:c\", prepend: \"00\"}}\nrules: [{id: r, default: true, route: [[{to: c}]]}]"))
	require.NoError(t, err)
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	after, err := diff.NewSet(rs, router)
	require.NoError(t, err)
	c := diff.New(before, after, nil)
	c.Calls([]callfile.Call{call(1, "+4930123456", 0, noon())})
	r := c.Report()
	assert.Equal(t, map[diff.Kind]int{diff.Form: 1}, r.Kinds)
	assert.Equal(t, 1, r.Total.Before.Unrated)
}

// TestAgainstDecisionsOneByOne counts many calls in the plainest way, and with
// different numbers of goroutines.
func TestAgainstDecisionsOneByOne(t *testing.T) {
	t.Parallel()
	before, x := set(t, `
  - {id: r1, match: {to: {prefix: "+491"}}, route: [[{to: a, weight: 70}, {to: b, weight: 30}], [{to: c}]]}
  - {id: r2, match: {to: {prefix: "+492"}}, route: [{order: cost, targets: [{to: b}, {to: a}]}]}
  - {id: r3, match: {to: {prefix: "+49"}, when: {timezone: UTC, weekly: "mon-fri 08:00-18:00"}}, route: [[{to: c}]]}`)
	after, y := set(t, `
  - {id: r1, match: {to: {prefix: "+491"}}, route: [[{to: a, weight: 30}, {to: b, weight: 70}], [{to: c}]]}
  - {id: r2, match: {to: {prefix: "+492"}}, route: [[{to: b}, {to: a}]]}
  - {id: r3, match: {to: {prefix: "+49"}}, route: [[{to: c}]]}`)
	rng := rand.New(rand.NewPCG(1, 1))
	calls := make([]callfile.Call, 5000)
	want := map[string]int{}
	load := map[string]int{}
	for i := range calls {
		calls[i] = call(i+1, fmt.Sprintf("+49%08d", rng.IntN(1e8)), float64(rng.IntN(300)), noon().Add(time.Duration(rng.IntN(86400*3))*time.Second))
		one := func(r *routing.Router) (string, string) {
			d, err := r.Route(&calls[i].Request)
			if err != nil {
				return "", ""
			}
			ids := ""
			for _, dest := range d.Destinations {
				ids += dest.ID + " "
			}
			return d.Rule, ids
		}
		ruleBefore, idsBefore := one(x)
		ruleAfter, idsAfter := one(y)
		if ruleBefore != ruleAfter || idsBefore != idsAfter {
			want[ruleBefore+" "+idsBefore[:min(1, len(idsBefore))]+" "+ruleAfter+" "+idsAfter[:min(1, len(idsAfter))]]++
		}
		if idsAfter != "" {
			load[idsAfter[:1]]++
		}
	}
	var first *diff.Report
	for _, workers := range []int{1, 2, 5} {
		c := diff.New(before, after, &diff.Options{Workers: workers})
		c.Calls(calls)
		r := c.Report()
		if first == nil {
			first = r
		}
		require.Equal(t, first, r)
	}
	got, changed := map[string]int{}, 0
	for _, g := range first.Groups {
		got[g.Before.Rule+" "+g.Before.Destination+" "+g.After.Rule+" "+g.After.Destination] += g.Calls
		changed += g.Calls
		require.LessOrEqual(t, len(g.Examples), 3)
	}
	require.Equal(t, want, got)
	require.Equal(t, first.Changed, changed)
	for _, l := range first.Load {
		require.Equal(t, load[l.Destination], l.After.Calls)
	}

	c := diff.New(before, after, &diff.Options{Groups: 1, Examples: 1})
	c.Calls(calls)
	r := c.Report()
	require.Len(t, r.Groups, 1)
	require.Equal(t, first.Changed, r.Groups[0].Calls+r.OtherCalls)
	require.Equal(t, len(first.Groups)-1, r.OtherGroups)
}

// TestSameSets has nothing to tell.
func TestSameSets(t *testing.T) {
	t.Parallel()
	s, _ := set(t, `  - {id: r, default: true, route: [[{to: a}, {to: b}]]}`)
	c := diff.New(s, s, &diff.Options{Workers: 1})
	calls := []callfile.Call{call(1, "+4930123456", 60, noon())}
	for range 100 {
		c.Visit(0, calls)
	}
	r := c.Report()
	require.Zero(t, r.Changed)
	require.Empty(t, r.Groups)
	require.Equal(t, r.Total.Before, r.Total.After)
}
