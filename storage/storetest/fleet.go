package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func fleetRuns() []run {
	return []run{
		{"Presence", presence},
		{"QueuesAreServedOrNot", queuesServed},
		{"MoveToAnotherQueue", moveQueue},
	}
}

func presence(t *testing.T, e Env) {
	there, err := e.Jobs.Fleet(t.Context())
	require.NoError(t, err)
	require.Empty(t, there)
	w := ledger.Presence{Role: ledger.RoleWorker, Name: "pbx-1-77", Queues: []string{"pbx-1", "default"}, Kinds: []string{record.Kind}}
	api := ledger.Presence{Role: ledger.RoleAPI, Name: "pbx-1-77"}
	for range 2 {
		require.NoError(t, e.Jobs.Present(t.Context(), w))
		require.NoError(t, e.Jobs.Present(t.Context(), api))
	}
	there, err = e.Jobs.Fleet(t.Context())
	require.NoError(t, err)
	if e.NoFleet {
		require.Empty(t, there, "that schema keeps none")
		return
	}
	require.Len(t, there, 2)
	require.False(t, there[0].Seen.Before(there[0].Since))
	for i := range there {
		require.False(t, there[i].Since.IsZero())
		there[i].Since, there[i].Seen = time.Time{}, time.Time{}
	}
	require.Equal(t, []ledger.Presence{api, w}, there)

	w.Queues = nil // started anew, for every queue
	require.NoError(t, e.Jobs.Present(t.Context(), w))
	require.NoError(t, e.Jobs.Gone(t.Context(), api))
	require.NoError(t, e.Jobs.Gone(t.Context(), api), "twice is once")
	there, err = e.Jobs.Fleet(t.Context())
	require.NoError(t, err)
	require.Len(t, there, 1)
	require.Nil(t, there[0].Queues)
	if e.Advance != nil {
		e.Advance(ledger.PresenceTTL - time.Second)
		there, err = e.Jobs.Fleet(t.Context())
		require.NoError(t, err)
		require.Len(t, there, 1)
		e.Advance(time.Second)
		there, err = e.Jobs.Fleet(t.Context())
		require.NoError(t, err)
		require.Empty(t, there, "it hasn't said so for too long")
	}
	require.NoError(t, e.Jobs.Present(t.Context(), ledger.Presence{Role: ledger.RoleVerifier, Name: "pbx-1-77"}))
	for _, bad := range []ledger.Presence{{}, {Role: "printer", Name: "x"}, {Role: ledger.RoleWorker}, {Role: ledger.RoleAPI, Name: "x\x00"}} {
		requireCode(t, callmodel.CodeInvalid, e.Jobs.Present(t.Context(), bad))
	}
}

// queue is the state of a tenant's jobs in a queue; "" for every tenant's.
func (e Env) queue(t *testing.T, tenant callmodel.TenantID, name string) ledger.QueueState {
	t.Helper()
	queues, err := e.Jobs.Queues(t.Context(), ledger.QueueFilter{TenantID: tenant})
	require.NoError(t, err)
	for _, q := range queues {
		if q.Queue == name {
			return q
		}
	}
	return ledger.QueueState{}
}

func queuesServed(t *testing.T, e Env) {
	in := func(queue, id string, tenant callmodel.TenantID) callmodel.JobID {
		s := Spec(id)
		s.TenantID = tenant
		r := RequestOf(s)
		r.Queue = queue
		return e.enqueue(t, r)
	}
	for _, id := range names("typo", 3) {
		in("pbx-l", id, "acme")
	}
	in("pbx-1", "c1", "acme")
	in("pbx-1", "c2", "umbrella")
	if e.NoFleet {
		q := e.queue(t, "", "pbx-l")
		require.EqualValues(t, 3, q.Due)
		require.True(t, q.Served, "nobody can say there that he serves it")
		return
	}
	require.NoError(t, e.Jobs.Present(t.Context(), ledger.Presence{Role: ledger.RoleAPI, Name: "api"}))
	require.NoError(t, e.Jobs.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "v", Kinds: []string{"verify"}}))
	require.NoError(t, e.Jobs.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "w", Queues: []string{"pbx-1"}, Kinds: []string{record.Kind}}))
	q := e.queue(t, "", "pbx-l")
	q.Oldest = 0
	require.Equal(t, ledger.QueueState{Kind: record.Kind, Queue: "pbx-l", Queued: 3, Due: 3}, q)
	q = e.queue(t, "", "pbx-1")
	require.True(t, q.Served)
	require.Equal(t, 1, q.Workers)
	require.EqualValues(t, 2, q.Queued)
	require.EqualValues(t, 1, e.queue(t, "acme", "pbx-1").Queued, "of one tenant")
	require.Zero(t, e.queue(t, "umbrella", "pbx-l"))
	if e.Advance != nil {
		q = e.queue(t, "", "pbx-l")
		require.False(t, q.Unserved(), "a worker may be started anew")
		e.Advance(ledger.UnservedAfter)
		q = e.queue(t, "", "pbx-l")
		require.True(t, q.Unserved())
		require.NoError(t, e.Jobs.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "all"}))
		q = e.queue(t, "", "pbx-l")
		require.False(t, q.Unserved(), "one for every queue")
		require.NoError(t, e.Jobs.Gone(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "all"}))
	}
	// A worker of a release that says nothing runs a job of it.
	leases := e.claim(t, ledger.Claim{Worker: "old", Queues: []string{"pbx-l"}, TTL: 2 * long})
	require.Len(t, leases, 1)
	q = e.queue(t, "", "pbx-l")
	require.True(t, q.Served)
	require.EqualValues(t, 1, q.Running)
	require.EqualValues(t, 2, q.Due)
	require.NoError(t, e.Jobs.Fail(t.Context(), leases[0], ledger.Failure{Cause: "later", RetryIn: long, Uncounted: true}))
	q = e.queue(t, "", "pbx-l")
	require.EqualValues(t, 3, q.Queued)
	require.EqualValues(t, 2, q.Due, "one must wait")
	queues, err := e.Jobs.Queues(t.Context(), ledger.QueueFilter{Limit: 1})
	require.NoError(t, err)
	require.Len(t, queues, 1)
}

func moveQueue(t *testing.T, e Env) {
	r := Request("c1")
	r.Queue = "pbx-l"
	waits := e.enqueue(t, r)
	there := e.enqueue(t, Request("c2"))
	aside := e.enqueue(t, Request("c3"))
	require.NoError(t, e.Jobs.Quarantine(t.Context(), aside, "ann", "x"))
	r = Request("c4")
	r.Queue = "pbx-2"
	runs := e.enqueue(t, r)
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Queues: []string{"pbx-2"}, TTL: long}), 1)

	moved, err := e.Jobs.Move(t.Context(), []callmodel.JobID{waits, there, aside, runs, waits}, "pbx-1", "ann")
	require.NoError(t, err)
	require.Equal(t, []callmodel.JobID{waits, there, aside}, moved, "not the one that runs")
	moved, err = e.Jobs.Move(t.Context(), []callmodel.JobID{waits}, "pbx-1", "ann")
	require.NoError(t, err)
	require.Empty(t, moved, "it is there")
	lines := e.actions(t, "acme", callmodel.AuditJobMoved)
	require.Len(t, lines, 3)
	require.Equal(t, "ann", lines[0].Actor)
	require.Equal(t, "pbx-l", lines[0].Detail["from"])
	require.Equal(t, "pbx-1", lines[0].Detail["to"])
	require.Equal(t, "pbx-1", e.job(t, aside).Queue)
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Queues: []string{"pbx-1"}, Limit: 9, TTL: long}), 2)

	_, err = e.Jobs.Move(t.Context(), []callmodel.JobID{there}, "../etc", "ann")
	requireCode(t, callmodel.CodeInvalid, err)
	_, err = e.Jobs.Move(t.Context(), []callmodel.JobID{aside, "j000000000999-00000000"}, "pbx-3", "ann")
	requireCode(t, callmodel.CodeNotFound, err)
	require.Equal(t, "pbx-1", e.job(t, aside).Queue, "all or nothing")
}
