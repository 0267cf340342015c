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
