package calls_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
)

func TestFailoverRetryable(t *testing.T) {
	t.Parallel()
	f := &calls.Failover{
		Retry: []calls.CausePattern{"sip:486", "sip:6xx", "q850:17"},
		Final: []calls.CausePattern{"sip:5xx", "q850:34", "sip:603"},
	}
	for _, c := range []struct {
		cause               calls.Cause
		byDefault, byPolicy bool
	}{
		{calls.Cause{SIP: 486}, false, true},
		{calls.Cause{SIP: 600}, false, true},
		{calls.Cause{SIP: 603}, false, false}, // it is named, its class is only meant
		{calls.Cause{SIP: 503}, true, false},
		{calls.Cause{SIP: 408}, true, true}, // neither names it
		{calls.Cause{SIP: 404}, false, false},
		{calls.Cause{Q850: 17}, false, true},
		{calls.Cause{Q850: 34}, true, false},
		{calls.Cause{Q850: 41}, true, true},
		{calls.Cause{SIP: 503, Q850: 17}, true, true},   // q850:17 names it, sip:5xx only its class
		{calls.Cause{SIP: 486, Q850: 34}, false, false}, // both are named, and final wins
	} {
		assert.Equal(t, c.byDefault, c.cause.Retryable(), "%+v", c)
		assert.Equal(t, c.byDefault, (*calls.Failover)(nil).Retryable(c.cause), "%+v", c)
		assert.Equal(t, c.byDefault, new(calls.Failover).Retryable(c.cause), "%+v", c)
		assert.Equal(t, c.byPolicy, f.Retryable(c.cause), "%+v", c)
	}
}

func TestCausePatterns(t *testing.T) {
	t.Parallel()
	for _, p := range []calls.CausePattern{"q850:1", "q850:127", "sip:300", "sip:699", "sip:3xx", "sip:6xx"} {
		require.NoError(t, (&calls.Failover{Retry: []calls.CausePattern{p}}).Validate(), p)
	}
	for _, p := range []calls.CausePattern{
		"", "q850:", "q850:0", "q850:128", "q850:01", "q850:+1", "sip:200",
		"sip:2xx", "sip:700", "sip:5x", "sip:50x", "sip:5X", "sip:5031", "sip:-50", "503", "SIP:503",
	} {
		require.Error(t, (&calls.Failover{Final: []calls.CausePattern{p}}).Validate(), p)
	}
	require.Error(t, (&calls.Failover{Retry: make([]calls.CausePattern, 65)}).Validate())
}

// TestCallFailsByItsDecision: the policy goes with the decision, also when it
// was stored and read again.
func TestCallFailsByItsDecision(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	busy := &calls.Cause{SIP: 486}
	down := &calls.Cause{SIP: 503}
	for _, c := range []struct {
		name     string
		failover *calls.Failover
		causes   []*calls.Cause
		after    time.Duration
		attempt  int
		state    calls.State
	}{
		{"by default busy is final", nil, []*calls.Cause{busy}, 0, 0, calls.Failed},
		{"busy is retried", &calls.Failover{Retry: []calls.CausePattern{"sip:486"}}, []*calls.Cause{busy}, 0, 1, calls.Routed},
		{"down is final", &calls.Failover{Final: []calls.CausePattern{"sip:5xx"}}, []*calls.Cause{down}, 0, 0, calls.Failed},
		{"two attempts", &calls.Failover{MaxAttempts: 2}, []*calls.Cause{down, down}, 0, 1, calls.Failed},
		{"all attempts", nil, []*calls.Cause{down, down}, 0, 2, calls.Routed},
		{"no more destinations", nil, []*calls.Cause{down, down, down}, 0, 2, calls.Failed},
		{"in time", &calls.Failover{Total: 10 * time.Second}, []*calls.Cause{down}, 9 * time.Second, 1, calls.Routed},
		{"too late", &calls.Failover{Total: 10 * time.Second}, []*calls.Cause{down}, 10 * time.Second, 0, calls.Failed},
	} {
		doc, err := json.Marshal(calls.Call{
			ID: "c1", State: calls.Routed, CreatedAt: created,
			Decision: &calls.Decision{Destinations: []calls.Destination{{ID: "a"}, {ID: "b"}, {ID: "c"}}, Failover: c.failover},
		})
		require.NoError(t, err)
		var call calls.Call
		require.NoError(t, json.Unmarshal(doc, &call))
		for _, cause := range c.causes {
			_, err := call.Apply(calls.Event{ID: "e", Type: calls.EventFailed, At: created.Add(c.after), Cause: cause}, nil)
			require.NoError(t, err, c.name)
		}
		assert.Equal(t, c.attempt, call.Attempt, c.name)
		assert.Equal(t, c.state, call.State, c.name)
	}
}
