package trunk_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

func TestConcurrentLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 2}, trunk.Options{})
	first, second := call("c1", c), call("c2", c)
	begin(t, g, first)
	begin(t, g, second)
	assert.Equal(t, calls.LeftConcurrent, g.Status("a").Full)
	_, ok := g.Reserve("a")
	assert.False(t, ok)
	_, ok = g.Reserve("nobody")
	assert.True(t, ok, "what isn't known has no limits")
	g.ReserveAnyway("a").Cancel()
	assert.Equal(t, 2, stats(g, "a").Calls)

	event(t, g, c, first, calls.EventEnded, nil)
	assert.Empty(t, g.Status("a").Full)
	assert.False(t, g.Observe(first, nil), "its place was given back already")
	assert.Equal(t, 1, stats(g, "a").Calls)

	// The other is tried at b: its place moves.
	assert.True(t, event(t, g, c, second, calls.EventFailed, &calls.Cause{SIP: 503}))
	assert.Equal(t, 0, stats(g, "a").Calls)
	assert.Equal(t, 1, stats(g, "b").Calls)
	assert.True(t, g.Observe(second, nil), "seen again, it changes nothing")
	assert.Equal(t, 1, stats(g, "b").Calls)
	assert.True(t, event(t, g, c, second, calls.EventFailed, &calls.Cause{SIP: 486}))
	assert.Equal(t, 0, stats(g, "b").Calls)
}

// TestNeverMoreThanTheLimit: whoever races for the places, no more are given.
func TestNeverMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 7}, trunk.Options{})
	var running, most, given atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 500 {
				r, ok := g.Reserve("a")
				if !ok {
					continue
				}
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				given.Add(1)
				if j%2 == 0 {
					running.Add(-1)
					r.Cancel()
					continue
				}
				one := call(callmodel.CallID(fmt.Sprint("c", i, "-", j)), c)
				r.Hold(key(one))
				one.State = calls.Ended
				running.Add(-1)
				if !g.Observe(one, nil) {
					t.Error("the call has no place")
				}
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, most.Load(), int64(7))
	assert.Positive(t, given.Load())
	assert.Zero(t, stats(g, "a").Calls, "nothing leaks")
}

// TestCPS: no second, wherever it begins, has more calls than the limit, and a
// steady flow at nine tenths of it is let through.
func TestCPS(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := rapid.IntRange(1, 30).Draw(t, "limit")
		g := trunk.New(&trunk.Options{Now: c.Now})
		g.Configure(map[string]routing.Endpoint{"a": {Limits: routing.Limits{CPS: limit}}})
		var times []time.Time
		for range 300 {
			c.pass(time.Duration(rapid.IntRange(0, 120).Draw(t, "ms")) * time.Millisecond)
			full := g.Status("a").Full
			if _, ok := g.Reserve("a"); ok {
				require.Empty(t, full)
				times = append(times, c.Now())
			} else {
				require.Equal(t, calls.LeftCPS, full)
			}
		}
		for i := limit; i < len(times); i++ {
			require.GreaterOrEqual(t, times[i].Sub(times[i-limit]), time.Second, "calls %d to %d", i-limit, i)
		}
	})
	c := newClock()
	g := group(t, c, routing.Limits{CPS: 10}, trunk.Options{})
	for range 100 {
		_, ok := g.Reserve("a")
		require.True(t, ok)
		c.pass(time.Second / 9)
	}
}

func TestShareOfLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 10, CPS: 2}, trunk.Options{Share: 4})
	for range 2 {
		c.pass(2 * time.Second) // the part of 2 a second is 1
		_, ok := g.Reserve("a")
		require.True(t, ok)
	}
	assert.Equal(t, calls.LeftConcurrent, g.Status("a").Full, "a quarter of 10 is 2")
}

func TestPlacesExpire(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 1}, trunk.Options{SetupTTL: time.Minute, CallTTL: time.Hour})
	lost, long := call("lost", c), call("long", c)
	begin(t, g, lost)
	c.pass(59 * time.Second)
	assert.Zero(t, g.Sweep())
	c.pass(time.Second)
	assert.Equal(t, 1, g.Sweep())
	assert.False(t, g.Observe(lost, nil))

	begin(t, g, long)
	event(t, g, c, long, calls.EventAnswered, nil)
	c.pass(59 * time.Minute)
	assert.Zero(t, g.Sweep(), "answered calls last")
	c.pass(time.Minute)
	assert.Equal(t, 1, g.Sweep())
	assert.Zero(t, stats(g, "a").Calls)
}

func TestSilentCalls(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{}, trunk.Options{})
	one := call("c1", c)
	begin(t, g, one)
	assert.Empty(t, g.Silent(10))
	c.pass(30 * time.Second)
	assert.Equal(t, []trunk.Key{key(one)}, g.Silent(10))
	assert.Empty(t, g.Silent(10), "once in a while")
	c.pass(30 * time.Second)
	assert.Len(t, g.Silent(10), 1)
	g.Drop(key(one))
	g.Drop(key(one))
	c.pass(time.Hour)
	assert.Empty(t, g.Silent(10))
	assert.Zero(t, stats(g, "a").Calls)
}

// TestOneCallOnePlace: a call's id that comes again doesn't take a second place.
func TestOneCallOnePlace(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{}, trunk.Options{})
	one := call("c1", c)
	begin(t, g, one)
	begin(t, g, one)
	assert.Equal(t, 1, stats(g, "a").Calls)
}

// TestConfigureKeepsState: a reload of the rules changes limits, not what is
// known, and a destination that carries calls is not forgotten.
func TestConfigureKeepsState(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{Concurrent: 1}, trunk.Options{Failures: 1})
	one := call("c1", c)
	begin(t, g, one)
	other := call("c2", c)
	g.ReserveAnyway("b").Hold(key(other))
	other.State, other.Cause = calls.Failed, &calls.Cause{SIP: 503}
	g.Observe(other, nil)
	require.Equal(t, routing.Down, g.Status("b").Health)

	g.Configure(map[string]routing.Endpoint{"b": {}})
	assert.Equal(t, routing.Down, g.Status("b").Health)
	g.Configure(map[string]routing.Endpoint{"a": {Limits: routing.Limits{Concurrent: 2}}, "b": {}})
	assert.Empty(t, g.Status("a").Full)
	assert.Equal(t, 1, stats(g, "a").Calls)
	event(t, g, c, one, calls.EventEnded, nil)
	assert.Zero(t, stats(g, "a").Calls)
	g.Configure(map[string]routing.Endpoint{"b": {}})
	assert.Len(t, g.Stats(), 1)
}

func TestRouteLiveAllocatesNothing(t *testing.T) {
	r := compile(t, `
currency: EUR
rates: {deck: [{prefix: "+", per_minute: 0.01}]}
destinations:
  a: {uri: "sip:a", rates: deck, limits: {concurrent: 10, cps: 10}, strip: 1, caller: {strip: 1}}
  b: {uri: "sip:b", rates: deck}
  c: {uri: "sip:c", limits: {concurrent: 1}}
rules: [{id: x, default: true, route: [{order: cost, targets: [{to: a}, {to: b}]}, {order: quality, targets: [{to: c}]}], failover: {max_attempts: 2}}]
`)
	c := newClock()
	g := trunk.New(&trunk.Options{Now: c.Now})
	g.Configure(r.Endpoints())
	_, ok := g.Reserve("c")
	require.True(t, ok)
	var d calls.Decision
	req := calls.Request{CallID: "c1", From: "+4930123456", To: "+12125550100", At: c.Now()}
	require.NoError(t, r.RouteLive(&req, g, &d))
	require.Len(t, d.Destinations, 2)
	require.Len(t, d.LeftOut, 1)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = r.RouteLive(&req, g, &d) }))
}
