package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

func suspectRuns() []run {
	return []run{
		{"SuspectsRunAlone", suspectsRunAlone},
		{"SuspectIsKeptUntilAlone", suspectIsKept},
		{"SuspectsAreLeftToOthers", suspectsAreLeft},
		{"ExpiredLeasesAreLeft", expiredAreLeft},
		{"SuspicionEnds", suspicionEnds},
		{"OnlyTheCulpritIsConvicted", onlyTheCulprit},
		{"CulpritsWaitForTheOthers", culpritsWait},
	}
}

// crashed enqueues n jobs, which a worker takes along as it dies.
func (e Env) crashed(t *testing.T, n int) []callmodel.JobID {
	t.Helper()
	var ids []callmodel.JobID
	for _, name := range names("c", n) {
		ids = append(ids, e.enqueue(t, Request(name)))
	}
	require.Len(t, e.claim(t, ledger.Claim{Worker: "dead", Limit: n, TTL: short}), n)
	return ids
}

// counts is n, on a schema on which an expired lease counts at once, else 0.
func (e Env) counts(n int) int {
	if e.OldClaims {
		return n
	}
	return 0
}

func suspectsRunAlone(t *testing.T, e Env) {
	if e.OldClaims {
		return // ExpiredLeaseIsTakenOver says what happens there
	}
	ids := e.crashed(t, 8)
	fresh := e.enqueue(t, Request("fresh"))
	seen := map[callmodel.JobID]int{}
	e.until(t, short, func() bool {
		for range len(ids) + 1 {
			leases := e.claim(t, ledger.Claim{Worker: "w", Limit: 10, TTL: long})
			for _, l := range leases {
				seen[l.Job.ID]++
				require.Equal(t, l.Job.Suspect, l.Alone)
				require.Equal(t, l.Job.ID != fresh, l.Alone)
				require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(string(l.Job.CallID))))
				if l.Alone {
					require.Len(t, leases, 1, "nothing beside it")
					require.Contains(t, l.Job.LastError, "ended without a word")
				}
				require.False(t, e.job(t, l.Job.ID).Suspect, "its run has ended")
			}
		}
		return len(seen) == len(ids)+1
	})
	for _, id := range append(ids, fresh) {
		require.Equal(t, 1, seen[id])
		require.Zero(t, e.job(t, id).Attempts)
		require.Equal(t, ledger.Done, e.job(t, id).State)
	}
}

func suspectIsKept(t *testing.T, e Env) {
	if e.OldClaims {
		return
	}
	id := e.crashed(t, 1)[0]
	busy := ledger.Claim{Worker: "busy", Limit: 5, TTL: short, InFlight: 3}
	for range 2 { // a worker that dies before the suspect begins proves nothing
		l := e.claimWithin(t, short, busy)
		require.Equal(t, id, l.Job.ID)
		require.True(t, l.Job.Suspect)
		require.False(t, l.Alone)
		require.Zero(t, l.Job.Attempts)
	}
	busy.TTL = long
	l := e.claimWithin(t, short, busy)
	l.Alone = true
	l, err := e.Jobs.Extend(t.Context(), l, short)
	require.NoError(t, err)
	require.True(t, l.Alone)
	l = e.claimWithin(t, short, busy)
	require.Equal(t, 1, l.Job.Attempts, "nothing ran beside it")
	require.False(t, l.Alone, "it is another lease")
	l, err = e.Jobs.Extend(t.Context(), l, short) // a heartbeat while it is kept
	require.NoError(t, err)
	require.Equal(t, 1, e.claimWithin(t, short, busy).Job.Attempts)
	require.False(t, l.Alone)
}

func suspectsAreLeft(t *testing.T, e Env) {
	if e.OldClaims {
		return
	}
	suspect := e.crashed(t, 1)[0]
	e.until(t, short, func() bool {
		require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", NoSuspects: true}))
		return e.job(t, suspect).State == ledger.Queued
	})
	fresh := e.enqueue(t, Request("fresh"))
	none := ledger.Claim{Worker: "w", Limit: 5, TTL: long, NoSuspects: true}
	leases := e.claim(t, none)
	require.Len(t, leases, 1)
	require.Equal(t, fresh, leases[0].Job.ID)
	require.Empty(t, e.claim(t, none))
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", Queues: []string{"pbx-9"}}), "it is another queue's")
	l := e.one(t, "w")
	require.Equal(t, suspect, l.Job.ID)
	require.True(t, l.Alone)
}

// expiredAreLeft says that a lease that has ended can be committed after a claim that leaves
// it, and is taken by one that doesn't.
func expiredAreLeft(t *testing.T, e Env) {
	ids := []callmodel.JobID{e.enqueue(t, Request("a")), e.enqueue(t, Request("b"))}
	leases := e.claim(t, ledger.Claim{Worker: "slow", Limit: 2, TTL: short})
	require.Len(t, leases, 2)
	n := 0
	e.until(t, short, func() bool { // by the store's clock
		n++
		return !e.job(t, e.enqueue(t, Request(fmt.Sprint("fresh", n)))).CreatedAt.Before(e.job(t, ids[1]).LeaseUntil)
	})
	got := e.claim(t, ledger.Claim{Worker: "w", Limit: n + 5, TTL: long, LeaveExpired: true})
	require.Len(t, got, n)
	for _, id := range ids {
		require.Equal(t, ledger.Running, e.job(t, id).State)
	}
	_, err := e.Jobs.Extend(t.Context(), leases[0], short)
	require.NoError(t, err)
	require.NoError(t, e.Jobs.Release(t.Context(), leases[0]))
	e.until(t, short, func() bool {
		e.claim(t, ledger.Claim{Worker: "w", NoSuspects: true, Limit: 1, TTL: long})
		_, err := e.Jobs.Extend(t.Context(), leases[1], short)
		return errors.Is(err, callmodel.ErrLeaseLost)
	})
}

func suspicionEnds(t *testing.T, e Env) {
	if e.OldClaims {
		return
	}
	id := e.crashed(t, 1)[0]
	l := e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: long})
	require.NoError(t, e.Jobs.Release(t.Context(), l))
	require.True(t, e.job(t, id).Suspect, "a release proves nothing")
	again := func() ledger.Lease {
		t.Helper()
		l := e.one(t, "w")
		require.NoError(t, e.Jobs.Release(t.Context(), l))
		_, err := e.Jobs.Extend(t.Context(), e.one(t, "w"), short)
		require.NoError(t, err)
		return e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: long})
	}
	l = e.one(t, "w")
	require.True(t, l.Alone)
	for _, end := range []func() error{
		func() error { return e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "x", Uncounted: true}) },
		func() error { return e.Jobs.Publish(t.Context(), l, Completed("first"), 0) },
		func() error {
			if err := e.Jobs.Quarantine(t.Context(), id, "ann", "x"); err != nil {
				return err
			}
			return e.Jobs.Retry(t.Context(), id, "ann")
		},
		func() error { return e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "x", Uncounted: true}) },
	} {
		require.True(t, e.job(t, id).Suspect)
		require.NoError(t, end())
		require.False(t, e.job(t, id).Suspect)
		l = again()
	}
	require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed("c0000")))
	require.False(t, e.job(t, id).Suspect)
}

// One of eight jobs kills whoever runs it.
func onlyTheCulprit(t *testing.T, e Env) {
	if e.OldClaims {
		return
	}
	ids := e.crashed(t, 8)
	poison := ids[3]
	crashes := 1
	e.until(t, short, func() bool {
		for range 2 * len(ids) {
			for _, l := range e.claim(t, ledger.Claim{Worker: fmt.Sprintf("w%d", crashes), Limit: 8, TTL: long}) {
				if l.Job.ID != poison {
					require.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(string(l.Job.CallID))))
					continue
				}
				require.True(t, l.Alone)
				crashes++
				_, err := e.Jobs.Extend(t.Context(), l, short)
				require.NoError(t, err)
				e.until(t, short, func() bool {
					return len(e.claim(t, ledger.Claim{Worker: "w", Queues: []string{"pbx-9"}})) == 0 && e.job(t, poison).State != ledger.Running
				})
			}
		}
		q, err := e.Jobs.Stats(t.Context())
		require.NoError(t, err)
		return q.Done+q.Quarantined == int64(len(ids))
	})
	require.Equal(t, 1+ledger.MaxAttempts, crashes)
	for _, id := range ids {
		j := e.job(t, id)
		if id == poison {
			require.Equal(t, ledger.Quarantined, j.State)
			require.Equal(t, ledger.MaxAttempts, j.Attempts)
			continue
		}
		require.Equal(t, ledger.Done, j.State)
		require.Zero(t, j.Attempts)
	}
}

// A suspect that has crashed alone is tried again after those that haven't.
func culpritsWait(t *testing.T, e Env) {
	if e.OldClaims {
		return
	}
	e.crashed(t, 3)
	poison := e.claimWithin(t, short, ledger.Claim{Worker: "w", TTL: short}).Job.ID
	var order []callmodel.JobID
	e.until(t, short, func() bool {
		for range 3 {
			for _, l := range e.claim(t, ledger.Claim{Worker: "w", TTL: long}) {
				order = append(order, l.Job.ID)
			}
		}
		return len(order) == 3
	})
	require.Equal(t, poison, order[2])
	require.Equal(t, 1, e.job(t, poison).Attempts)
}
