package storetest

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func endRuns() []run {
	return []run{
		{"CompleteCommitsEverything", completeCommits},
		{"CompleteTwice", completeTwice},
		{"CompleteAbsent", completeAbsent},
		{"CompleteQuarantined", completeQuarantined},
		{"CompleteRefusesWhatIsNoJSON", completeRefuses},
		{"FailCounts", failCounts},
		{"FailUncounted", failUncounted},
		{"FailWaits", failWaits},
		{"FailQuarantines", failQuarantines},
	}
}

func completeCommits(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w1")
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1")))

	j := e.job(t, id)
	require.Equal(t, ledger.Done, j.State)
	require.NotNil(t, j.Result)
	same(t, Result("c1"), j.Result)
	require.False(t, j.FinishedAt.IsZero())
	require.True(t, j.LeaseUntil.IsZero())
	require.Empty(t, j.Worker)

	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	want := calls.Recording{
		RecordingID: "c1", JobID: id, State: string(calls.RecordingDegraded), Status: record.StatusCompletedDegraded,
		URL: Result("c1").Outputs[0].URL, Outputs: Result("c1").Outputs, Duration: time.Minute,
		Defects: Result("c1").Defects, FinishedAt: j.FinishedAt,
	}
	same(t, want, rec[0])
	page, err := e.Calls.Calls(t.Context(), "acme", calls.Filter{})
	require.NoError(t, err)
	same(t, rec, page.Calls[0].Recordings, "in lists too")

	events := e.outbox(t)
	require.Len(t, events, 1)
	ev := events[0]
	require.Equal(t, "recording.completed:"+string(id), ev.Key)
	require.Equal(t, "recording.completed", ev.Type)
	require.Equal(t, callmodel.TenantID("acme"), ev.TenantID)
	require.Equal(t, "c1", ev.Subject)
	require.Equal(t, j.FinishedAt, ev.At)
	var body struct {
		Recording calls.Recording `json:"recording"`
	}
	require.NoError(t, json.Unmarshal(ev.Body, &body))
	want.State = "" // where it stands is for those who look at the call
	same(t, want, body.Recording)

	lines := e.actions(t, "acme", callmodel.AuditJobCompleted)
	require.Len(t, lines, 1)
	require.Equal(t, "w1", lines[0].Actor)
	require.Equal(t, string(id), lines[0].Subject)
}

func completeTwice(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { assert.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1"))) })
	}
	wg.Wait()
	other := Result("other")
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Outcome(other)), "a no-op")
	same(t, Result("c1"), e.job(t, id).Result, "the first result stands")
	require.Len(t, e.call(t, "acme", "c1").Recordings, 1)
	require.Len(t, e.outbox(t), 1)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobCompleted), 1)
	require.ErrorIs(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "late"}), callmodel.ErrLeaseLost)
	require.ErrorIs(t, e.Jobs.Release(t.Context(), l), callmodel.ErrLeaseLost)
	require.Equal(t, ledger.Done, e.job(t, id).State)
}

func completeAbsent(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	absent := record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(absent)))
	events := e.outbox(t)
	require.Len(t, events, 1)
	require.Equal(t, "recording.absent:"+string(id), events[0].Key)
	// The call may be stored after its recording, when the API was down meanwhile.
	e.create(t, "c1")
	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.ReasonNoMedia, rec[0].Reason)
	require.Empty(t, rec[0].URL)
}

func completeQuarantined(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	bad := record.Result{
		Status: record.StatusQuarantined, Reason: "every leg is unreadable",
		Defects: []record.Defect{{Code: record.DefectUnreadableLeg, Leg: "agent"}},
	}
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(bad)))
	j := e.job(t, id)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Equal(t, bad.Reason, j.LastError)
	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.StatusQuarantined, rec[0].Status)
	same(t, bad.Defects, rec[0].Defects)
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("c1")))
	rec = e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.StatusCompletedDegraded, rec[0].Status)
	require.Len(t, e.outbox(t), 2)
}

func completeRefuses(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w")
	requireCode(t, callmodel.CodeInvalid, e.Jobs.Complete(t.Context(), l, ledger.Outcome{Result: []byte("{")}))
	requireCode(t, callmodel.CodeInvalid, e.Jobs.Complete(t.Context(), l, ledger.Outcome{Result: []byte("\"\xff\"")}))
	require.Equal(t, ledger.Running, e.job(t, id).State)
}

func failCounts(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	for i := 1; i < ledger.MaxAttempts; i++ {
		l := e.one(t, "w")
		require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "decode failed"}))
		j := e.job(t, id)
		require.Equal(t, ledger.Queued, j.State)
		require.Equal(t, i, j.Attempts)
		require.Equal(t, "decode failed", j.LastError)
		require.ErrorIs(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "again"}), callmodel.ErrLeaseLost)
		require.Equal(t, i, e.job(t, id).Attempts)
	}
	require.Empty(t, e.outbox(t))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "the last straw"}))
	j := e.job(t, id)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Equal(t, ledger.MaxAttempts, j.Attempts)
	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, "the last straw", rec[0].Reason)

	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	j = e.job(t, id)
	require.Zero(t, j.Attempts)
	require.Equal(t, ledger.Queued, j.State)
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "once more"}))
	require.Equal(t, ledger.Queued, e.job(t, id).State, "it has three attempts again")
}

func failUncounted(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	for range 2 * ledger.MaxAttempts {
		require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "bucket down", Uncounted: true}))
	}
	j := e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.Zero(t, j.Attempts)
	require.Equal(t, "bucket down", j.LastError)
}

func failWaits(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "x", RetryIn: long}))
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}))
	j := e.job(t, id)
	require.GreaterOrEqual(t, j.RunAt.Sub(j.CreatedAt), long)

	e.enqueue(t, Request("c2"))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "x", RetryIn: short}))
	l := e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: long})
	require.Equal(t, callmodel.CallID("c2"), l.Job.CallID)
	// A negative wait is none.
	require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "x", RetryIn: -long}))
	e.one(t, "w")
}

func failQuarantines(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	long := string(make([]byte, 100_000)) + "\xff"
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: long, Quarantine: true}))
	j := e.job(t, id)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Equal(t, 1, j.Attempts)
	require.NotEmpty(t, j.LastError)
	require.Less(t, len(j.LastError), 10_000, "hostile text is clipped")
	require.Len(t, e.outbox(t), 1)
}
