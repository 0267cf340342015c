package storetest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// everything does once whatever events tell of, under names that begin with prefix.
func (e Env) everything(t *testing.T, prefix string) {
	t.Helper()
	id := callmodel.CallID(prefix + "-call")
	for _, c := range []calls.Call{
		{ID: id, TenantID: "acme", State: calls.Routed, Type: calls.TypeVoice, CreatedAt: started},
		{ID: id + "-no", TenantID: "acme", State: calls.Rejected, Type: calls.TypeVoice, CreatedAt: started},
	} {
		_, err := e.Calls.CreateCall(t.Context(), calls.NewCall{Call: c, Actor: "pbx", IdempotencyKey: string(c.ID), Response: []byte("{}")})
		require.NoError(t, err)
	}
	for _, ev := range []calls.Event{
		{ID: "1", Type: calls.EventAnswered},
		{ID: "2", Type: calls.EventHeld},
		{ID: "2", Type: calls.EventHeld}, // told twice
		{ID: "3", Type: calls.EventEnded, LegsBelow: "acme", Legs: []record.LegSpec{{Name: "a", Segments: []record.SegmentSpec{{URI: "acme/secret.wav"}}}}},
	} {
		_, err := e.Calls.AppendEvent(t.Context(), "acme", id, ev, "pbx", nil)
		require.NoError(t, err)
	}
	e.enqueue(t, Request(prefix+"-a"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(prefix+"-a")))
	quarantined := e.enqueue(t, Request(prefix+"-b"))
	require.NoError(t, e.Jobs.Quarantine(t.Context(), quarantined, "ann", "odd"))
	require.NoError(t, e.Jobs.Retry(t.Context(), quarantined, "ann"))
	_, err := e.Jobs.Move(t.Context(), []callmodel.JobID{quarantined}, "pbx-2", "ann")
	require.NoError(t, err)
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(prefix+"-b")))
	for _, hash := range []string{prefix + "-1", prefix + "-2"} {
		require.NoError(t, e.Rules.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: hash, Format: "rules", Body: []byte("x")}, "ann"))
	}
	e.change(t, rulesets.Change{Action: rulesets.ActionActivate, Hash: prefix + "-1"})
	e.change(t, canaryOf(prefix+"-2", 1))
	e.change(t, rulesets.Change{Action: rulesets.ActionAbort})
	e.change(t, canaryOf(prefix+"-2", 1))
	e.change(t, rulesets.Change{Action: rulesets.ActionPromote})
	e.change(t, rollback(""))
	for _, back := range []bool{false, true} {
		require.NoError(t, e.Webhooks.TellBucket(t.Context(), outbox.Bucket{
			Bucket: "s3://calls", Back: back, Reason: callmodel.BucketForbidden, Since: started, Worker: "w", Tenants: []callmodel.TenantID{"umbrella", "acme"},
		}))
	}
}

// told is what the outbox has behind an event, by type.
func (e Env) told(t *testing.T, after int64) (kinds []string, events []callmodel.OutboxEvent) {
	t.Helper()
	events, err := e.Outbox.OutboxEvents(t.Context(), after, 1000)
	require.NoError(t, err)
	keys := map[string]bool{}
	for i := range events {
		kinds = append(kinds, events[i].Type)
		require.Falsef(t, keys[events[i].Key], "%s is there twice", events[i].Key)
		keys[events[i].Key] = true
		var body struct {
			Type     string             `json:"type"`
			TenantID callmodel.TenantID `json:"tenant_id"`
		}
		require.NoError(t, json.Unmarshal(events[i].Body, &body))
		require.Equal(t, events[i].Type, body.Type)
		require.Equal(t, callmodel.TenantID("acme"), body.TenantID)
		require.Equal(t, callmodel.TenantID("acme"), events[i].TenantID)
	}
	return kinds, events
}

func last(events []callmodel.OutboxEvent) int64 {
	if len(events) == 0 {
		return 0
	}
	return events[len(events)-1].ID
}

// hookEvents: recordings' events are always there, and others where an enabled webhook of
// the tenant asks for them.
func hookEvents(t *testing.T, e Env) {
	e.everything(t, "nobody")
	always := []string{outbox.RecordingCompleted, outbox.RecordingQuarantined, outbox.RecordingCompleted}
	kinds, events := e.told(t, 0)
	require.Equal(t, always, kinds)

	other := NewWebhook("other")
	other.TenantID, other.Events = "umbrella", []string{"call.*", "job.*", "ruleset.*"}
	e.createHook(t, other)
	callback := NewWebhook("callback")
	callback.Events, callback.Form = nil, webhooks.FormCallback
	e.createHook(t, callback)
	e.everything(t, "others")
	kinds, events = e.told(t, last(events))
	require.Equal(t, always, kinds, "another tenant's, and a form that has none")

	some := NewWebhook("some")
	some.Events = []string{"call.*", outbox.JobQuarantined, outbox.RuleSetActivated, outbox.BucketAway}
	e.createHook(t, some)
	e.everything(t, "some")
	kinds, events = e.told(t, last(events))
	slices.Sort(kinds)
	require.Equal(t, []string{
		"bucket.away", "call.answered", "call.created", "call.ended", "call.held", "call.rejected", "job.quarantined",
		"recording.completed", "recording.completed", "recording.quarantined", "ruleset.activated",
	}, kinds)
	for i := range events {
		require.NotContains(t, string(events[i].Body), "secret.wav")
		switch events[i].Type {
		case "call.ended":
			var b struct {
				CallID callmodel.CallID `json:"call_id"`
				Call   calls.Call       `json:"call"`
				Event  calls.Event      `json:"event"`
			}
			require.NoError(t, json.Unmarshal(events[i].Body, &b))
			require.Equal(t, callmodel.CallID("some-call"), b.CallID)
			require.Equal(t, calls.Ended, b.Call.State)
			require.Equal(t, "3", b.Event.ID)
			require.Equal(t, "some-call", events[i].Subject)
		case "bucket.away":
			require.Equal(t, "s3://calls", events[i].Subject)
			require.Contains(t, string(events[i].Body), `"bucket":"s3://calls","reason":"forbidden","since":"2026-03-01T10:20:30.123456789Z","worker":"w"`)
		case "job.quarantined":
			require.Contains(t, string(events[i].Body), `"actor":"ann"`)
			require.Contains(t, string(events[i].Body), `"call_id":"some-b"`)
		case "ruleset.activated":
			require.Contains(t, string(events[i].Body), `"hash":"some-1"`)
		}
	}

	off := webhooks.Disabled
	_, err := e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-some", State: &off, Actor: "ann"})
	require.NoError(t, err)
	e.everything(t, "off")
	kinds, events = e.told(t, last(events))
	require.Equal(t, always, kinds)

	all := NewWebhook("all")
	all.Events = nil
	e.createHook(t, all)
	e.everything(t, "all")
	kinds, _ = e.told(t, last(events))
	slices.Sort(kinds)
	require.Equal(t, []string{
		"bucket.away", "bucket.back", "call.answered", "call.created", "call.ended", "call.held", "call.rejected",
		"job.completed", "job.completed", "job.enqueued", "job.enqueued", "job.moved", "job.quarantined", "job.retried",
		"recording.completed", "recording.completed", "recording.quarantined",
		"ruleset.activated", "ruleset.canary", "ruleset.canary", "ruleset.canary_aborted", "ruleset.promoted", "ruleset.rolled_back", "ruleset.stored", "ruleset.stored",
	}, kinds)
}
