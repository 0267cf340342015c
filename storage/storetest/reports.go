package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
)

// Reporter is what [Reports] tests: the port reporthttp.Store, and what counts for it.
type Reporter interface {
	CountReports(ctx context.Context) (more bool, err error)
	ReportCalls(ctx context.Context, q *reports.Query) (reports.Report[reports.Calls], error)
	ReportRecordings(ctx context.Context, q *reports.Query) (reports.Report[reports.Recordings], error)
	ReportPromise(ctx context.Context, q *reports.Query) (reports.Report[reports.Promise], error)
}

// Reports is what reporthttp.Store promises.
func Reports(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"Calls", withReports(callsCounted)},
		{"CallsOnce", withReports(callsOnce)},
		{"Recordings", withReports(recordingsCounted)},
		{"Promise", withReports(promiseCounted)},
		{"Refuses", withReports(reportsRefused)},
	})
}

// withReports runs test on a schema that has reports. One before says that it has none.
func withReports(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoReports {
			test(t, e)
			return
		}
		more, err := e.Reports.CountReports(t.Context())
		require.NoError(t, err)
		require.False(t, more)
		_, err = e.Reports.ReportCalls(t.Context(), allDay("acme"))
		requireCode(t, callmodel.CodeUnavailable, err)
	}
}

func allDay(tenant callmodel.TenantID, by ...reports.Dimension) *reports.Query {
	return &reports.Query{TenantID: tenant, Since: started.Add(-24 * time.Hour), Until: started.Add(24 * time.Hour), By: by}
}

// counted counts all that waits to be.
func (e Env) counted(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = e.Reports.CountReports(t.Context())
		require.NoError(t, err)
	}
}

func (e Env) callReport(t *testing.T, q *reports.Query) []reports.Row[reports.Calls] {
	t.Helper()
	e.counted(t)
	r, err := e.Reports.ReportCalls(t.Context(), q)
	require.NoError(t, err)
	require.Zero(t, r.Waiting)
	return r.Rows
}

func (e Env) recordingReport(t *testing.T, q *reports.Query) []reports.Row[reports.Recordings] {
	t.Helper()
	e.counted(t)
	r, err := e.Reports.ReportRecordings(t.Context(), q)
	require.NoError(t, err)
	require.Zero(t, r.Waiting)
	return r.Rows
}

// fates makes calls of every fate: one that was answered and one that goes on, busy,
// rejected and abandoned ones, and another tenant's.
func (e Env) fates(t *testing.T) {
	t.Helper()
	e.create(t, "answered")
	e.event(t, "answered", calls.Event{ID: "1", Type: calls.EventRinging, At: started.Add(2 * time.Second)})
	e.event(t, "answered", calls.Event{ID: "2", Type: calls.EventAnswered, At: started.Add(5 * time.Second)})
	e.event(t, "answered", calls.Event{ID: "3", Type: calls.EventEnded, At: started.Add(65 * time.Second), Cause: &calls.Cause{Q850: 16}})
	e.create(t, "goes-on")
	e.event(t, "goes-on", calls.Event{ID: "1", Type: calls.EventAnswered, At: started.Add(time.Second)})
	e.create(t, "busy")
	e.event(t, "busy", calls.Event{ID: "1", Type: calls.EventRinging, At: started.Add(4 * time.Second)})
	e.event(t, "busy", calls.Event{ID: "2", Type: calls.EventFailed, At: started.Add(9 * time.Second), Cause: &calls.Cause{SIP: 486}})
	add := func(id string, change func(c *calls.Call)) {
		n := NewCall(id)
		change(&n.Call)
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	add("rejected", func(c *calls.Call) {
		c.State, c.Decision, c.Trunk, c.Cause = calls.Rejected, nil, "in\x00bound", &calls.Cause{Text: "no rule"}
		c.CreatedAt = started.Add(time.Hour)
	})
	add("abandoned", func(c *calls.Call) { c.Trunk = "t1" })
	e.event(t, "abandoned", calls.Event{ID: "1", Type: calls.EventEnded, At: started.Add(time.Second)})
	add("another's", func(c *calls.Call) { c.ID, c.TenantID, c.State = "another", "beta", calls.Failed })
}

func callsCounted(t *testing.T, e Env) {
	e.fates(t)
	all := reports.Calls{
		Calls: 4, Answered: 1, Abandoned: 1, Failed: 1, Rejected: 1, Rang: 2, Talk: time.Minute, PostDial: 6 * time.Second,
	}
	require.Equal(t, []reports.Row[reports.Calls]{{Of: []string{}, Sums: all}}, e.callReport(t, allDay("acme")))
	require.InDelta(t, 0.25, all.AnswerSeizureRatio(), 1e-9)
	require.Equal(t, time.Minute, all.MeanDuration())
	require.Equal(t, 3*time.Second, all.MeanPostDialDelay())
	require.Equal(t, []string{"acme", "beta"}, firsts(e.callReport(t, allDay("", reports.Tenant))))
	require.Empty(t, e.callReport(t, allDay("nobody")))
	require.Equal(t, []string{"", "no rule", "none", "sip:486"}, firsts(e.callReport(t, allDay("acme", reports.Cause))))
	require.ElementsMatch(t, []string{"", "a"}, firsts(e.callReport(t, allDay("acme", reports.Destination))))

	hours := e.callReport(t, allDay("acme", reports.Hour, reports.Type))
	require.Len(t, hours, 2)
	require.Equal(t, []string{started.Truncate(time.Hour).Format(time.RFC3339), "voice"}, hours[0].Of)
	require.EqualValues(t, 3, hours[0].Sums.Calls)
	days := e.callReport(t, allDay("acme", reports.Day))
	require.Equal(t, started.Format(time.DateOnly), days[0].Of[0])

	only := allDay("acme")
	only.Where = map[reports.Dimension]string{reports.Trunk: "t1"}
	rows := e.callReport(t, only)
	require.Len(t, rows, 1)
	require.EqualValues(t, 1, rows[0].Sums.Abandoned)
	early := &reports.Query{TenantID: "acme", Since: started.Add(-time.Hour), Until: started.Truncate(time.Hour)}
	require.Empty(t, e.callReport(t, early), "the hour of the calls isn't asked for")
	early.Until = early.Until.Add(time.Nanosecond)
	require.EqualValues(t, 3, e.callReport(t, early)[0].Sums.Calls, "it is")
}

func firsts[S any](rows []reports.Row[S]) []string {
	of := make([]string, len(rows))
	for i := range rows {
		of[i] = rows[i].Of[0]
	}
	return of
}

// callsOnce: several count at the same time, and again.
func callsOnce(t *testing.T, e Env) {
	e.fates(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			_, err := e.Reports.CountReports(t.Context())
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.EqualValues(t, 4, e.callReport(t, allDay("acme"))[0].Sums.Calls)
	e.event(t, "goes-on", calls.Event{ID: "9", Type: calls.EventEnded, At: started.Add(time.Minute)})
	require.EqualValues(t, 5, e.callReport(t, allDay("acme"))[0].Sums.Calls)
	require.EqualValues(t, 2, e.callReport(t, allDay("acme"))[0].Sums.Answered)
}

// recordingsCounted: a recording counts as what it is now, with its later version too.
func recordingsCounted(t *testing.T, e Env) {
	e.create(t, "c1")
	e.enqueue(t, Request("c1"))
	absent := record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}
	published := Outcome(absent)
	published.Empty = false
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w"), published, 0))
	now := e.call(t, "acme", "c1").Recordings[0].FinishedAt
	today := func(by ...reports.Dimension) *reports.Query {
		return &reports.Query{TenantID: "acme", Since: now.Add(-time.Hour), Until: now.Add(2 * time.Hour), By: by}
	}
	require.Equal(t, []reports.Row[reports.Recordings]{{
		Of: []string{"absent", record.ReasonNoMedia}, Sums: reports.Recordings{Recordings: 1, Absent: 1},
	}}, e.recordingReport(t, today(reports.Status, reports.Reason)))

	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("c1")))
	e.enqueue(t, Request("c2"))
	bad := record.Result{Status: record.StatusQuarantined, Reason: "a text of its own"}
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Outcome(bad)))
	require.Equal(t, []reports.Row[reports.Recordings]{
		{Of: []string{"completed_degraded", ""}, Sums: reports.Recordings{Recordings: 1, Degraded: 1, Duration: time.Minute, Bytes: 1920044}},
		{Of: []string{"quarantined", ""}, Sums: reports.Recordings{Recordings: 1, Quarantined: 1}},
	}, e.recordingReport(t, today(reports.Status, reports.Reason)), "the absent one isn't any more")
	require.Equal(t, []reports.Row[reports.Recordings]{{
		Of: []string{}, Sums: reports.Recordings{Recordings: 2, Degraded: 1, Quarantined: 1, Duration: time.Minute, Bytes: 1920044},
	}}, e.recordingReport(t, today()))
}

func reportsRefused(t *testing.T, e Env) {
	for name, q := range map[string]*reports.Query{
		"no time":        {TenantID: "acme"},
		"backwards":      {Since: started, Until: started},
		"too long":       {Since: started.Add(-500 * 24 * time.Hour), Until: started},
		"an unknown one": allDay("acme", "1; DROP TABLE calls"),
		"twice":          allDay("acme", reports.Hour, reports.Hour),
		"no tenant":      allDay("../acme"),
		"where":          {Since: started, Until: started.Add(1), Where: map[reports.Dimension]string{"hour": "1"}},
	} {
		_, err := e.Reports.ReportCalls(t.Context(), q)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	_, err := e.Reports.ReportRecordings(t.Context(), allDay("acme", reports.Trunk))
	requireCode(t, callmodel.CodeInvalid, err)
	if !e.NoPromise {
		_, err = e.Reports.ReportPromise(t.Context(), allDay("acme", reports.Trunk))
		requireCode(t, callmodel.CodeInvalid, err)
	}
}

// promiseCounted: every call that is to be recorded is in the promise's report from its end
// on, as one thing, and as what it came to.
func promiseCounted(t *testing.T, e Env) {
	if e.NoPromise {
		_, err := e.Reports.ReportPromise(t.Context(), allDay("acme"))
		requireCode(t, callmodel.CodeUnavailable, err)
		return
	}
	if e.Advance != nil {
		e.Advance(365 * 24 * time.Hour) // behind the calls
	}
	end := func(id callmodel.CallID, ended time.Time) {
		e.create(t, string(id))
		e.event(t, id, calls.Event{ID: "1", Type: calls.EventAnswered, At: started.Add(time.Second)})
		e.event(t, id, calls.Event{ID: "2", Type: calls.EventEnded, At: ended, Legs: []record.LegSpec{record.NewLeg("agent", string(id)+".wav")}})
	}
	e.fates(t) // of which "answered" is due
	end("made", started.Add(time.Minute))
	end("aside", started.Add(time.Minute))
	end("waits", started.Add(2*time.Hour))
	for range 3 {
		l := e.one(t, "w")
		switch l.Job.Key {
		case "answered":
			require.NoError(t, e.Jobs.Complete(t.Context(), l, Outcome(record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia, Software: "v2"})))
		case "made":
			r := Result("made")
			r.Software = "v1"
			require.NoError(t, e.Jobs.Complete(t.Context(), l, Outcome(r)))
		case "aside":
			require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "a text of its own", Quarantine: true}))
		}
	}
	l := e.one(t, "w")
	require.Equal(t, "waits", l.Job.Key)
	require.NoError(t, e.Jobs.Fail(t.Context(), l, ledger.Failure{Cause: "away", Reason: record.BucketAway, Uncounted: true, RetryIn: long}))

	rows := func(by ...reports.Dimension) []reports.Row[reports.Promise] {
		t.Helper()
		e.counted(t)
		r, err := e.Reports.ReportPromise(t.Context(), allDay("acme", by...))
		require.NoError(t, err)
		for i := range r.Rows {
			r.Rows[i].Sums.After = 0 // the machine's own
		}
		return r.Rows
	}
	want := []reports.Row[reports.Promise]{
		{Of: []string{"pbx-1", "", string(record.BucketAway)}, Sums: reports.Promise{Calls: 1, Explained: 1}},
		{Of: []string{"pbx-1", "", "quarantined"}, Sums: reports.Promise{Calls: 1, Quarantined: 1}},
		{Of: []string{"pbx-1", "v1", ""}, Sums: reports.Promise{Calls: 1, Recorded: 1, Short: 1}},
		{Of: []string{"pbx-1", "v2", record.ReasonNoMedia}, Sums: reports.Promise{Calls: 1, Absent: 1}},
	}
	require.Eventually(t, func() bool { // each is looked at again some seconds later
		return assert.ObjectsAreEqual(want, rows(reports.Server, reports.Version, reports.Reason))
	}, slow, tick, "%+v", rows(reports.Server, reports.Version, reports.Reason))
	require.EqualValues(t, 4, rows()[0].Sums.Calls)
	require.Zero(t, rows()[0].Sums.Unexplained)
	hours := rows(reports.Hour)
	require.Len(t, hours, 2, "of the ends")
	require.EqualValues(t, 1, hours[1].Sums.Calls)
	r, err := e.Reports.ReportPromise(t.Context(), allDay("beta"))
	require.NoError(t, err)
	require.Empty(t, r.Rows)
}
