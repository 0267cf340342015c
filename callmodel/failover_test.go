package callmodel_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

func TestFailoverRetryable(t *testing.T) {
	t.Parallel()
	f := &callmodel.Failover{
		Retry: []callmodel.CausePattern{"sip:486", "sip:6xx", "q850:17"},
		Final: []callmodel.CausePattern{"sip:5xx", "q850:34", "sip:603"},
	}
	for _, c := range []struct {
		cause               callmodel.Cause
		byDefault, byPolicy bool
	}{
		{callmodel.Cause{SIP: 486}, false, true},
		{callmodel.Cause{SIP: 600}, false, true},
		{callmodel.Cause{SIP: 603}, false, false}, // it is named, its class is only meant
		{callmodel.Cause{SIP: 503}, true, false},
		{callmodel.Cause{SIP: 408}, true, true}, // neither names it
		{callmodel.Cause{SIP: 404}, false, false},
		{callmodel.Cause{Q850: 17}, false, true},
		{callmodel.Cause{Q850: 34}, true, false},
		{callmodel.Cause{Q850: 41}, true, true},
		{callmodel.Cause{SIP: 503, Q850: 17}, true, true},   // q850:17 names it, sip:5xx only its class
		{callmodel.Cause{SIP: 486, Q850: 34}, false, false}, // both are named, and final wins
	} {
		assert.Equal(t, c.byDefault, c.cause.Retryable(), "%+v", c)
		assert.Equal(t, c.byDefault, (*callmodel.Failover)(nil).Retryable(c.cause), "%+v", c)
		assert.Equal(t, c.byDefault, new(callmodel.Failover).Retryable(c.cause), "%+v", c)
		assert.Equal(t, c.byPolicy, f.Retryable(c.cause), "%+v", c)
	}
}

func TestCausePatterns(t *testing.T) {
	t.Parallel()
	for _, p := range []callmodel.CausePattern{"q850:1", "q850:127", "sip:300", "sip:699", "sip:3xx", "sip:6xx"} {
		require.NoError(t, (&callmodel.Failover{Retry: []callmodel.CausePattern{p}}).Validate(), p)
	}
	for _, p := range []callmodel.CausePattern{"", "q850:", "q850:0", "q850:128", "q850:01", "q850:+1", "sip:200", "sip:2xx", "sip:700", "sip:5x", "sip:50x", "sip:5X", "sip:5031", "sip:-50", "503", "SIP:503"} {
		require.Error(t, (&callmodel.Failover{Final: []callmodel.CausePattern{p}}).Validate(), p)
	}
	require.Error(t, (&callmodel.Failover{Retry: make([]callmodel.CausePattern, 65)}).Validate())
}

// TestCallFailsByItsDecision: the policy goes with the decision, also when it
// was stored and read again.
func TestCallFailsByItsDecision(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	busy := &callmodel.Cause{SIP: 486}
	down := &callmodel.Cause{SIP: 503}
	for _, c := range []struct {
		name     string
		failover *callmodel.Failover
		causes   []*callmodel.Cause
		after    time.Duration
		attempt  int
		state    callmodel.CallState
	}{
		{"by default busy is final", nil, []*callmodel.Cause{busy}, 0, 0, callmodel.CallFailed},
		{"busy is retried", &callmodel.Failover{Retry: []callmodel.CausePattern{"sip:486"}}, []*callmodel.Cause{busy}, 0, 1, callmodel.CallRouted},
		{"down is final", &callmodel.Failover{Final: []callmodel.CausePattern{"sip:5xx"}}, []*callmodel.Cause{down}, 0, 0, callmodel.CallFailed},
		{"two attempts", &callmodel.Failover{MaxAttempts: 2}, []*callmodel.Cause{down, down}, 0, 1, callmodel.CallFailed},
		{"all attempts", nil, []*callmodel.Cause{down, down}, 0, 2, callmodel.CallRouted},
		{"no more destinations", nil, []*callmodel.Cause{down, down, down}, 0, 2, callmodel.CallFailed},
		{"in time", &callmodel.Failover{TotalSeconds: 10}, []*callmodel.Cause{down}, 9 * time.Second, 1, callmodel.CallRouted},
		{"too late", &callmodel.Failover{TotalSeconds: 10}, []*callmodel.Cause{down}, 10 * time.Second, 0, callmodel.CallFailed},
	} {
		doc, err := json.Marshal(callmodel.Call{
			ID: "c1", State: callmodel.CallRouted, CreatedAt: created,
			Decision: &callmodel.Decision{Destinations: []callmodel.Destination{{ID: "a"}, {ID: "b"}, {ID: "c"}}, Failover: c.failover},
		})
		require.NoError(t, err)
		var call callmodel.Call
		require.NoError(t, json.Unmarshal(doc, &call))
		for _, cause := range c.causes {
			_, err := call.Apply(callmodel.CallEvent{ID: "e", Type: callmodel.EventFailed, At: created.Add(c.after), Cause: cause}, nil)
			require.NoError(t, err, c.name)
		}
		assert.Equal(t, c.attempt, call.Attempt, c.name)
		assert.Equal(t, c.state, call.State, c.name)
	}
}
