package storetest

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func publishRuns() []run {
	return []run{
		{"PublishCommitsAndGoesOn", publishCommits},
		{"PublishTwice", publishTwice},
		{"PublishNeedsTheLease", publishNeedsTheLease},
		{"PublishRefusesWhatIsNoRecording", publishRefuses},
		{"PublishedIsReplaced", publishedIsReplaced},
		{"PublishedSurvivesKills", publishedSurvivesKills},
		{"PublishedSurvivesFailures", publishedSurvivesFailures},
		{"PublishedSurvivesOperators", publishedSurvivesOperators},
		{"PublishedIsNotReplacedByNothing", publishedNotByNothing},
	}
}

// told is an event's body.
type told struct {
	Provisional bool            `json:"provisional"`
	Recording   calls.Recording `json:"recording"`
}

func body(t *testing.T, ev callmodel.OutboxEvent) told {
	t.Helper()
	var b told
	require.NoError(t, json.Unmarshal(ev.Body, &b))
	return b
}

// stays checks that the recording of id is on its call, alone, with its URL.
func (e Env) stays(t *testing.T, call, version string) calls.Recording {
	t.Helper()
	rec := e.call(t, "acme", callmodel.CallID(call)).Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.StatusCompletedDegraded, rec[0].Status)
	require.Equal(t, Result(version).Outputs[0].URL, rec[0].URL)
	return rec[0]
}

// published is the job of a new call c1 whose first version is published, to
// run again at once, and the lease that did it.
func (e Env) published(t *testing.T) (callmodel.JobID, ledger.Lease) {
	t.Helper()
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w1")
	require.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("first"), 0))
	return id, l
}

func publishCommits(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w0"), ledger.Failure{Cause: "broken"}))
	l := e.one(t, "w1")
	require.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("first"), long))

	j := e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.Equal(t, 1, j.Attempts, "it does not count")
	require.Empty(t, j.LastError)
	require.Empty(t, j.Worker)
	require.True(t, j.LeaseUntil.IsZero() && j.FinishedAt.IsZero())
	require.NotNil(t, j.Result)
	same(t, Result("first"), j.Result)
	require.True(t, j.Published)
	q, err := e.Jobs.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, recordings(ledger.Counts{Queued: 1}), q, "it can't run yet")

	rec := e.stays(t, "c1", "first")
	require.Equal(t, id, rec.JobID)
	require.Equal(t, long, j.RunAt.Sub(rec.FinishedAt), "by the database's clock")
	events := e.outbox(t)
	require.Len(t, events, 1)
	require.Equal(t, "recording.completed", events[0].Type)
	require.Equal(t, "c1", events[0].Subject)
	require.True(t, body(t, events[0]).Provisional)
	require.Equal(t, string(calls.RecordingPending), rec.State, "another version is to come")
	rec.State = "" // where it stands is for those who look at the call
	same(t, rec, body(t, events[0]).Recording)
	lines := e.actions(t, "acme", callmodel.AuditJobPublished)
	require.Len(t, lines, 1)
	require.Equal(t, "w1", lines[0].Actor)
	require.Equal(t, rec.URL, lines[0].Detail["url"])
	require.Empty(t, e.actions(t, "acme", callmodel.AuditJobCompleted))

	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}), "not before its time")
	if e.Advance != nil {
		e.Advance(long - tick)
		require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}))
		e.Advance(tick)
		same(t, Result("first"), e.one(t, "w").Job.Result, "the next attempt knows of it")
	}

	// And with a wait that ends.
	e.enqueue(t, Request("c2"))
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w"), Completed("c2"), short))
	next := e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: long})
	require.Equal(t, callmodel.CallID("c2"), next.Job.CallID)
	require.False(t, next.Job.RunAt.After(next.Job.LeaseUntil.Add(-long)), "claimed after its time")
	same(t, Result("c2"), next.Job.Result)
}

func publishTwice(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { assert.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("first"), 0)) })
	}
	wg.Wait()
	once := func() {
		t.Helper()
		require.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("other"), long), "a no-op")
		e.stays(t, "c1", "first")
		same(t, Result("first"), e.job(t, id).Result, "the first one stands")
		require.Len(t, e.outbox(t), 1)
		require.Len(t, e.actions(t, "acme", callmodel.AuditJobPublished), 1)
	}
	once()
	require.Equal(t, ledger.Queued, e.job(t, id).State)
	// Its answer was lost, and the job went on meanwhile.
	next := e.one(t, "w2")
	once()
	require.Equal(t, ledger.Running, e.job(t, id).State, "the other's lease is left alone")
	require.NoError(t, e.Jobs.Complete(t.Context(), next, Completed("second")))
	require.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("first"), 0))
	require.Equal(t, ledger.Done, e.job(t, id).State)
	e.stays(t, "c1", "second")
	require.Len(t, e.outbox(t), 2)
}

func publishNeedsTheLease(t *testing.T, e Env) {
	id, l := e.published(t)
	// Given up with the publication: nothing else can be done under it.
	gone := func(l ledger.Lease) {
		t.Helper()
		require.ErrorIs(t, e.Jobs.Complete(t.Context(), l, Completed("other")), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Complete(t.Context(), l, Outcome(record.Result{Status: record.StatusAbsent})), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "x", Quarantine: true}), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Release(t.Context(), l), callmodel.ErrLeaseLost)
		_, err := e.Jobs.Extend(t.Context(), l, long)
		require.ErrorIs(t, err, callmodel.ErrLeaseLost)
	}
	gone(l)
	// A lease that published nothing: given up, taken over, and of a job that is done.
	stale := e.one(t, "w2")
	lost := func() {
		t.Helper()
		require.ErrorIs(t, e.Jobs.Publish(t.Context(), stale, Completed("other"), 0), callmodel.ErrLeaseLost)
	}
	require.NoError(t, e.Jobs.Release(t.Context(), stale))
	lost()
	fresh := e.one(t, "w3")
	lost()
	e.stays(t, "c1", "first")
	require.NoError(t, e.Jobs.Complete(t.Context(), fresh, Completed("second")))
	lost()
	require.ErrorIs(t, e.Jobs.Publish(t.Context(), fresh, Completed("other"), 0), callmodel.ErrLeaseLost, "it is done")
	gone(stale)
	require.Equal(t, ledger.Done, e.job(t, id).State)
	e.stays(t, "c1", "second")
	require.Len(t, e.outbox(t), 2)
	unknown := ledger.Lease{Job: ledger.Job{ID: "j\x00"}, Token: 1, Worker: "w"}
	require.ErrorIs(t, e.Jobs.Publish(t.Context(), unknown, Completed("c1"), 0), callmodel.ErrLeaseLost)
}

func publishRefuses(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w")
	for _, status := range []record.Status{record.StatusAbsent, record.StatusQuarantined, "fine"} {
		bad := Result("c1")
		bad.Status = status
		requireCode(t, callmodel.CodeInvalid, e.Jobs.Publish(t.Context(), l, Outcome(bad), 0))
	}
	nothing := Result("c1")
	nothing.Outputs = nil
	requireCode(t, callmodel.CodeInvalid, e.Jobs.Publish(t.Context(), l, Outcome(nothing), 0))
	require.Equal(t, ledger.Running, e.job(t, id).State)
	require.Empty(t, e.outbox(t))
	require.NoError(t, e.Jobs.Publish(t.Context(), l, Completed("c1"), -long))
	e.one(t, "w") // a negative wait is none
}

func publishedIsReplaced(t *testing.T, e Env) {
	id, _ := e.published(t)
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w2"), Completed("second"), 0))
	e.stays(t, "c1", "second")
	l := e.one(t, "w3")
	same(t, Result("second"), l.Job.Result)
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("third")))
	rec := e.stays(t, "c1", "third")
	j := e.job(t, id)
	require.Equal(t, ledger.Done, j.State)
	require.Equal(t, j.FinishedAt, rec.FinishedAt)
	require.False(t, j.Published, "it isn't one that goes on")
	same(t, Result("third"), j.Result)

	events := e.outbox(t)
	require.Len(t, events, 3)
	keys := map[string]bool{}
	for i, version := range []string{"first", "second", "third"} {
		keys[events[i].Key] = true
		require.Equal(t, "recording.completed", events[i].Type)
		b := body(t, events[i])
		require.Equal(t, Result(version).Outputs[0].URL, b.Recording.URL)
		require.Equal(t, version != "third", b.Provisional)
	}
	require.Len(t, keys, 3, "each has an id of its own")
	require.True(t, keys["recording.completed:"+string(id)], "the last one that of any job")
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobPublished), 2)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobCompleted), 1)
}

// A worker that is killed in every follow-up is a poison job in the end, and
// the recording stays.
func publishedSurvivesKills(t *testing.T, e Env) {
	id, _ := e.published(t)
	if !e.OldClaims { // once as it may be, beside others
		e.claimWithin(t, short, ledger.Claim{Worker: "killed", TTL: short})
	}
	for i := range ledger.MaxAttempts {
		l := e.claimWithin(t, short, ledger.Claim{Worker: "killed", TTL: short})
		require.Equal(t, i, l.Job.Attempts)
		require.Equal(t, !e.OldClaims, l.Alone)
		same(t, Result("first"), l.Job.Result)
	}
	e.until(t, short, func() bool {
		for _, l := range e.claim(t, ledger.Claim{Worker: "w", TTL: long}) {
			t.Errorf("claimed a fourth time: %s", l.Job.ID)
		}
		return e.job(t, id).State == ledger.Quarantined
	})
	e.keptAside(t, id, "killed")
	lines := e.actions(t, "acme", callmodel.AuditJobQuarantined)
	require.Len(t, lines, 1)
	require.Equal(t, Result("first").Outputs[0].URL, lines[0].Detail["published"])
}

// keptAside checks a quarantined job whose first version is published.
func (e Env) keptAside(t *testing.T, id callmodel.JobID, cause string) {
	t.Helper()
	j := e.job(t, id)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Contains(t, j.LastError, cause)
	require.True(t, j.Published)
	same(t, Result("first"), j.Result)
	e.stays(t, "c1", "first")
	require.Len(t, e.outbox(t), 1, "what was told stands")
}

func publishedSurvivesFailures(t *testing.T, e Env) {
	id, _ := e.published(t)
	for range ledger.MaxAttempts {
		require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "disk full", Uncounted: true}))
		require.NoError(t, e.Jobs.Release(t.Context(), e.one(t, "w")))
		e.stays(t, "c1", "first")
		j := e.job(t, id)
		require.True(t, j.Published)
	}
	for range ledger.MaxAttempts {
		require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "decode failed"}))
	}
	e.keptAside(t, id, "decode failed")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "can't be", Quarantine: true}))
	e.keptAside(t, id, "can't be")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	bad := record.Result{
		Status: record.StatusQuarantined, Reason: "every leg is unreadable", Defects: []record.Defect{{Code: record.DefectUnreadableLeg, Leg: "agent"}},
	}
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(bad)))
	e.keptAside(t, id, "every leg is unreadable")
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobQuarantined), 3)
}

func publishedSurvivesOperators(t *testing.T, e Env) {
	id, _ := e.published(t)
	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "leave it"))
	e.keptAside(t, id, "leave it")
	require.Equal(t, "ann", e.actions(t, "acme", callmodel.AuditJobQuarantined)[0].Actor)
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}))
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "bob"))
	l := e.one(t, "w")
	require.True(t, l.Job.Published, "put back with its recording")
	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "stop it"))
	require.ErrorIs(t, e.Jobs.Publish(t.Context(), l, Completed("second"), 0), callmodel.ErrLeaseLost)
	e.keptAside(t, id, "stop it")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "bob"))
	l = e.one(t, "w")
	same(t, Result("first"), l.Job.Result)
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("second")))
	e.stays(t, "c1", "second")
	require.Len(t, e.outbox(t), 2)
}

// The legs vanished before the next look.
func publishedNotByNothing(t *testing.T, e Env) {
	id, _ := e.published(t)
	absent := record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}
	l := e.one(t, "w")
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Outcome(absent)))
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Outcome(absent)), "a no-op")
	j := e.job(t, id)
	require.Equal(t, ledger.Done, j.State)
	same(t, Result("first"), j.Result)
	e.stays(t, "c1", "first")
	events := e.outbox(t)
	require.Len(t, events, 2)
	require.Equal(t, "recording.completed:"+string(id), events[1].Key)
	require.False(t, body(t, events[1]).Provisional, "this is all there will be")
	require.Equal(t, Result("first").Outputs[0].URL, body(t, events[1]).Recording.URL)
}
