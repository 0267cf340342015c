package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// endedBesideSubmitted: whatever recordings somebody has submitted under the id of a
// live call, its own is made.
func endedBesideSubmitted(t *testing.T, e Env) {
	for _, call := range []string{"c1", "c2.", strings.Repeat("x", callmodel.MaxIDLen-2) + ".y"} {
		e.create(t, call)
		e.event(t, callmodel.CallID(call), calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
		taken := map[callmodel.JobID]bool{}
		submit := func(id string) {
			other := Spec(id)
			other.CallID = "another"
			other.Legs = []record.LegSpec{{Name: "prompt", Segments: []record.SegmentSpec{{URI: "prompt.wav"}}}}
			taken[e.enqueue(t, RequestOf(other))] = true
		}
		submit(call)
		if call == "c1" {
			submit("c1.call") // somebody means it
		}
		legs := Spec("own").Legs
		ended := calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: legs}
		e.event(t, callmodel.CallID(call), ended)
		e.event(t, callmodel.CallID(call), ended) // twice is once

		jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
		require.NoError(t, err)
		var own []ledger.Job
		for i := range jobs {
			if jobs[i].CallID == callmodel.CallID(call) {
				own = append(own, jobs[i])
			}
		}
		require.Len(t, own, 1, call)
		require.False(t, taken[own[0].ID])
		require.NotEqual(t, call, own[0].Key)
		require.True(t, callmodel.ValidID(own[0].Key), own[0].Key)
		s := SpecOf(t, &own[0])
		require.NoError(t, s.Validate())
		require.Equal(t, own[0].Key, string(s.RecordingID))
		require.Equal(t, legs, s.Legs)

		leases := e.claim(t, ledger.Claim{Worker: "w", Limit: 10, TTL: long})
		for _, l := range leases {
			require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(l.Job.Key)))
		}
		require.Len(t, e.call(t, "acme", callmodel.CallID(call)).Recordings, 1)
	}

	// The very recording that the call would make, submitted beforehand, is it, though
	// the submitter took the call for longer. One of the same call that is redacted
	// otherwise isn't.
	for call, jobs := range map[string]int{"c3": 1, "c4": 2} {
		e.create(t, call)
		e.event(t, callmodel.CallID(call), calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
		s := Spec(call)
		s.EndedAt = s.EndedAt.Add(time.Second)
		if jobs == 2 {
			s.Redactions = []record.Redaction{{From: time.Second, To: 2 * time.Second}}
		}
		e.enqueue(t, RequestOf(s))
		e.event(t, callmodel.CallID(call), calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec(call).Legs})
		require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 10, TTL: long}), jobs, call)
	}
}

// jobsWithAnEvent: what a program has done with a call is enqueued with the event, once,
// or not at all.
func jobsWithAnEvent(t *testing.T, e Env) {
	e.create(t, "c1")
	e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	ended := calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec("c1").Legs, Jobs: []ledger.Request{
		{Kind: "bill", Key: "c1", Payload: []byte(`{"call": "c1"}`), Queue: "billing"}, {Kind: "verify", Key: "c1.first", Payload: []byte(`{}`)},
	}}
	if e.RecordsOnly {
		_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", ended, "x", Defaults())
		requireCode(t, callmodel.CodeUnavailable, err)
		require.Equal(t, calls.Answered, e.call(t, "acme", "c1").State)
		return
	}
	for name, ill := range map[string]ledger.Request{
		"another tenant's": {Kind: "bill", Key: "c1", Payload: []byte(`{}`), TenantID: "umbrella"},
		"another call's":   {Kind: "bill", Key: "c1", Payload: []byte(`{}`), CallID: "c2"},
		"without a kind":   {Key: "c1", Payload: []byte(`{}`)},
	} {
		refused := ended
		refused.Jobs = append([]ledger.Request{ended.Jobs[0]}, ill)
		_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", refused, "x", Defaults())
		requireCode(t, callmodel.CodeInvalid, err)
		require.ErrorContains(t, err, "jobs[1]", name)
	}
	require.Equal(t, calls.Answered, e.call(t, "acme", "c1").State, "the event wasn't stored either")
	list, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, list)

	e.event(t, "c1", ended)
	e.event(t, "c1", ended) // twice is once
	list, err = e.Jobs.Jobs(t.Context(), ledger.Filter{CallID: "c1"})
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, record.Kind, list[0].Kind)
	require.Equal(t, "bill", list[1].Kind)
	require.Equal(t, "billing", list[1].Queue)
	require.Equal(t, callmodel.TenantID("acme"), list[1].TenantID)
	require.JSONEq(t, `{"call": "c1"}`, string(list[1].Payload))
	require.Equal(t, "c1.first", list[2].Key)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobEnqueued), 3)
}
