package storetest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func kindRuns() []run {
	return []run{
		{"KindsShareNoKeys", kindsShareNoKeys},
		{"KindsAreClaimedApart", kindsAreClaimedApart},
		{"KindsThatLeaveNothing", kindsThatLeaveNothing},
		{"KindsThatLeaveEffects", kindsThatLeaveEffects},
		{"KindsPublish", kindsPublish},
		{"KindsRefuseFaults", kindsRefuseFaults},
		{"ReasonsAreKept", reasonsAreKept},
	}
}

// verify is a job of a kind that the ledger has never heard of.
func verify(key string) ledger.Request {
	return ledger.Request{Kind: "verify", TenantID: "acme", Key: key, Payload: json.RawMessage(`{"key": "` + key + `"}`)}
}

// kinds reports whether the store has jobs of several kinds. One that hasn't must
// refuse them, and say what to do.
func (e Env) kinds(t *testing.T) bool {
	t.Helper()
	if !e.RecordsOnly {
		return true
	}
	_, _, err := e.Jobs.Enqueue(t.Context(), verify("c1"))
	requireCode(t, callmodel.CodeUnavailable, err)
	require.ErrorContains(t, err, "migrate up")
	e.enqueue(t, Request("c1"))
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{"verify"}}))
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{Kind: "verify"})
	require.NoError(t, err)
	require.Empty(t, jobs)
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{"verify", record.Kind}}), 1)
	return false
}

func kindsShareNoKeys(t *testing.T, e Env) {
	if !e.kinds(t) {
		return
	}
	recording, check := e.enqueue(t, Request("c1")), e.enqueue(t, verify("c1"))
	require.NotEqual(t, recording, check)
	for range 2 {
		id, created, err := e.Jobs.Enqueue(t.Context(), verify("c1"))
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, check, id)
	}
	foreign := verify("c1")
	foreign.TenantID = "umbrella"
	require.NotEqual(t, check, e.enqueue(t, foreign))
	j := e.job(t, check)
	require.Equal(t, "verify", j.Kind)
	require.Equal(t, "c1", j.Key)
	require.Empty(t, j.CallID)
	require.JSONEq(t, `{"key": "c1"}`, string(j.Payload))
	require.Equal(t, "c1", e.job(t, recording).Key)
	lines := e.actions(t, "acme", callmodel.AuditJobEnqueued)
	require.Equal(t, map[string]string{"kind": "verify", "key": "c1", "queue": ledger.DefaultQueue}, lines[1].Detail)
}

func kindsAreClaimedApart(t *testing.T, e Env) {
	if !e.kinds(t) {
		return
	}
	urgent := verify("v1")
	urgent.Priority = 9
	check := e.enqueue(t, urgent)
	here := Request("c2")
	here.Queue = "pbx-1"
	recordings := []callmodel.JobID{e.enqueue(t, Request("c1")), e.enqueue(t, here)}
	of := func(c ledger.Claim) []callmodel.JobID {
		c.Worker, c.Limit, c.TTL = "w", 10, long
		ids := []callmodel.JobID{}
		for _, l := range e.claim(t, c) {
			ids = append(ids, l.Job.ID)
			require.NoError(t, e.Jobs.Release(t.Context(), l))
		}
		return ids
	}
	require.Equal(t, recordings, of(ledger.Claim{Kinds: []string{record.Kind}}))
	require.Equal(t, recordings[1:], of(ledger.Claim{Kinds: []string{record.Kind}, Queues: []string{"pbx-1"}}))
	require.Equal(t, recordings, of(ledger.Claim{Kinds: []string{record.Kind}, Queues: []string{"pbx-1", ledger.DefaultQueue}}))
	require.Equal(t, []callmodel.JobID{check}, of(ledger.Claim{Kinds: []string{"verify"}}))
	require.Equal(t, []callmodel.JobID{check, recordings[0]},
		of(ledger.Claim{Kinds: []string{"verify", record.Kind, "x"}, Queues: []string{ledger.DefaultQueue}}))
	require.Equal(t, []callmodel.JobID{check, recordings[0], recordings[1]}, of(ledger.Claim{}))
	require.Empty(t, of(ledger.Claim{Kinds: []string{"transcode"}}))
	require.Equal(t, ledger.Queued, e.job(t, check).State, "nobody knows how to do it, and it waits")

	list, err := e.Jobs.Jobs(t.Context(), ledger.Filter{Kind: "verify"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, check, list[0].ID)
	q, err := e.Jobs.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, q.Queued)
	require.Equal(t, map[string]ledger.Counts{record.Kind: {Queued: 2}, "verify": {Queued: 1}}, q.ByKind)
}

func kindsThatLeaveNothing(t *testing.T, e Env) {
	if !e.kinds(t) {
		return
	}
	done := e.enqueue(t, verify("v1"))
	l := e.one(t, "w")
	for range 2 {
		require.NoError(t, e.Jobs.Complete(t.Context(), l, ledger.Outcome{Result: json.RawMessage(`{"ok": true}`)}))
	}
	j := e.job(t, done)
	require.Equal(t, ledger.Done, j.State)
	require.JSONEq(t, `{"ok": true}`, string(j.Result))
	e.enqueue(t, verify("v2"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{}), "nor even a result")
	lines := e.actions(t, "acme", callmodel.AuditJobCompleted)
	require.Len(t, lines, 2)
	require.Equal(t, map[string]string{"kind": "verify", "key": "v1"}, lines[0].Detail)

	for i, setAside := range []func(l ledger.Lease) error{
		func(l ledger.Lease) error {
			return e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "broken", Quarantine: true})
		},
		func(l ledger.Lease) error {
			return e.Jobs.Complete(t.Context(), l, ledger.Outcome{Quarantine: true, Reason: "broken", Result: json.RawMessage(`{"at": 7}`)})
		},
		func(l ledger.Lease) error { return e.Jobs.Quarantine(t.Context(), l.Job.ID, "ann", "broken") },
	} {
		id := e.enqueue(t, verify(fmt.Sprint("q", i)))
		require.NoError(t, setAside(e.one(t, "w")))
		j := e.job(t, id)
		require.Equal(t, ledger.Quarantined, j.State)
		require.Equal(t, "broken", j.LastError)
		require.False(t, j.Published)
		lines := e.actions(t, "acme", callmodel.AuditJobQuarantined)
		require.Len(t, lines, i+1)
		require.Equal(t, "broken", lines[i].Detail["reason"])
		require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
		require.Nil(t, e.job(t, id).Result, "of an attempt that made nothing of use")
		require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{}))
	}
	require.Empty(t, e.outbox(t), "it has told nobody")
}

// toldOf makes effects with an event of the job's own.
func toldOf(event string) func(ledger.Commit) (ledger.Effects, error) {
	return func(c ledger.Commit) (ledger.Effects, error) {
		key := event + ":" + string(c.JobID)
		if c.Token > 0 {
			key += fmt.Sprint(".", c.Token)
		}
		return ledger.Effects{
			Event:  &callmodel.OutboxEvent{Key: key, TenantID: c.TenantID, Type: event, Subject: c.Key, Body: []byte(`{}`)},
			Detail: map[string]string{"verified": c.Key},
		}, nil
	}
}

func kindsThatLeaveEffects(t *testing.T, e Env) {
	if !e.kinds(t) {
		return
	}
	id := e.enqueue(t, verify("v1"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Effects: toldOf("recording.verified")}))
	events := e.outbox(t)
	require.Len(t, events, 1)
	require.Equal(t, "recording.verified:"+string(id), events[0].Key)
	require.Equal(t, "v1", events[0].Subject)
	require.Equal(t, e.job(t, id).FinishedAt, events[0].At)
	require.Equal(t, map[string]string{"verified": "v1"}, e.actions(t, "acme", callmodel.AuditJobCompleted)[0].Detail)

	// What can't be told is not committed.
	id = e.enqueue(t, verify("v2"))
	l := e.one(t, "w")
	boom := callmodel.Errorf(callmodel.CodeUnsupported, "boom")
	err := e.Jobs.Complete(t.Context(), l, ledger.Outcome{Effects: func(ledger.Commit) (ledger.Effects, error) { return ledger.Effects{}, boom }})
	requireCode(t, callmodel.CodeUnsupported, err)
	require.Equal(t, ledger.Running, e.job(t, id).State)
	require.Len(t, e.outbox(t), 1)
}

func kindsPublish(t *testing.T, e Env) {
	if !e.kinds(t) {
		return
	}
	id := e.enqueue(t, verify("v1"))
	l := e.one(t, "w")
	half, whole := json.RawMessage(`{"half": 1}`), json.RawMessage(`{"half": 0}`)
	for _, nothing := range []ledger.Outcome{
		{},
		{Result: half},
		{Effects: toldOf("x")},
		{Result: half, Effects: toldOf("x"), Empty: true},
		{Result: half, Effects: func(ledger.Commit) (ledger.Effects, error) { return ledger.Effects{}, nil }},
	} {
		requireCode(t, callmodel.CodeInvalid, e.Jobs.Publish(t.Context(), l, nothing, 0))
	}
	for range 2 {
		require.NoError(t, e.Jobs.Publish(t.Context(), l, ledger.Outcome{Result: half, Effects: toldOf("x")}, 0))
	}
	require.True(t, e.job(t, id).Published)
	require.Len(t, e.outbox(t), 1)
	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "leave it"))
	require.True(t, e.job(t, id).Published)
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.JSONEq(t, string(half), string(e.job(t, id).Result))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Empty: true}))
	j := e.job(t, id)
	require.JSONEq(t, string(half), string(j.Result), "nothing takes the place of something")
	require.False(t, j.Published)

	id = e.enqueue(t, verify("v2"))
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w"), ledger.Outcome{Result: half, Effects: toldOf("x")}, 0))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Result: whole}))
	require.JSONEq(t, string(whole), string(e.job(t, id).Result))
}

func kindsRefuseFaults(t *testing.T, e Env) {
	ill := func(change func(r *ledger.Request)) {
		t.Helper()
		r := verify("v1")
		change(&r)
		_, _, err := e.Jobs.Enqueue(t.Context(), r)
		requireCode(t, callmodel.CodeInvalid, err)
	}
	ill(func(r *ledger.Request) { r.Kind = "" })
	ill(func(r *ledger.Request) { r.Kind = "a/b" })
	ill(func(r *ledger.Request) { r.Key = "" })
	ill(func(r *ledger.Request) { r.Key = "a/b" })
	ill(func(r *ledger.Request) { r.TenantID = "../x" })
	ill(func(r *ledger.Request) { r.CallID = "a b" })
	ill(func(r *ledger.Request) { r.Payload = nil })
	ill(func(r *ledger.Request) { r.Payload = json.RawMessage("{") })
	ill(func(r *ledger.Request) { r.Payload = json.RawMessage("\"\xff\"") })
	ill(func(r *ledger.Request) { r.Kind = record.Kind })                             // it is no spec
	ill(func(r *ledger.Request) { *r = Request("c1"); r.Key = "c2" })                 // nor that of this recording
	ill(func(r *ledger.Request) { *r = Request("c1"); r.TenantID = "umbrella" })      // nor that of this tenant's
	ill(func(r *ledger.Request) { *r = Request("c1"); r.Payload = []byte(`["c1"]`) }) // nor even an object
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func reasonsAreKept(t *testing.T, e Env) {
	want := record.LegsGrowing
	if e.RecordsOnly {
		want = "" // as if nothing were known
	}
	id := e.enqueue(t, Request("c1"))
	fail := func(f ledger.Failure) ledger.Job {
		t.Helper()
		require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), f))
		return e.job(t, id)
	}
	growing := ledger.Failure{Cause: "still growing", Reason: record.LegsGrowing, Uncounted: true}
	require.Equal(t, want, fail(growing).Reason)
	l := e.one(t, "w")
	require.Equal(t, want, l.Job.Reason, "the next attempt knows it")
	require.NoError(t, e.Jobs.Release(t.Context(), l))
	require.Equal(t, want, e.job(t, id).Reason, "a release changes nothing")
	require.Empty(t, fail(ledger.Failure{Cause: "something else", Uncounted: true}).Reason)

	fail(growing)
	e.claim(t, ledger.Claim{Worker: "dead", TTL: short})
	heir := e.claimWithin(t, short, ledger.Claim{Worker: "heir", TTL: long})
	require.Empty(t, heir.Job.Reason, "that its lease ended is another cause")
	require.NoError(t, e.Jobs.Release(t.Context(), heir))

	fail(growing)
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w"), Completed("c1"), 0))
	require.Empty(t, e.job(t, id).Reason)
	growing.Quarantine = true
	require.Equal(t, want, fail(growing).Reason)
	require.Equal(t, ledger.Quarantined, e.job(t, id).State)
	growing.Reason = ledger.Reason(make([]byte, 1000))
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.LessOrEqual(t, len(fail(growing).Reason), ledger.MaxReason, "hostile text is clipped")
}
