package routing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// moment is what is known of destinations, said outright.
type moment map[string]routing.Status

func (m moment) Status(id string) routing.Status { return m[id] }

const tieredRules = `
destinations: {a: {uri: "sip:a", limits: {concurrent: 7}}, b: {uri: "sip:b"}, c: {uri: "sip:c"}, d: {uri: "sip:d"}}
rules:
  - id: x
    default: true
    route: [{order: priority, targets: [{to: a}, {to: b}]}, [{to: c}], [{to: d}]]
`

func TestRouteLive(t *testing.T) {
	t.Parallel()
	r := compile(t, tieredRules)
	down, concurrent := routing.Status{Health: routing.Down}, routing.Status{Full: calls.LeftConcurrent}
	cps, both := routing.Status{Full: calls.LeftCPS}, routing.Status{Full: calls.LeftCPS, Health: routing.Down}
	for _, c := range []struct {
		name string
		live moment
		want string
		left string
		err  error
	}{
		{"nothing known", moment{}, "a b c d", "", nil},
		{"one down", moment{"a": down}, "b c d", "a:down", nil},
		{"one full", moment{"c": cps}, "a b d", "c:cps", nil},
		{"a tier away", moment{"a": concurrent, "b": down}, "c d", "a:concurrent b:down", nil},
		{"all down", moment{"a": down, "b": down, "c": down, "d": down}, "a b c d", "", nil},
		{"down is better than nothing", moment{"a": concurrent, "b": down, "c": concurrent, "d": down}, "b d", "a:concurrent c:concurrent", nil},
		{"all full", moment{"a": concurrent, "b": cps, "c": concurrent, "d": both}, "", "a:concurrent b:cps c:concurrent d:cps", routing.ErrNoCapacity},
	} {
		req := calls.Request{At: noon, CallID: "c1", To: "+1"}
		var d calls.Decision
		err := r.RouteLive(&req, c.live, &d)
		require.ErrorIs(t, err, c.err, c.name)
		var left []string
		for _, l := range d.LeftOut {
			left = append(left, l.ID+":"+string(l.Reason))
		}
		assert.Equal(t, c.want, ids(&d), c.name)
		assert.Equal(t, c.left, strings.Join(left, " "), c.name)
		assert.Equal(t, "x", d.Rule)

		x := r.ExplainLive(&req, c.live)
		assert.Equal(t, ids(&d), ids(&x.Decision))
		assert.Len(t, x.Destinations, 4, "every destination is explained, once: %s", c.name)
		for _, v := range x.Destinations {
			if v.Position == 0 {
				assert.Contains(t, v.Reason, "left out", c.name)
			} else {
				assert.Equal(t, d.Destinations[v.Position-1].ID, v.ID)
			}
		}

		req.Emergency = true
		require.NoError(t, r.RouteLive(&req, c.live, &d))
		assert.Equal(t, "a b c d", ids(&d), "an emergency call has no regard for the moment: %s", c.name)
		assert.Empty(t, d.LeftOut)
	}
	assert.Equal(t, callmodel.CodeNoCapacity, callmodel.CodeOf(routing.ErrNoCapacity))
	x := r.ExplainLive(&calls.Request{At: noon, To: "+1"}, moment{"a": concurrent, "b": down})
	assert.Equal(t, routing.DestinationVerdict{
		ID: "a", Tier: 1, Reason: "left out: it carries as many calls as it may, 7", Health: "up",
		Limit: calls.LeftConcurrent,
	}, x.Destinations[0])
	assert.Equal(t, "left out: it is down", x.Destinations[1].Reason)
	x = r.ExplainLive(&calls.Request{At: noon, To: "+1"}, moment{"a": down, "b": down, "c": down, "d": down})
	assert.Equal(t, "as listed; it is down, but nothing else is left", x.Destinations[0].Reason)
}

// TestProbingTakesItsShare: the share is of calls, by their id, and the others
// see the destination as down.
func TestProbingTakesItsShare(t *testing.T) {
	t.Parallel()
	r := compile(t, tieredRules)
	live := moment{"a": {Health: routing.Probing, ProbeShare: 50}}
	taken := 0
	var d calls.Decision
	for i := range 40_000 {
		req := calls.Request{At: noon, CallID: callmodel.CallID(fmt.Sprint("call-", i)), To: "+1"}
		require.NoError(t, r.RouteLive(&req, live, &d))
		if d.Destinations[0].ID == "a" {
			taken++
		} else {
			require.Equal(t, []calls.LeftOut{{ID: "a", Reason: calls.LeftDown}}, d.LeftOut)
		}
	}
	assert.InDelta(t, 2000, taken, 180, "four standard deviations are 174")
}

func TestByQuality(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}, c: {uri: "sip:c"}}
rules: [{id: x, default: true, route: {order: quality, explore_percent: 10, targets: [{to: a}, {to: b, weight: 3}, {to: c}]}}]
`)
	live := moment{"a": {Quality: 9}, "b": {Quality: 9}, "c": {Quality: 10}}
	first, second := map[string]int{}, map[string]int{}
	explored := 0
	var d calls.Decision
	const callList = 50_000
	for i := range callList {
		req := calls.Request{At: noon, CallID: callmodel.CallID(fmt.Sprint("call-", i)), To: "+1"}
		require.NoError(t, r.RouteLive(&req, live, &d))
		first[d.Destinations[0].ID]++
		if d.Destinations[0].ID == "c" {
			second[d.Destinations[1].ID]++
		}
		if i < 1000 && strings.Contains(r.ExplainLive(&req, live).Destinations[0].Reason, "keep the tier's quality known") {
			explored++
		}
		require.NoError(t, r.RouteInto(&req, &d))
	}
	// 10 % by weight 1:3:1, the rest to the best.
	assert.InDelta(t, 2, float64(first["a"])*100/callList, 0.4)
	assert.InDelta(t, 6, float64(first["b"])*100/callList, 0.5)
	assert.InDelta(t, 92, float64(first["c"])*100/callList, 0.6)
	assert.InDelta(t, 75, float64(second["b"])*100/float64(second["a"]+second["b"]), 1, "equals by weight")
	assert.InDelta(t, 100, explored, 40)
}

// TestRouteLiveEqualsOracle: of the destinations in Route's order, those that
// may be tried, and Route's own order if nothing is known.
func TestRouteLiveEqualsOracle(t *testing.T) {
	t.Parallel()
	r := compile(t, `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}, c: {uri: "sip:c"}, d: {uri: "sip:d"}, e: {uri: "sip:e"}}
rules: [{id: x, default: true, route: [[{to: a}, {to: b, weight: 3}], [{to: c}, {to: d}, {to: e}]]}]
`)
	rapid.Check(t, func(t *rapid.T) {
		live := moment{}
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			live[id] = routing.Status{
				Health: rapid.SampledFrom([]routing.Health{routing.Up, routing.Down}).Draw(t, "health"),
				Full:   rapid.SampledFrom([]calls.LeftReason{"", "", calls.LeftCPS}).Draw(t, "full"),
			}
		}
		req := calls.Request{At: noon, CallID: callmodel.CallID(rapid.StringMatching("c[0-9]{3}").Draw(t, "id")), To: "+1"}
		pure, err := r.Route(&req)
		require.NoError(t, err)
		var up, room []calls.Destination
		for _, d := range pure.Destinations {
			if s := live[d.ID]; s.Full == "" {
				room = append(room, d)
				if s.Health == routing.Up {
					up = append(up, d)
				}
			}
		}
		if len(up) == 0 {
			up = room
		}
		var d calls.Decision
		err = r.RouteLive(&req, live, &d)
		require.Equal(t, len(up) == 0, err != nil)
		require.Len(t, d.Destinations, len(up))
		for i := range up {
			require.Equal(t, up[i], d.Destinations[i])
		}
		require.Len(t, d.LeftOut, 5-len(up))
	})
}
