package trunk_test

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
	"github.com/switchtape/switchtape/routing/trunk"
)

const two = `
destinations: {a: {uri: "sip:a"}, b: {uri: "sip:b"}}
rules: [{id: x, default: true, route: {order: quality, targets: [{to: a}, {to: b}]}}]
`

// simulation is a flow of calls to two trunks for hours.
type simulation struct {
	router *routing.Router
	group  *trunk.Group
	clock  *clock
	rng    *rand.Rand
	// asr is the chance of an answer at a trunk that gets this share of the calls.
	asr func(id string, share float64) float64

	changes []time.Duration
	share   map[string]float64 // of the calls, over the last minute or so
}

func simulate(t *testing.T, asr func(id string, share float64) float64) *simulation {
	t.Helper()
	s := &simulation{router: compile(t, two), clock: newClock(), rng: rand.New(rand.NewPCG(7, 11)), asr: asr, share: map[string]float64{"a": 0.5, "b": 0.5}}
	s.group = trunk.New(&trunk.Options{Now: s.clock.Now})
	s.group.Configure(s.router.Endpoints())
	return s
}

// gap is between two calls: two come a second.
const gap = 500 * time.Millisecond

// run sends calls for so long.
func (s *simulation) run(t *testing.T, d time.Duration) {
	t.Helper()
	order := func() int { return int(s.group.Status("a").Quality) - int(s.group.Status("b").Quality) }
	sign := func(n int) int { return min(max(n, -1), 1) }
	var dec calls.Decision
	before := sign(order())
	start := s.clock.Now()
	for range int(d / gap) {
		s.clock.pass(gap)
		id := callmodel.CallID(fmt.Sprint("call-", s.clock.Now().UnixNano()))
		req := calls.Request{CallID: id, To: "+1", At: s.clock.Now()}
		if err := s.router.RouteLive(&req, s.group, &dec); err != nil {
			t.Fatal(err)
		}
		to := dec.Destinations[0].ID
		for name := range s.share {
			s.share[name] *= 1 - 1.0/120
		}
		s.share[to] += 1.0 / 120
		s.finish(t, id, to)
		if now := sign(order()); now != before {
			s.changes = append(s.changes, s.clock.Now().Sub(start))
			before = now
		}
	}
}

// finish ends the call: answered for two minutes, or not.
func (s *simulation) finish(t *testing.T, id callmodel.CallID, to string) {
	t.Helper()
	r, ok := s.group.Reserve(to)
	if !ok {
		t.Fatal("there are no limits")
	}
	c := &calls.Call{ID: id, TenantID: "acme", State: calls.Failed, Cause: &calls.Cause{Q850: 19}, CreatedAt: s.clock.Now()}
	r.Hold(key(c))
	if s.rng.Float64() < s.asr(to, s.share[to]) {
		c.State, c.AnsweredAt = calls.Answered, s.clock.Now().Add(5*time.Second)
		s.group.Observe(c, nil)
		c.State, c.EndedAt = calls.Ended, c.AnsweredAt.Add(time.Duration(s.rng.ExpFloat64()*120*float64(time.Second)))
	}
	if !s.group.Observe(c, nil) {
		t.Fatal("the call has no place")
	}
}

func TestQualityFindsTheBetterTrunk(t *testing.T) {
	t.Parallel()
	s := simulate(t, func(id string, _ float64) float64 { return map[string]float64{"a": 0.35, "b": 0.65}[id] })
	s.run(t, time.Hour)
	assert.Greater(t, s.group.Status("b").Quality, s.group.Status("a").Quality)
	assert.Greater(t, s.share["b"], 0.9, "it gets the calls, but for those that explore")
	assert.Less(t, s.share["b"], 1.0)
	assert.LessOrEqual(t, len(s.changes), 2, "%v", s.changes)

	// The tables turn, and the order follows.
	s.asr = func(id string, _ float64) float64 { return map[string]float64{"a": 0.65, "b": 0.35}[id] }
	s.run(t, 4*time.Hour)
	assert.Greater(t, s.share["a"], 0.9)
	assert.LessOrEqual(t, len(s.changes), 6, "%v", s.changes)
}

// TestNearEqualTrunksDontSwap: ASRs a percentage point apart, a day of calls.
func TestNearEqualTrunksDontSwap(t *testing.T) {
	t.Parallel()
	for _, base := range []float64{0.45, 0.50, 0.54} {
		s := simulate(t, func(id string, _ float64) float64 {
			if id == "a" {
				return base
			}
			return base + 0.01
		})
		s.run(t, 12*time.Hour)
		t.Logf("ASR %.2f: %d changes of order, at %v", base, len(s.changes), s.changes)
		assert.LessOrEqual(t, len(s.changes), 4, "ASR %.2f", base)
	}
}

// TestQualityThatDependsOnLoadDoesNotOscillate: each trunk is the better one
// as long as it has few calls, so that any order spoils itself. Changes must
// become rare.
func TestQualityThatDependsOnLoadDoesNotOscillate(t *testing.T) {
	t.Parallel()
	s := simulate(t, func(id string, share float64) float64 {
		if id == "a" {
			return 0.95 - 0.75*share
		}
		return 0.85 - 0.55*share
	})
	// One of them starts ahead.
	s.share["a"], s.share["b"] = 0, 1
	s.run(t, 24*time.Hour)
	t.Logf("%d changes of order in 24 h, at %v", len(s.changes), s.changes)
	require.NotEmpty(t, s.changes, "the test means nothing if there is no pull")
	// Holds of 1, 2, 4 … 64 min and then of 2 h, for either trunk, and an order
	// changes by way of equality: two steps a swap.
	assert.LessOrEqual(t, len(s.changes), 4*(7+11))
	late := 0
	for _, at := range s.changes {
		if at > 12*time.Hour {
			late++
		}
	}
	assert.LessOrEqual(t, late, 4*6, "at most one a trunk in two hours, by way of equality")
}

func TestQualityNeedsASample(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := group(t, c, routing.Limits{}, trunk.Options{MinSample: 50, Failures: -1})
	neutral := g.Status("a").Quality
	for range 49 {
		attempt(t, g, c, &calls.Cause{Q850: 34})
		c.pass(17 * time.Second)
	}
	assert.Equal(t, neutral, g.Status("a").Quality)
	for range 10 {
		attempt(t, g, c, &calls.Cause{Q850: 34})
		c.pass(15 * time.Second)
	}
	assert.Less(t, g.Status("a").Quality, neutral)
	assert.InDelta(t, 0, stats(g, "a").ASR, 0)
	level := g.Status("a").Quality
	c.pass(24 * time.Hour)
	assert.Equal(t, level, g.Status("a").Quality, "silence is no quality")
	assert.Zero(t, stats(g, "a").Attempts)
}
