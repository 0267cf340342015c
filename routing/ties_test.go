package routing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// TestCompileRefusesOnlyTies: of two rules that Compile calls a tie, some call
// is taken by both at the same rank. The rarer conditions are left out: where
// it isn't clear whether two of them meet, rules are refused to be safe.
func TestCompileRefusesOnlyTies(t *testing.T) {
	t.Parallel()
	var callList []*calls.Request
	// Every exact number that is drawn, and below every prefix one that no longer
	// prefix and no exact number takes.
	all := []string{
		"+12125550", "+121255501", "+1212555", "+2125550", "112", "11", "1121",
		"+9", "+19", "+129", "+1219", "+12129", "+121255509", "+29", "19", "119", "1129", "09",
	}
	for _, to := range all {
		for _, from := range all {
			for i, tenant := range tenants(3) {
				for _, kind := range []calls.Type{calls.TypeVoice, calls.TypeFax, calls.TypeEmergency} {
					for _, way := range []calls.Direction{calls.Inbound, calls.Outbound} {
						for p := range 10 {
							callList = append(callList, &calls.Request{
								At: noon, TenantID: tenant, To: to, From: from, Type: kind, Direction: way,
								Priority: (p + i) % 10,
							})
						}
					}
				}
			}
		}
	}
	var refused, taken int
	rapid.Check(t, func(t *rapid.T) {
		d := draw(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		for range 3 {
			rs := &routing.RuleSet{
				Order: one(d, routing.PrefixFirst, routing.PriorityFirst), Destinations: destinations(),
				Rules: []routing.Rule{genCommon(d, 0), genCommon(d, 1)},
			}
			for i := range rs.Rules {
				rs.Rules[i].Priority = 0
				rs.Rules[i].Default = rs.Rules[i].Match.To.IsZero()
			}
			_, err := routing.Compile(rs)
			found := slices.ContainsFunc(callList, func(q *calls.Request) bool {
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
	assert.Greater(t, refused, least(5))
	assert.Greater(t, taken, least(20))
}

// TestCompileCountsRules: however many rules are for one callee, none is lost.
func TestCompileCountsRules(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{Destinations: destinations()}
	const rules = 1<<16 + 1
	for i := range rules {
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: fmt.Sprintf("r%d", i), Default: true, Route: tiers([][]routing.Target{{{To: "x"}}}...),
			Match: routing.Match{Tenant: []callmodel.TenantID{callmodel.TenantID(fmt.Sprintf("t%d", i))}},
		})
	}
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	for i := range rules {
		d, err := router.Route(&calls.Request{At: noon, TenantID: rs.Rules[i].Match.Tenant[0]})
		if err != nil || d.Rule != rs.Rules[i].ID {
			t.Fatalf("tenant %d: rule %q, %v", i, d.Rule, err)
		}
	}
}

// TestTiesBehindManyPairs: however many level rules were told apart before, a
// tie is found. A set with a few tenants' rules a prefix has millions of pairs.
func TestTiesBehindManyPairs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	rs := &routing.RuleSet{Destinations: map[string]routing.DestinationSpec{"a": {URI: "sip:a"}}}
	add := func(id, tenant string, prefixes []string) {
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: id, Match: routing.Match{To: routing.NumberMatch{Prefix: prefixes}, Tenant: []callmodel.TenantID{callmodel.TenantID(tenant)}},
			Route: tiers([]routing.Target{{To: "a"}}),
		})
	}
	const tenants, blocks, prefixes = 24, 8, routing.MaxMatchValues
	for block := range blocks {
		list := make([]string, prefixes)
		for i := range list {
			list[i] = fmt.Sprintf("+49%d%05d", block+1, i)
		}
		for tenant := range tenants {
			add(fmt.Sprintf("r%d-%d", block, tenant), fmt.Sprintf("t%d", tenant), list)
		}
	}
	require.Greater(t, blocks*prefixes*tenants*(tenants-1)/2, 20_000_000)
	_, err := routing.Compile(rs)
	require.NoError(t, err)
	add("late", "t7", []string{"+4999"})
	add("later", "t7", []string{"+4999"})
	_, err = routing.Compile(rs)
	require.ErrorContains(t, err, "rule later: ties with rule late")
}
