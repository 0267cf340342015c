package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

func retryRuns() []run {
	return []run{
		{"RetryOfAbsent", retryOfAbsent},
		{"RetryOfDegraded", retryOfDegraded},
		{"RetryOfCompleted", retryOfCompleted},
		{"RetryOfDoneOfAnotherKind", retryOfAnotherKind},
		{"RetryOfWhatItsKindCallsRetriable", retryOfRetriable},
		{"JobsByWhatTheyCameTo", jobsByWhatTheyCameTo},
	}
}

var absent = record.Result{
	Status: record.StatusAbsent, Reason: record.ReasonNoMedia,
	Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "agent"}, {Code: record.DefectLegMissing, Leg: "customer"}},
}

// done is the job of a new call that came to r.
func (e Env) done(t *testing.T, call string, r record.Result) callmodel.JobID {
	t.Helper()
	e.create(t, call)
	id := e.enqueue(t, Request(call))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(r)))
	require.Equal(t, ledger.Done, e.job(t, id).State)
	return id
}

// The legs came after the job had given up on them.
func retryOfAbsent(t *testing.T, e Env) {
	id := e.done(t, "c1", absent)
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	j := e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.False(t, j.Published, "there is nothing that could stay")
	require.True(t, j.FinishedAt.IsZero())
	require.Equal(t, record.StatusAbsent, e.call(t, "acme", "c1").Recordings[0].Status, "until there is something")
	lines := e.actions(t, "acme", callmodel.AuditJobRetried)
	require.Len(t, lines, 1)
	require.Equal(t, "ann", lines[0].Actor)
	require.Equal(t, "absent", lines[0].Detail["status"])

	requireIllegal(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(absent)))
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"), "again and again")
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("late")))
	e.stays(t, "c1", "late")
	events := e.outbox(t)
	require.Equal(t, "recording.completed", events[len(events)-1].Type)
}

// What was made stays until something takes its place, whatever happens between.
func retryOfDegraded(t *testing.T, e Env) {
	id := e.done(t, "c1", Result("first"))
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	j := e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.True(t, j.Published)
	same(t, Result("first"), j.Result)
	e.stays(t, "c1", "first")

	l := e.one(t, "w")
	require.True(t, l.Job.Published, "its worker knows what it must not make less")
	require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "broken", Quarantine: true}))
	e.keptAside(t, id, "broken")
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(absent)), "its legs are gone")
	e.stays(t, "c1", "first")
	require.Equal(t, ledger.Done, e.job(t, id).State)

	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("second")))
	e.stays(t, "c1", "second")
	keys, urls := map[string]bool{}, []string{}
	for _, ev := range e.outbox(t) {
		require.False(t, body(t, ev).Provisional)
		keys[ev.Key], urls = true, append(urls, body(t, ev).Recording.URL)
	}
	require.Len(t, keys, 3, "each end is told: %v", urls)
	require.Equal(t, Result("second").Outputs[0].URL, urls[2])
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobRetried), 3)
}

func retryOfCompleted(t *testing.T, e Env) {
	whole := Result("c1")
	whole.Status, whole.Defects = record.StatusCompleted, nil
	id := e.done(t, "c1", whole)
	before := e.job(t, id)
	requireCode(t, callmodel.CodeConflict, e.Jobs.Retry(t.Context(), id, "ann"))
	same(t, before, e.job(t, id))
	require.Empty(t, e.actions(t, "acme", callmodel.AuditJobRetried))
}

func retryOfAnotherKind(t *testing.T, e Env) {
	if e.RecordsOnly {
		return // they can't be enqueued there
	}
	id := e.enqueue(t, ledger.Request{Kind: "verify", TenantID: "acme", Key: "v1", Payload: []byte("{}")})
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Result: []byte(`{"status":"absent"}`)}))
	requireCode(t, callmodel.CodeConflict, e.Jobs.Retry(t.Context(), id, "ann"))
}

// Of a job that is done more can come if its kind has said so, and its result stays
// meanwhile.
func retryOfRetriable(t *testing.T, e Env) {
	if e.RecordsOnly {
		return // they can't be enqueued there
	}
	half, whole := []byte(`{"status":"completed_degraded","defects":[{"code":"object_missing"}]}`), []byte(`{"status":"completed"}`)
	id := e.enqueue(t, verify("v1"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Result: half, Retriable: true}))
	j := e.job(t, id)
	require.True(t, j.Retriable)
	require.False(t, j.Published)
	for f, want := range map[ledger.Filter]int{{Status: "completed_degraded"}: 1, {Code: "object_missing"}: 1, {Status: "completed"}: 0, {Code: "leg_missing"}: 0} {
		list, err := e.Jobs.Jobs(t.Context(), f)
		require.NoError(t, err)
		require.Len(t, list, want, "%+v", f)
	}
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	j = e.job(t, id)
	require.Equal(t, ledger.Queued, j.State)
	require.False(t, j.Retriable)
	require.True(t, j.Published)
	require.JSONEq(t, string(half), string(j.Result))
	lines := e.actions(t, "acme", callmodel.AuditJobRetried)
	require.Equal(t, "completed_degraded", lines[0].Detail["status"])

	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Result: whole}))
	j = e.job(t, id)
	require.JSONEq(t, string(whole), string(j.Result))
	require.False(t, j.Retriable)
	requireCode(t, callmodel.CodeConflict, e.Jobs.Retry(t.Context(), id, "ann"))

	id = e.enqueue(t, verify("v2"))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), ledger.Outcome{Retriable: true}))
	require.NoError(t, e.Jobs.Retry(t.Context(), id, "ann"))
	j = e.job(t, id)
	require.False(t, j.Published, "there is nothing to keep")
	require.Nil(t, j.Result)

	recording := e.enqueue(t, Request("c1"))
	done := Result("c1")
	done.Status, done.Defects = record.StatusCompleted, nil
	o := Outcome(done)
	o.Retriable = true
	require.NoError(t, e.Jobs.Complete(t.Context(), e.claim(t, ledger.Claim{Worker: "w", Kinds: []string{record.Kind}})[0], o))
	require.False(t, e.job(t, recording).Retriable, "recordings say it themselves")
	requireCode(t, callmodel.CodeConflict, e.Jobs.Retry(t.Context(), recording, "ann"))
}

func jobsByWhatTheyCameTo(t *testing.T, e Env) {
	whole := Result("whole")
	whole.Status, whole.Defects, whole.Reason = record.StatusCompleted, nil, ""
	odd := Result("odd") // words that only look like a status and a code
	odd.Defects = []record.Defect{{Code: record.DefectClipped, Leg: "absent", Detail: `"leg_missing" and "absent"`}}
	ids := map[string]callmodel.JobID{
		"absent": e.done(t, "absent", absent), "whole": e.done(t, "whole", whole), "odd": e.done(t, "odd", odd),
	}
	ids["aside"] = e.enqueue(t, Request("aside"))
	require.NoError(t, e.Jobs.Fail(t.Context(), e.one(t, "w"), ledger.Failure{Cause: "x", Reason: ledger.Undecodable, Quarantine: true}))
	ids["waits"] = e.enqueue(t, Request("waits"))
	first := e.job(t, ids["absent"]).CreatedAt

	for _, c := range []struct {
		filter ledger.Filter
		want   []string
	}{
		{ledger.Filter{Status: "absent"}, []string{"absent"}},
		{ledger.Filter{Status: "completed"}, []string{"whole"}},
		{ledger.Filter{Status: "completed_degraded"}, []string{"odd"}},
		{ledger.Filter{Status: "quarantined"}, []string{"aside"}},
		{ledger.Filter{Code: "leg_missing"}, []string{"absent"}},
		{ledger.Filter{Code: "no_media", Status: "absent"}, []string{"absent"}},
		{ledger.Filter{Code: "clipped"}, []string{"odd"}},
		{ledger.Filter{Code: "leg_missing", Status: "completed_degraded"}, nil},
		{ledger.Filter{Status: "absent", TenantID: "umbrella"}, nil},
		{ledger.Filter{Status: "absent", State: ledger.Queued}, nil},
		{ledger.Filter{Status: "absent", Queue: "pbx-1"}, nil},
		{ledger.Filter{Status: "absent", Since: first, Until: first.Add(time.Microsecond)}, []string{"absent"}},
		{ledger.Filter{Until: first}, nil},
		{ledger.Filter{Since: first.Add(long)}, nil},
		{ledger.Filter{Since: first, Limit: 1}, []string{"absent"}},
		{ledger.Filter{Status: "completed_degraded", Limit: 1, After: ids["whole"]}, []string{"odd"}},
		{ledger.Filter{Status: "absent", After: ids["absent"]}, nil},
	} {
		jobs, err := e.Jobs.Jobs(t.Context(), c.filter)
		require.NoError(t, err)
		var got, want []callmodel.JobID
		for i := range jobs {
			got = append(got, jobs[i].ID)
		}
		for _, name := range c.want {
			want = append(want, ids[name])
		}
		require.Equal(t, want, got, "%+v", c.filter)
	}
	if !e.RecordsOnly {
		jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{Code: string(ledger.Undecodable)})
		require.NoError(t, err)
		require.Len(t, jobs, 1)
	}
	for _, bad := range []ledger.Filter{{Status: "fine"}, {Code: "%"}, {Code: `x\`}} {
		_, err := e.Jobs.Jobs(t.Context(), bad)
		requireCode(t, callmodel.CodeInvalid, err)
	}
}
