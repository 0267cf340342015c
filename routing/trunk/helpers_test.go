package trunk_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// clock is moved by hand.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time       { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.now.Add(int64(d)) }

func compile(t testing.TB, src string) *routing.Router {
	t.Helper()
	rs, err := routing.Parse([]byte(src))
	require.NoError(t, err)
	r, err := routing.Compile(rs)
	require.NoError(t, err)
	return r
}

// group is one of destinations a, with limits, and b, with none.
func group(t testing.TB, c *clock, limits routing.Limits, o trunk.Options) *trunk.Group {
	t.Helper()
	o.Now = c.Now
	g := trunk.New(&o)
	g.Configure(map[string]routing.Endpoint{"a": {URI: "sip:a", Limits: limits}, "b": {URI: "sip:b"}})
	return g
}

// call is one that was sent to a, and is tried at b next.
func call(id callmodel.CallID, c *clock) *calls.Call {
	return &calls.Call{
		ID: id, TenantID: "acme", State: calls.Routed, CreatedAt: c.Now(),
		Decision: &calls.Decision{Destinations: []calls.Destination{{ID: "a"}, {ID: "b"}}},
	}
}

func key(c *calls.Call) trunk.Key { return trunk.Key{Tenant: c.TenantID, Call: c.ID} }

// begin reserves and holds a's place for a new call.
func begin(t testing.TB, g *trunk.Group, c *calls.Call) {
	t.Helper()
	r, ok := g.Reserve("a")
	require.True(t, ok)
	r.Hold(key(c))
}

// event moves the call and tells the group.
func event(t testing.TB, g *trunk.Group, at *clock, c *calls.Call, kind calls.EventType, cause *calls.Cause) bool {
	t.Helper()
	_, err := c.Apply(calls.Event{ID: "e", Type: kind, At: at.Now(), Cause: cause}, nil)
	require.NoError(t, err)
	return g.Observe(c, cause)
}

func stats(g *trunk.Group, id string) trunk.Stats {
	for _, s := range g.Stats() {
		if s.Destination == id {
			return s
		}
	}
	return trunk.Stats{}
}
