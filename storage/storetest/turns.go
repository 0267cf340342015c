package storetest

import (
	"fmt"
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

func turnRuns() []run {
	return []run{
		{"TenantsTakeTurns", tenantsTakeTurns},
		{"PriorityCountsWithinATenant", priorityWithinATenant},
		{"OneClaimServesEveryTenant", oneClaimServesAll},
		{"EveryRoundServesEveryTenant", everyRound},
		{"TurnsOverSeveralQueues", turnsOverQueues},
		{"FreshJobsAndBacklogShare", freshAndBacklog},
		{"WaitingJobsAreNotInLine", waitingNotInLine},
		{"EmergencyCallsFirst", emergencyFirst},
		{"TurnsAtOnceLoseNoJob", turnsAtOnce},
	}
}

// of is the job of a tenant's recording.
func of(tenant callmodel.TenantID, id string) ledger.Request {
	s := Spec(id)
	s.TenantID = tenant
	return RequestOf(s)
}

// many enqueues n jobs of a tenant.
func (e Env) many(t *testing.T, tenant callmodel.TenantID, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				_, _, err := e.Jobs.Enqueue(t.Context(), of(tenant, fmt.Sprintf("c%05d", i)))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
}

// next claims one job.
func (e Env) next(t *testing.T) ledger.Job {
	t.Helper()
	leases := e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: long})
	require.Len(t, leases, 1)
	return leases[0].Job
}

// older lets every job be enqueued so long before. It reports false if the store can't.
func (e Env) older(t *testing.T, d time.Duration) bool {
	t.Helper()
	switch {
	case e.Older != nil:
		e.Older(t, d)
	case e.Advance != nil:
		e.Advance(d)
	default:
		return false
	}
	return true
}

// A fresh call of a tenant doesn't wait for all that wait of another.
func tenantsTakeTurns(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	e.many(t, "acme", 2000)
	id := e.enqueue(t, of("umbrella", "fresh"))
	var got []callmodel.JobID
	for range 3 {
		got = append(got, e.next(t).ID)
	}
	require.Contains(t, got, id)
}

func priorityWithinATenant(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	for i, name := range names("c", 6) {
		r := of("acme", name)
		r.Priority = 9 + i%2
		e.enqueue(t, r)
	}
	mine := []callmodel.JobID{e.enqueue(t, of("umbrella", "low")), "", e.enqueue(t, of("umbrella", "later"))}
	r := of("umbrella", "high")
	r.Priority = 1
	mine[1] = e.enqueue(t, r)
	var got []callmodel.JobID
	var urgent []int
	for range 9 {
		switch j := e.next(t); j.TenantID {
		case "umbrella":
			got = append(got, j.ID)
			require.LessOrEqual(t, len(got)-len(urgent), 1, "no two turns of one tenant while another waits")
		default:
			urgent = append(urgent, j.Priority)
			require.LessOrEqual(t, len(urgent)-len(got), 4)
		}
	}
	require.Equal(t, []callmodel.JobID{mine[1], mine[0], mine[2]}, got, "its own priority counts, then age")
	require.Equal(t, []int{10, 10, 10, 9, 9, 9}, urgent)
}

func oneClaimServesAll(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	for _, tenant := range []callmodel.TenantID{"a", "b", "c"} {
		e.many(t, tenant, 20)
	}
	e.enqueue(t, of("d", "only"))
	served := map[callmodel.TenantID]int{}
	leases := e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 13, TTL: long})
	require.Len(t, leases, 13, "what one doesn't use the others do")
	for _, l := range leases {
		served[l.Job.TenantID]++
	}
	require.Equal(t, map[callmodel.TenantID]int{"a": 4, "b": 4, "c": 4, "d": 1}, served)
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 1000, TTL: long}), 48, "all the rest at once")
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 1000, TTL: long}))
}

func everyRound(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	const tenants, each = 20, 3
	for i := range tenants {
		for _, name := range names("c", each) {
			e.enqueue(t, of(callmodel.TenantID(fmt.Sprintf("t%02d", i)), name))
		}
	}
	served := map[callmodel.TenantID]int{}
	var order []callmodel.TenantID
	for len(order) < tenants*each {
		leases := e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 4, TTL: long})
		require.Len(t, leases, 4)
		for _, l := range leases {
			order = append(order, l.Job.TenantID)
			served[l.Job.TenantID]++
		}
		least, most := each, 0
		for i := range tenants {
			n := served[callmodel.TenantID(fmt.Sprintf("t%02d", i))]
			least, most = min(least, n), max(most, n)
		}
		require.LessOrEqual(t, most-least, 1, "%v", order)
	}
}

func turnsOverQueues(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	in := func(tenant callmodel.TenantID, queue, id string, priority int) {
		r := of(tenant, id)
		r.Queue, r.Priority = queue, priority
		e.enqueue(t, r)
	}
	for _, name := range names("c", 5) {
		in("acme", "pbx-1", name, 2)
		in("acme", "pbx-2", name+"b", 7)
		in("umbrella", "elsewhere", name, 9)
	}
	in("umbrella", "pbx-2", "mine", 0)
	got := map[callmodel.TenantID][]int{}
	for range 3 {
		leases := e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind, "verify"}, Queues: []string{"pbx-2", "pbx-1", "pbx-1"}, Limit: 2, TTL: long})
		require.Len(t, leases, 2)
		for _, l := range leases {
			got[l.Job.TenantID] = append(got[l.Job.TenantID], l.Job.Priority)
		}
	}
	require.Equal(t, map[callmodel.TenantID][]int{"acme": {7, 7, 7, 7, 7}, "umbrella": {0}}, got, "a tenant's most urgent in any of them")
	require.Len(t, e.claim(t, ledger.Claim{Worker: "w", Queues: []string{"pbx-2", "pbx-1"}, Limit: 50, TTL: long}), 5)
}

// While there are both, one of four is of the backlog; neither waits for the other.
func freshAndBacklog(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	for _, name := range names("old", 20) {
		r := of("acme", name)
		r.Priority = 9
		e.enqueue(t, r)
	}
	e.enqueue(t, of("umbrella", "old"))
	if !e.older(t, ledger.FreshFor) {
		return // a clock that runs by itself would take too long
	}
	old := map[callmodel.TenantID]int{}
	count := func(claims, limit int) (fresh int) {
		for range claims {
			for _, l := range e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: limit, TTL: long}) {
				if l.Job.Key[:3] == "new" {
					fresh++
				} else {
					old[l.Job.TenantID]++
				}
			}
		}
		return fresh
	}
	for _, name := range names("new", 9) {
		e.enqueue(t, of("acme", name))
	}
	require.Equal(t, 1, count(1, 1), "a fresh one comes at once, though its tenant's backlog is more urgent")
	require.Equal(t, 5, count(7, 1))
	require.Equal(t, map[callmodel.TenantID]int{"acme": 1, "umbrella": 1}, old, "the backlog's tenants take turns")
	require.Equal(t, 3, count(1, 12))
	require.Equal(t, map[callmodel.TenantID]int{"acme": 10, "umbrella": 1}, old, "what the fresh ones don't need is the backlog's")
	require.Zero(t, count(2, 12))
	require.Equal(t, map[callmodel.TenantID]int{"acme": 20, "umbrella": 1}, old)
}

// Jobs that wait, as for their legs, keep no fresh one waiting.
func waitingNotInLine(t *testing.T, e Env) {
	const n = 300
	e.many(t, "acme", n)
	leases := e.claim(t, ledger.Claim{Worker: "w", Limit: n, TTL: long})
	require.Len(t, leases, n)
	for _, l := range leases {
		require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "no legs yet", Reason: record.LegsMissing, RetryIn: long, Uncounted: true}))
	}
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", Limit: 10, TTL: long}))
	id := e.enqueue(t, of("acme", "fresh"))
	require.Equal(t, id, e.next(t).ID)
}

// Of an emergency call it is the own recording alone that comes first, whatever a
// request for another one says.
func emergencyFirst(t *testing.T, e Env) {
	if e.NoTurns {
		return
	}
	for i, tenant := range []callmodel.TenantID{"acme", "umbrella"} {
		for _, name := range names("c", 5) {
			r := of(tenant, name)
			r.Priority = 9 * i
			e.enqueue(t, r)
		}
	}
	e.older(t, ledger.FreshFor)
	for _, id := range []string{"e1", "e2"} {
		n := NewCall(id)
		n.Call.Emergency, n.Call.Priority = true, -3
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
		if id == "e2" { // somebody has submitted the same recording before
			e.enqueue(t, RequestOf(Spec(id)))
		}
	}
	other := Spec("e1-other")
	other.CallID = "e1"
	r := RequestOf(other)
	r.Priority = 9
	id := e.enqueue(t, r)
	require.False(t, e.job(t, id).Emergency)
	for _, id := range []callmodel.CallID{"e1", "e2"} {
		e.event(t, id, calls.Event{ID: "a", Type: calls.EventAnswered, At: started})
		e.event(t, id, calls.Event{ID: "e", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec(string(id)).Legs, Host: "default"})
	}
	got := map[callmodel.CallID]bool{}
	for range 2 {
		j := e.next(t)
		require.True(t, j.Emergency, "%s", j.Key)
		got[j.CallID] = true
		require.True(t, e.job(t, j.ID).Emergency)
	}
	require.Equal(t, map[callmodel.CallID]bool{"e1": true, "e2": true}, got)
	require.False(t, e.next(t).Emergency)
}

func turnsAtOnce(t *testing.T, e Env) {
	const tenants, each = 5, 24
	for i := range tenants {
		e.many(t, callmodel.TenantID(fmt.Sprintf("t%d", i)), each)
	}
	var mu sync.Mutex
	seen := map[callmodel.JobID]int{}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for misses := 0; misses < 3; {
				leases, err := e.Jobs.Claim(t.Context(), ledger.Claim{Worker: fmt.Sprint("w", w), Kinds: []string{record.Kind}, Limit: 1 + w, TTL: long})
				if !assert.NoError(t, err) {
					return
				}
				if len(leases) == 0 {
					misses++ // others may hold what is left
				}
				mu.Lock()
				for _, l := range leases {
					seen[l.Job.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, l := range e.claim(t, ledger.Claim{Worker: "last", Limit: tenants * each, TTL: long}) {
		seen[l.Job.ID]++
	}
	require.Len(t, seen, tenants*each)
	for id, n := range seen {
		require.Equal(t, 1, n, "%s", id)
	}
}
