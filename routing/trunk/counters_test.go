package trunk_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

func limits() routing.AllLimits {
	return routing.AllLimits{
		CallLimits: routing.CallLimits{
			Tenants: map[string]routing.Limits{"acme": {Concurrent: 3}, "*": {Concurrent: 1}},
			Trunks:  map[string]routing.Limits{"in": {CPS: 2}},
		},
		Rules: map[string]routing.Limits{"abroad": {Concurrent: 1}},
	}
}

func full(t *testing.T, err error, says string) {
	t.Helper()
	require.Error(t, err)
	assert.Equal(t, callmodel.CodeNoCapacity, callmodel.CodeOf(err))
	assert.ErrorContains(t, err, says)
}

// TestCallLimits: a call has a place with its tenant, its trunk and its rule, or with none.
func TestCallLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 2}, trunk.Options{})
	g.Limit(limits())
	enter := func(tenant callmodel.TenantID, in, rule string) trunk.Reservation {
		t.Helper()
		r, err := g.Enter(tenant, in, rule)
		require.NoError(t, err)
		r, ok := r.At("a")
		require.True(t, ok)
		return r
	}
	one := call("one", c)
	enter("acme", "in", "abroad").Hold(key(one))
	_, err := g.Enter("acme", "in", "abroad")
	full(t, err, "the rule abroad has as many calls at once as it may")
	enter("acme", "in", "home").Cancel() // neither that nor the refused one counts with the trunk
	two := call("two", c)
	enter("acme", "in", "home").Hold(key(two))
	_, err = g.Enter("acme", "in", "")
	full(t, err, "the inbound trunk in begins as many calls a second")
	r, err := g.Enter("acme", "other", "")
	require.NoError(t, err, "what isn't named has no limit")
	_, ok := r.At("a")
	assert.False(t, ok, "the destination is full")
	three := call("three", c)
	r, ok = r.At("elsewhere")
	assert.True(t, ok)
	r.Hold(key(three))
	_, err = g.Enter("acme", "", "")
	full(t, err, "the tenant acme")
	for _, tenant := range []callmodel.TenantID{"globex", "initech"} { // each of all others
		r, err := g.Enter(tenant, "", "")
		require.NoError(t, err)
		r.Hold(trunk.Key{Tenant: tenant, Call: "x"})
		_, err = g.Enter(tenant, "", "")
		full(t, err, string(tenant))
	}
	g.EnterAnyway("acme", "in", "abroad").AtAnyway("a").Cancel()

	c.pass(2 * time.Second)
	// The first fails at a and is tried at b: it keeps its places with the others.
	require.True(t, event(t, g, c, one, calls.EventFailed, &calls.Cause{SIP: 503}))
	_, err = g.Enter("acme", "in", "abroad")
	full(t, err, "the tenant acme")
	require.True(t, event(t, g, c, one, calls.EventFailed, &calls.Cause{SIP: 486}))
	enter("acme", "in", "abroad").Cancel()
	require.True(t, event(t, g, c, three, calls.EventEnded, nil))
	g.Drop(key(two))
	for range 2 {
		enter("acme", "in", "").Hold(trunk.Key{Tenant: "acme", Call: "again"}) // one call has one place
	}
	c.pass(time.Hour)
	g.Sweep()
	for i, k := range []callmodel.CallID{"a", "b", "c"} {
		r, err := g.Enter("acme", "", "")
		require.NoError(t, err, i)
		r.Hold(trunk.Key{Tenant: "acme", Call: k})
	}
	_, err = g.Enter("acme", "", "")
	full(t, err, "the tenant acme")
	g.Limit(routing.AllLimits{})
	_, err = g.Enter("acme", "", "")
	require.NoError(t, err, "a set without limits")
}

// TestShares: whatever the number of processes, together they take what the limit says.
func TestShares(t *testing.T) {
	t.Parallel()
	for _, of := range []int{1, 2, 3, 7} {
		taken, there := 0, 0
		for index := range of {
			g := group(t, newClock(), routing.Limits{Concurrent: 10}, trunk.Options{})
			g.Limit(limits())
			g.Share(index, of)
			for range 20 {
				if _, ok := g.Reserve("a"); ok {
					there++
				}
				if _, err := g.Enter("acme", "", ""); err == nil {
					taken++
				}
			}
		}
		assert.Equal(t, 10, there, "%d processes", of)
		assert.Equal(t, 3, taken, "%d processes", of)
	}
	g := group(t, newClock(), routing.Limits{Concurrent: 10}, trunk.Options{Share: 5})
	reserve := func() (n int) {
		for {
			if _, ok := g.Reserve("a"); !ok {
				return n
			}
			n++
		}
	}
	assert.Equal(t, 2, reserve())
	g.Share(0, 2)
	assert.Equal(t, 3, reserve(), "three others have gone")
	g.Share(0, 5)
	assert.Equal(t, 0, reserve(), "what is over a part that has become smaller goes on")
}

// TestLimitsBelowTheNumberOfProcesses: a limit of one call is one process's, and the others
// say why they refuse. Which one that is depends on what is limited: no process has all.
func TestLimitsBelowTheNumberOfProcesses(t *testing.T) {
	t.Parallel()
	const of, rules = 5, 50
	took := [of]int{}
	for _, l := range []routing.Limits{{Concurrent: 1}, {CPS: 1}} {
		all := routing.AllLimits{Rules: map[string]routing.Limits{}}
		for i := range rules {
			all.Rules[fmt.Sprint("r", i)] = l
		}
		have := map[string]int{}
		for index := range of {
			g := group(t, newClock(), l, trunk.Options{})
			g.Limit(all)
			g.Share(index, of)
			for range 3 {
				for rule := range all.Rules {
					if _, err := g.Enter("acme", "", rule); err == nil {
						have[rule]++
						took[index]++
					} else if have[rule] == 0 {
						require.ErrorContains(t, err, "the rule "+rule+" may have fewer calls than processes decide")
					}
				}
				if _, ok := g.Reserve("a"); ok {
					have["a"]++
				} else {
					require.NotEmpty(t, g.Status("a").Full)
				}
			}
			g.EnterAnyway("acme", "", "r1").Cancel()
		}
		for name, n := range have {
			assert.Equal(t, 1, n, name)
		}
		assert.Len(t, have, rules+1)
	}
	for index, n := range took {
		assert.Positive(t, n, "process %d", index)
	}
	g := group(t, newClock(), routing.Limits{Concurrent: 1}, trunk.Options{})
	g.Share(-1, of)
	_, ok := g.Reserve("a")
	assert.True(t, ok, "which process it is isn't known: one at least")
}

// TestNeverMoreThanTheCallLimit: whoever races for the places, no more are given.
func TestNeverMoreThanTheCallLimit(t *testing.T) {
	t.Parallel()
	g := group(t, newClock(), routing.Limits{}, trunk.Options{})
	g.Limit(limits())
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				r, err := g.Enter("acme", "", "")
				if err != nil {
					continue
				}
				n := running.Add(1)
				for now := most.Load(); n > now && !most.CompareAndSwap(now, n); now = most.Load() {
				}
				running.Add(-1)
				r.Cancel()
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, most.Load(), int64(3))
}

// TestEnteringDoesNotAllocate, with limits and without.
func TestEnteringDoesNotAllocate(t *testing.T) {
	g := group(t, newClock(), routing.Limits{}, trunk.Options{})
	g.Limit(limits())
	enter := func() {
		r, err := g.Enter("acme", "", "abroad")
		if err == nil {
			r.Cancel()
		}
	}
	enter() // makes the counters
	assert.Zero(t, testing.AllocsPerRun(100, enter))
}
