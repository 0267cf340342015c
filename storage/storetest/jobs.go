package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Jobs is what a [JobLedger] promises, with the call record, the audit log and the
// outbox that its transactions write to.
func Jobs(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, slices.Concat(jobRuns(), leaseRuns(), endRuns(), publishRuns(), kindRuns(), retryRuns(), suspectRuns(), fleetRuns(), turnRuns(), adoptRuns()))
}

func jobRuns() []run {
	return []run{
		{"EnqueueReadsBack", enqueueReadsBack},
		{"EnqueueIsIdempotent", enqueueIsIdempotent},
		{"EnqueueRefusesFaults", enqueueRefusesFaults},
		{"EnqueueAtOnceMakesOne", enqueueAtOnceMakesOne},
		{"ListsInOrderOfCreation", listsInOrder},
		{"UnknownJobs", unknownJobs},
		{"OperatorMoves", operatorMoves},
		{"Stats", stats},
		{"LegsDue", legsDue},
		{"LegsNamed", legsNamed},
	}
}

func enqueueReadsBack(t *testing.T, e Env) {
	r := Request("c1")
	r.Queue, r.Priority = "pbx-7", 4
	id := e.enqueue(t, r)
	require.True(t, callmodel.ValidID(string(id)), id)
	j := e.job(t, id)
	same(t, Spec("c1"), SpecOf(t, &j))
	require.Equal(t, record.Kind, j.Kind)
	require.Equal(t, callmodel.TenantID("acme"), j.TenantID)
	require.Equal(t, callmodel.CallID("c1"), j.CallID)
	require.Equal(t, "c1", j.Key)
	require.Equal(t, ledger.Queued, j.State)
	require.Equal(t, "pbx-7", j.Queue)
	require.Equal(t, 4, j.Priority)
	require.Zero(t, j.Attempts)
	require.False(t, j.CreatedAt.IsZero())
	require.Equal(t, j.CreatedAt, j.RunAt)
	require.True(t, j.LeaseUntil.IsZero() && j.FinishedAt.IsZero() && j.Result == nil && j.Worker == "" && j.LastError == "" && j.Reason == "")

	r = Request("c2")
	r.Actor = "ann"
	require.Equal(t, ledger.DefaultQueue, e.job(t, e.enqueue(t, r)).Queue)
	lines := e.actions(t, "acme", callmodel.AuditJobEnqueued)
	require.Len(t, lines, 2)
	require.Equal(t, string(id), lines[0].Subject)
	require.Equal(t, "ann", lines[1].Actor)
}

func enqueueIsIdempotent(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	changed := Request("c1")
	changed.Priority = 9
	for range 3 {
		again, created, err := e.Jobs.Enqueue(t.Context(), changed)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, id, again)
	}
	require.Zero(t, e.job(t, id).Priority, "the first one stands")

	foreign := Spec("c1")
	foreign.TenantID = "umbrella"
	other := RequestOf(foreign)
	require.NotEqual(t, id, e.enqueue(t, other), "another tenant's recording is another")
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobEnqueued), 1)

	// Done is final: the same recording never runs again by itself.
	for range 2 {
		l := e.one(t, "w")
		require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1")))
	}
	again, created, err := e.Jobs.Enqueue(t.Context(), Request("c1"))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, id, again)
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}))
}

func enqueueRefusesFaults(t *testing.T, e Env) {
	s := Spec("c1")
	s.Legs = nil
	r := RequestOf(s)
	r.Queue = "../etc"
	_, _, err := e.Jobs.Enqueue(t.Context(), r)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.GreaterOrEqual(t, len(faults), 2, "all at once: %v", err)
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func enqueueAtOnceMakesOne(t *testing.T, e Env) {
	const many = 16
	ids, made := make([]callmodel.JobID, many), make([]bool, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			var err error
			ids[i], made[i], err = e.Jobs.Enqueue(t.Context(), Request("c1"))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	created := 0
	for i := range many {
		require.Equal(t, ids[0], ids[i])
		if made[i] {
			created++
		}
	}
	require.Equal(t, 1, created)
}

func listsInOrder(t *testing.T, e Env) {
	var ids []callmodel.JobID
	for i, name := range names("c", 25) {
		s := Spec(name)
		if i%5 == 0 {
			s.TenantID = "umbrella"
		}
		r := RequestOf(s)
		if i%2 == 0 {
			r.Queue = "pbx-1"
		}
		ids = append(ids, e.enqueue(t, r))
	}
	require.True(t, slices.IsSorted(ids), "ids sort in the order of creation")
	var seen []callmodel.JobID
	for after := callmodel.JobID(""); ; {
		page, err := e.Jobs.Jobs(t.Context(), ledger.Filter{Limit: 10, After: after})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, j := range page {
			seen = append(seen, j.ID)
		}
		after = seen[len(seen)-1]
		e.enqueue(t, Request("late"+string(after))) // the pages don't shift
		if len(seen) > 100 {
			break
		}
	}
	require.Equal(t, ids, seen[:25])

	count := func(f ledger.Filter) int {
		f.Limit = 1000
		page, err := e.Jobs.Jobs(t.Context(), f)
		require.NoError(t, err)
		return len(page)
	}
	require.Equal(t, 5, count(ledger.Filter{TenantID: "umbrella"}))
	require.Equal(t, 13, count(ledger.Filter{Queue: "pbx-1"}))
	require.Equal(t, 2, count(ledger.Filter{Queue: ledger.DefaultQueue, TenantID: "umbrella"}))
	require.Equal(t, 0, count(ledger.Filter{State: ledger.Done}))
	require.Equal(t, 0, count(ledger.Filter{TenantID: "a'; DROP TABLE jobs; --\x00"}))
	first := e.job(t, ids[0])
	all := count(ledger.Filter{})
	require.Equal(t, 1, count(ledger.Filter{CallID: first.CallID}))
	require.Equal(t, 0, count(ledger.Filter{CallID: "nobody's"}))
	require.Equal(t, all, count(ledger.Filter{NoCall: true}))
	require.Equal(t, 1, count(ledger.Filter{NoCall: true, CallID: first.CallID}))
	n := NewCall(string(first.CallID))
	n.Call.TenantID = first.TenantID
	_, err := e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, all-1, count(ledger.Filter{NoCall: true}))
	require.Equal(t, 0, count(ledger.Filter{NoCall: true, CallID: first.CallID}))
	require.Equal(t, 1, count(ledger.Filter{CallID: first.CallID}))
	_, err = e.Jobs.Jobs(t.Context(), ledger.Filter{After: "rubbish"})
	requireCode(t, callmodel.CodeInvalid, err)
}

func unknownJobs(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	guess := callmodel.JobID(string(id[:len(id)-1]) + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(string(id), "0")])
	for _, id := range []callmodel.JobID{"", "nope", guess, "j\x00", "j000000000001-00000000'"} {
		_, err := e.Jobs.Job(t.Context(), id)
		require.ErrorIs(t, err, callmodel.ErrNotFound, "%q", id)
		require.ErrorIs(t, e.Jobs.Retry(t.Context(), id, "ann"), callmodel.ErrNotFound)
		require.ErrorIs(t, e.Jobs.Quarantine(t.Context(), id, "ann", "why"), callmodel.ErrNotFound)
		l := ledger.Lease{Job: ledger.Job{ID: id}, Token: 1, Worker: "w"}
		require.ErrorIs(t, e.Jobs.Complete(t.Context(), l, Completed("c1")), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{}), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Release(t.Context(), l), callmodel.ErrLeaseLost)
		_, err = e.Jobs.Extend(t.Context(), l, long)
		require.ErrorIs(t, err, callmodel.ErrLeaseLost)
	}
	require.Equal(t, ledger.Queued, e.job(t, id).State)
}

func operatorMoves(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	requireIllegal(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.Equal(t, ledger.Queued, e.job(t, id).State)

	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "it is a fax\x00"))
	j := e.job(t, id)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Contains(t, j.LastError, "it is a fax")
	requireIllegal(t, e.Jobs.Quarantine(t.Context(), id, "ann", "again"))
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w"}))

	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.StatusQuarantined, rec[0].Status)
	require.Contains(t, rec[0].Reason, "it is a fax")
	require.Len(t, e.outbox(t), 1)
	lines := e.actions(t, "acme", callmodel.AuditJobQuarantined)
	require.Len(t, lines, 1)
	require.Equal(t, "ann", lines[0].Actor)

	require.NoError(t, e.Jobs.Retry(t.Context(), id, "bob"))
	require.Equal(t, ledger.Queued, e.job(t, id).State)
	retried := e.actions(t, "acme", callmodel.AuditJobRetried)
	require.Len(t, retried, 1)
	require.Equal(t, "bob", retried[0].Actor)

	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "a second time"))
	require.Len(t, e.outbox(t), 2, "quarantined again is news")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "bob"))

	// Under a worker's hands: its lease is lost.
	l := e.one(t, "w")
	require.NoError(t, e.Jobs.Quarantine(t.Context(), id, "ann", "stop it"))
	require.ErrorIs(t, e.Jobs.Complete(t.Context(), l, Completed("c1")), callmodel.ErrLeaseLost)
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "bob"))
	require.ErrorIs(t, e.Jobs.Complete(t.Context(), l, Completed("c1")), callmodel.ErrLeaseLost)

	l = e.one(t, "w")
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1")))
	requireIllegal(t, e.Jobs.Quarantine(t.Context(), id, "ann", "too late"))
	rec = e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1, "the entry is replaced")
	require.Equal(t, record.StatusCompletedDegraded, rec[0].Status)
}

func stats(t *testing.T, e Env) {
	q, err := e.Jobs.Stats(t.Context())
	require.NoError(t, err)
	require.Zero(t, q)
	for _, n := range names("c", 6) {
		e.enqueue(t, Request(n))
	}
	leases := e.claim(t, ledger.Claim{Worker: "w", Limit: 4, TTL: long})
	require.Len(t, leases, 4)
	require.NoError(t, e.Jobs.Complete(t.Context(), leases[0], Completed("c0000")))
	require.NoError(t, e.Jobs.Fail(t.Context(), leases[1], ledger.Failure{Cause: "broken", Quarantine: true}))
	require.NoError(t, e.Jobs.Fail(t.Context(), leases[2], ledger.Failure{Cause: "later", RetryIn: long}))
	e.until(t, short, func() bool {
		q, err = e.Jobs.Stats(t.Context())
		return err == nil && q.OldestQueued > 0
	})
	require.Less(t, q.OldestQueued, long)
	q.OldestQueued = 0
	require.Equal(t, recordings(ledger.Counts{Queued: 3, Running: 1, Done: 1, Quarantined: 1}), q)
}

// recordings are the stats of a ledger that holds nothing else.
func recordings(c ledger.Counts) ledger.Stats {
	return ledger.Stats{
		Queued: c.Queued, Running: c.Running, Done: c.Done, Quarantined: c.Quarantined, ByKind: map[string]ledger.Counts{record.Kind: c},
	}
}
