package trunk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// attempt is one call to a that fails with the cause, or rings if it is nil.
func attempt(t testing.TB, g *trunk.Group, c *clock, cause *calls.Cause) {
	t.Helper()
	one := call(callmodel.CallID(fmt.Sprint("c", c.now.Add(1))), c)
	g.ReserveAnyway("a").Hold(key(one))
	if cause == nil {
		event(t, g, c, one, calls.EventRinging, nil)
		event(t, g, c, one, calls.EventEnded, nil)
		return
	}
	one.State, one.Cause = calls.Failed, cause
	require.True(t, g.Observe(one, cause))
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c := newClock()
	var changes []trunk.Change
	g := group(t, c, routing.Limits{}, trunk.Options{Failures: 3, Changed: func(x trunk.Change) { changes = append(changes, x) }})
	health := func() routing.Health { return g.Status("a").Health }
	down, busy := &calls.Cause{SIP: 503}, &calls.Cause{Q850: 17}

	attempt(t, g, c, down)
	attempt(t, g, c, down)
	attempt(t, g, c, busy) // the network works
	attempt(t, g, c, down)
	attempt(t, g, c, down)
	assert.Equal(t, routing.Up, health())
	attempt(t, g, c, &calls.Cause{Q850: 41})
	assert.Equal(t, routing.Down, health())

	// Down for 5 s, then 10, then 20: each failed probe doubles it.
	for _, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		attempt(t, g, c, down) // a straggler changes nothing
		c.pass(wait - time.Millisecond)
		assert.Equal(t, routing.Down, health(), wait)
		c.pass(time.Millisecond)
		assert.Equal(t, routing.Probing, health(), wait)
		attempt(t, g, c, nil)
		assert.Equal(t, routing.Probing, health(), "one success is luck")
		attempt(t, g, c, down)
	}
	c.pass(40 * time.Second)
	attempt(t, g, c, nil)
	attempt(t, g, c, busy)
	assert.Equal(t, routing.Up, health())

	// It fails again at once: it begins where it left off. After a long time it doesn't.
	for range 3 {
		attempt(t, g, c, down)
	}
	c.pass(79 * time.Second)
	assert.Equal(t, routing.Down, health())
	c.pass(time.Second)
	attempt(t, g, c, nil)
	attempt(t, g, c, nil)
	c.pass(10 * time.Minute)
	for range 3 {
		attempt(t, g, c, down)
	}
	c.pass(5 * time.Second)
	assert.Equal(t, routing.Probing, health())
	for range 20 {
		attempt(t, g, c, down)
		c.pass(5 * time.Minute)
		assert.Equal(t, routing.Probing, health(), "never longer than 5 minutes")
	}
	for _, x := range changes {
		assert.Equal(t, "a", x.Destination)
		assert.Equal(t, "health", x.Why)
	}
	assert.Equal(t, routing.Down, changes[0].Health)
	assert.Equal(t, routing.Up, changes[4].Health)
}

// TestCancelledCallsTellNothing of the network: neither up nor down.
func TestCancelledCallsTellNothing(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{}, trunk.Options{Failures: 1})
	one := call("c1", c)
	begin(t, g, one)
	event(t, g, c, one, calls.EventEnded, nil)
	assert.Equal(t, routing.Up, g.Status("a").Health)
	assert.Equal(t, 1, stats(g, "a").Attempts)
	for _, cause := range []calls.Cause{{SIP: 404}, {SIP: 480}, {SIP: 486}, {SIP: 603}, {Q850: 1}, {Q850: 16}, {Q850: 19}, {Q850: 28}} {
		attempt(t, g, c, &cause)
		assert.Equal(t, routing.Up, g.Status("a").Health, "%+v", cause)
	}
	never := group(t, c, routing.Limits{}, trunk.Options{Failures: -1})
	for range 20 {
		attempt(t, never, c, &calls.Cause{SIP: 503})
	}
	assert.Equal(t, routing.Up, never.Status("a").Health)
}
