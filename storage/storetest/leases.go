package storetest

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func leaseRuns() []run {
	return []run{
		{"ClaimsNothing", claimsNothing},
		{"ClaimsUrgentThenOldest", claimsUrgentThenOldest},
		{"ClaimsFromItsQueues", claimsFromItsQueues},
		{"LeaseIsExclusive", leaseIsExclusive},
		{"ExpiredLeaseIsTakenOver", expiredIsTakenOver},
		{"ExpiredLeaseStillCommits", expiredStillCommits},
		{"ExtendKeepsTheJob", extendKeepsTheJob},
		{"StaleTokenLosesEverywhere", staleTokenLoses},
		{"ThirdExpiryQuarantines", thirdExpiryQuarantines},
		{"ManyWorkersOneJobEach", manyWorkers},
	}
}

func claimsNothing(t *testing.T, e Env) {
	leases, err := e.Jobs.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, leases)
	_, err = e.Jobs.Claim(t.Context(), ledger.Claim{})
	requireCode(t, callmodel.CodeInvalid, err)
}

func claimsUrgentThenOldest(t *testing.T, e Env) {
	priorities := []int{0, 5, -1, 5, 0, 9}
	ids := make([]callmodel.JobID, len(priorities))
	for i, name := range names("c", len(priorities)) {
		r := Request(name)
		r.Priority = priorities[i]
		ids[i] = e.enqueue(t, r)
	}
	var got []callmodel.JobID
	for _, limit := range []int{1, 3, 10} {
		for _, l := range e.claim(t, ledger.Claim{Worker: "w", Limit: limit, TTL: long}) {
			got = append(got, l.Job.ID)
		}
	}
	require.Equal(t, []callmodel.JobID{ids[5], ids[1], ids[3], ids[0], ids[4], ids[2]}, got)
}

func claimsFromItsQueues(t *testing.T, e Env) {
	byQueue := map[string]callmodel.JobID{}
	for _, q := range []string{"pbx-1", "pbx-2", "pbx-3", ""} {
		r := Request("c" + q)
		r.Queue = q
		byQueue[q] = e.enqueue(t, r)
	}
	of := func(queues ...string) []callmodel.JobID {
		var ids []callmodel.JobID
		for _, l := range e.claim(t, ledger.Claim{Worker: "w", Queues: queues, Limit: 10, TTL: long}) {
			ids = append(ids, l.Job.ID)
		}
		return ids
	}
	require.Empty(t, of("pbx-9"))
	require.Equal(t, []callmodel.JobID{byQueue["pbx-2"]}, of("pbx-2"))
	require.Equal(t, []callmodel.JobID{byQueue["pbx-3"], byQueue[""]}, of("default", "pbx-3", "pbx-2"))
	require.Equal(t, []callmodel.JobID{byQueue["pbx-1"]}, of())
}

func leaseIsExclusive(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	l := e.one(t, "w1")
	require.Equal(t, id, l.Job.ID)
	require.Equal(t, "w1", l.Worker)
	require.Equal(t, long, l.TTL)
	require.Positive(t, l.Token)
	same(t, Spec("c1"), SpecOf(t, &l.Job))
	j := e.job(t, id)
	require.Equal(t, ledger.Running, j.State)
	require.Equal(t, "w1", j.Worker)
	require.GreaterOrEqual(t, j.LeaseUntil.Sub(j.CreatedAt), long)
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w2"}))

	require.NoError(t, e.Jobs.Release(t.Context(), l))
	j = e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.Zero(t, j.Attempts, "a release does not count")
	require.Empty(t, j.Worker)
	again := e.one(t, "w2")
	require.Greater(t, again.Token, l.Token)

	// The default is 30 s.
	require.NoError(t, e.Jobs.Release(t.Context(), again))
	leases := e.claim(t, ledger.Claim{Worker: "w"})
	require.Len(t, leases, 1)
	require.Equal(t, ledger.DefaultLeaseTTL, leases[0].TTL)
}

func expiredIsTakenOver(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	dead := e.claim(t, ledger.Claim{Worker: "dead", TTL: short})[0]
	l := e.claimWithin(t, short, ledger.Claim{Worker: "heir", TTL: long})
	require.Equal(t, id, l.Job.ID)
	require.Greater(t, l.Token, dead.Token)
	require.Equal(t, e.counts(1), l.Job.Attempts, "an expired lease makes a suspect")
	require.Equal(t, !e.OldClaims, l.Job.Suspect)
	require.Contains(t, l.Job.LastError, "dead")
	require.ErrorIs(t, e.Jobs.Complete(t.Context(), dead, Completed("c1")), callmodel.ErrLeaseLost)
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1")))
	require.ErrorIs(t, e.Jobs.Complete(t.Context(), dead, Completed("c1")), callmodel.ErrLeaseLost, "done, but not by this one")
	require.Len(t, e.outbox(t), 1)
}

func expiredStillCommits(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	l := e.claim(t, ledger.Claim{Worker: "slow", TTL: short})[0]
	// Another store's worth of time: a second job's back-off ends after the lease.
	if e.Advance != nil {
		e.Advance(2 * short)
	} else {
		until := e.job(t, id).LeaseUntil
		require.Eventually(t, func() bool {
			other, _, err := e.Jobs.Enqueue(t.Context(), Request("tick"+time.Duration(rand.Int64()).String()))
			if err != nil {
				return false
			}
			j, err := e.Jobs.Job(t.Context(), other)
			return err == nil && j.CreatedAt.After(until)
		}, slow, tick)
	}
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c1")), "nobody else has it: the work is not lost")
	require.Equal(t, ledger.Done, e.job(t, id).State)
}

func extendKeepsTheJob(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	l := e.claim(t, ledger.Claim{Worker: "w", TTL: slow})[0]
	until := e.job(t, id).LeaseUntil
	longer, err := e.Jobs.Extend(t.Context(), l, long)
	require.NoError(t, err)
	require.Equal(t, long, longer.TTL)
	require.Equal(t, l.Token, longer.Token, "the same lease, longer")
	require.Greater(t, e.job(t, id).LeaseUntil.Sub(until), long-2*slow)
	require.Equal(t, e.job(t, id).LeaseUntil, longer.Job.LeaseUntil)
	if e.Advance != nil {
		e.Advance(2 * slow)
		require.Empty(t, e.claim(t, ledger.Claim{Worker: "thief"}))
	}
	// Shorter, too: then it can be taken over, and no more extended.
	_, err = e.Jobs.Extend(t.Context(), longer, short)
	require.NoError(t, err)
	e.claimWithin(t, short, ledger.Claim{Worker: "heir", TTL: long})
	_, err = e.Jobs.Extend(t.Context(), l, long)
	require.ErrorIs(t, err, callmodel.ErrLeaseLost)
	require.NoError(t, func() error { _, err := e.Jobs.Job(t.Context(), id); return err }())
}

func staleTokenLoses(t *testing.T, e Env) {
	id := e.enqueue(t, Request("c1"))
	stale := e.one(t, "w")
	require.NoError(t, e.Jobs.Release(t.Context(), stale))
	losesAll := func() {
		t.Helper()
		require.ErrorIs(t, e.Jobs.Complete(t.Context(), stale, Completed("c1")), callmodel.ErrLeaseLost)
		q := Result("c1")
		q.Status, q.Reason = record.StatusQuarantined, "bad"
		require.ErrorIs(t, e.Jobs.Complete(t.Context(), stale, Outcome(q)), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Fail(t.Context(), stale, ledger.Failure{Cause: "x", Quarantine: true}), callmodel.ErrLeaseLost)
		require.ErrorIs(t, e.Jobs.Release(t.Context(), stale), callmodel.ErrLeaseLost)
		_, err := e.Jobs.Extend(t.Context(), stale, long)
		require.ErrorIs(t, err, callmodel.ErrLeaseLost)
	}
	losesAll() // given up
	fresh := e.one(t, "w")
	losesAll() // the same worker's name does not help
	j := e.job(t, id)
	require.Equal(t, ledger.Running, j.State)
	require.Zero(t, j.Attempts)
	require.NoError(t, e.Jobs.Complete(t.Context(), fresh, Completed("c1")))
	losesAll() // done
	require.Len(t, e.outbox(t), 1)
}

func thirdExpiryQuarantines(t *testing.T, e Env) {
	e.create(t, "c1")
	id := e.enqueue(t, Request("c1"))
	other := Request("c2")
	other.Priority = -1
	e.enqueue(t, other)
	l := e.claim(t, ledger.Claim{Worker: "w1", TTL: short})
	require.Len(t, l, 1)
	strikes := ledger.MaxAttempts
	if !e.OldClaims {
		strikes++ // the first makes it a suspect, for something may have run beside it
	}
	for i := 2; i <= strikes; i++ {
		got := e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: short, Queues: []string{"default"}})
		if got.Job.ID != id { // the other one came first, while the lease had not ended
			require.NoError(t, e.Jobs.Release(t.Context(), got))
			i--
			continue
		}
		require.Equal(t, i-1-(strikes-ledger.MaxAttempts), got.Job.Attempts)
	}
	e.until(t, short, func() bool {
		for _, l := range e.claim(t, ledger.Claim{Worker: "w", TTL: long, Limit: 5}) {
			if l.Job.ID == id {
				t.Errorf("claimed a fourth time")
			}
			if err := e.Jobs.Release(t.Context(), l); err != nil {
				t.Error(err)
			}
		}
		return e.job(t, id).State == ledger.Quarantined
	})
	require.Equal(t, ledger.MaxAttempts, e.job(t, id).Attempts)
	rec := e.call(t, "acme", "c1").Recordings
	require.Len(t, rec, 1)
	require.Equal(t, record.StatusQuarantined, rec[0].Status)
	require.Equal(t, id, rec[0].JobID)
	events := e.outbox(t)
	require.Len(t, events, 1)
	require.Equal(t, "recording.quarantined", events[0].Type)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobQuarantined), 1)
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 5}), 1, "the rest go on")
}

func manyWorkers(t *testing.T, e Env) {
	const workers, jobs = 12, 150
	for _, n := range names("c", jobs) {
		e.enqueue(t, Request(n))
	}
	var mu sync.Mutex
	claimed := map[callmodel.JobID]int{}
	completed := 0
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for {
				leases, err := e.Jobs.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: 1 + w%4, TTL: long})
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				for _, l := range leases {
					claimed[l.Job.ID]++
				}
				left := jobs - len(claimed)
				mu.Unlock()
				if len(leases) == 0 && left == 0 {
					return
				}
				for _, l := range leases {
					if assert.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(string(l.Job.CallID)))) {
						mu.Lock()
						completed++
						mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, claimed, jobs)
	for id, n := range claimed {
		require.Equal(t, 1, n, "job %s went to two workers", id)
	}
	require.Equal(t, jobs, completed)
	q, err := e.Jobs.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, recordings(ledger.Counts{Done: jobs}), q)
	require.Len(t, e.outbox(t), jobs)
}
