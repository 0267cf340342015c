package recordinghttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/storetest"
)

func TestQueuesAndMove(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	in := func(tenant callmodel.TenantID, id, queue string) callmodel.JobID {
		t.Helper()
		sp := storetest.Spec(id)
		sp.TenantID = tenant
		r := storetest.RequestOf(sp)
		r.Queue = queue
		job, _, err := s.db.Enqueue(t.Context(), r)
		require.NoError(t, err)
		return job
	}
	mine := []callmodel.JobID{in("acme", "c1", "pbx-l"), in("acme", "c2", "pbx-l")}
	other := in("umbrella", "c1", "pbx-l")
	aside := in("acme", "c3", "pbx-l")
	require.NoError(t, s.db.Quarantine(t.Context(), aside, "ann", "x"))
	_, _, err := s.db.Enqueue(t.Context(), ledger.Request{Kind: "verify", TenantID: "acme", Key: "v", Queue: "pbx-l", Payload: []byte("{}")})
	require.NoError(t, err)
	require.NoError(t, s.db.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "w", Queues: []string{"pbx-1"}}))

	var page struct{ Queues []recordinghttp.Queue }
	w := s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/recordings/queues", "", &page)
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	require.Len(t, page.Queues, 2)
	page.Queues[0].OldestDueS = 0
	require.Equal(t, recordinghttp.Queue{Queue: "pbx-l", Kind: "record", Waiting: 2, Due: 2, Unserved: true}, page.Queues[0], "its own alone")
	require.Len(t, page.Queues[1].ServedBy, 1)
	require.WithinDuration(t, time.Now(), page.Queues[1].ServedBy[0].Since, time.Minute)
	page.Queues[1].ServedBy[0].Since = time.Time{}
	require.Equal(t, recordinghttp.Queue{Queue: "pbx-1", Workers: 1, ServedBy: []recordinghttp.Server{{Name: "w"}}}, page.Queues[1])
	require.NoError(t, s.db.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "v", Kinds: []string{"verify"}}))
	page.Queues = nil
	s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/recordings/queues", "", &page)
	require.Len(t, page.Queues, 2, "one that makes no recordings")
	s.do(t, as(reads(), "acme"), http.MethodGet, "/v1/jobs/queues", "", &page)
	var all []string
	for _, q := range page.Queues {
		all = append(all, q.Queue+" "+q.Kind)
	}
	require.Equal(t, []string{"pbx-l record", "pbx-l verify", "* ", "pbx-1 "}, all)
	s.fails(t, as(reads(), "acme"), http.MethodGet, "/v1/recordings/queues?limit=0", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)

	const path = "/v1/recordings/jobs/move"
	s.fails(t, as(reads(), "acme"), http.MethodPost, path, `{"from": "pbx-l", "to": "pbx-1"}`, http.StatusForbidden, callmodel.CodeForbidden)
	operator := as(operates(), "acme")
	move := func(body string) recordinghttp.Changed {
		t.Helper()
		var got recordinghttp.Changed
		w := s.do(t, operator, http.MethodPost, path, body, &got)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		return got
	}
	require.Equal(t, recordinghttp.Changed{Jobs: mine[:1], More: true, DryRun: true}, move(`{"from": "pbx-l", "to": "pbx-1", "limit": 1, "dry_run": true}`))
	require.Zero(t, s.rang.Load())
	require.Equal(t, recordinghttp.Changed{Jobs: mine}, move(`{"from": "pbx-l", "to": "pbx-1", "state": "queued"}`))
	require.EqualValues(t, 1, s.rang.Load())
	require.Equal(t, recordinghttp.Changed{Jobs: []callmodel.JobID{aside}}, move(`{"from": "pbx-l", "to": "pbx-1"}`))
	for id, queue := range map[callmodel.JobID]string{mine[0]: "pbx-1", aside: "pbx-1", other: "pbx-l"} {
		job, err := s.db.Job(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, queue, job.Queue)
	}
	for body, faults := range map[string]int{
		`{}`: 2, `{"from": "a"}`: 1, `{"from": "a", "to": "a"}`: 1, `{"from": "a", "to": "../b"}`: 1,
		`{"from": "a", "to": "b", "state": "done"}`: 1, `{"from": "a", "to": "b", "limit": 501}`: 1,
	} {
		p := s.fails(t, operator, http.MethodPost, path, body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.Len(t, p.Errors, faults, body)
	}
}
