package recordinghttp_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage/storetest"
)

const aJob = `{"kind":"verify","key":"k1","call_id":"c1","payload":{"recording":{"call_id":"c1"}},"queue":"night","priority":7}`

func TestJobsOfAnyKind(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	p, other := as(operates(), "acme"), as(operates(), "umbrella")
	var got struct {
		JobID     callmodel.JobID `json:"job_id"`
		Kind, Key string
		Created   bool
	}
	w := s.do(t, p, http.MethodPost, "/v1/jobs", aJob, &got)
	require.Equal(t, http.StatusAccepted, w.Code, w.Body)
	require.Equal(t, "/v1/jobs/"+string(got.JobID), w.Header().Get("Location"))
	require.True(t, got.Created)
	require.Equal(t, "verify", got.Kind)
	require.EqualValues(t, 1, s.rang.Load())
	id := got.JobID
	s.do(t, p, http.MethodPost, "/v1/jobs", aJob, &got)
	require.Equal(t, id, got.JobID)
	require.False(t, got.Created)
	s.fails(t, p, http.MethodPost, "/v1/jobs", `{"kind":"verify","key":"k1","payload":{"recording":{"call_id":"c2"}}}`, http.StatusConflict, callmodel.CodeConflict)
	s.do(t, other, http.MethodPost, "/v1/jobs", aJob, &got)
	require.NotEqual(t, id, got.JobID, "another tenant's key is its own")

	recording, _, err := s.db.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
	list := func(query string) (ids []callmodel.JobID) {
		t.Helper()
		var page struct{ Jobs []ledger.Job }
		w := s.do(t, p, http.MethodGet, "/v1/jobs"+query, "", &page)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		for i := range page.Jobs {
			ids = append(ids, page.Jobs[i].ID)
		}
		return ids
	}
	require.Equal(t, []callmodel.JobID{id, recording}, list(""))
	require.Equal(t, []callmodel.JobID{id}, list("?kind=verify"))
	require.Equal(t, []callmodel.JobID{recording}, list("?kind="+record.Kind))
	require.Empty(t, list("?kind=export"))
	require.Equal(t, []callmodel.JobID{id}, list("?queue=night&call_id=c1"))

	var j ledger.Job
	require.Equal(t, http.StatusOK, s.do(t, p, http.MethodGet, "/v1/jobs/"+string(id), "", &j).Code)
	require.Equal(t, stored.KindVerify, j.Kind)
	require.Equal(t, 7, j.Priority)
	require.JSONEq(t, `{"recording":{"call_id":"c1"}}`, string(j.Payload))
	require.Equal(t, http.StatusOK, s.do(t, p, http.MethodGet, "/v1/jobs/"+string(recording), "", &j).Code)
	s.fails(t, p, http.MethodGet, "/v1/recordings/jobs/"+string(id), "", http.StatusNotFound, callmodel.CodeNotFound)

	theirs := s.fails(t, other, http.MethodGet, "/v1/jobs/"+string(id), "", http.StatusNotFound, callmodel.CodeNotFound)
	none := s.fails(t, other, http.MethodGet, "/v1/jobs/"+string(id[:len(id)-4])+"0000", "", http.StatusNotFound, callmodel.CodeNotFound)
	require.Equal(t, none.Detail, theirs.Detail)
	for _, path := range []string{"/retry", "/quarantine"} {
		s.fails(t, other, http.MethodPost, "/v1/jobs/"+string(id)+path, `{"reason":"x"}`, http.StatusNotFound, callmodel.CodeNotFound)
	}

	require.Equal(t, http.StatusOK, s.do(t, p, http.MethodPost, "/v1/jobs/"+string(id)+"/quarantine", `{"reason":"not now"}`, &j).Code)
	require.Equal(t, ledger.Quarantined, j.State)
	require.Equal(t, http.StatusOK, s.do(t, p, http.MethodPost, "/v1/jobs/"+string(id)+"/retry", "", &j).Code)
	require.Equal(t, ledger.Queued, j.State)
	finish := func(o ledger.Outcome) {
		t.Helper()
		leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{"verify"}, Queues: []string{"night"}})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		require.NoError(t, s.db.Complete(t.Context(), leases[0], o))
	}
	finish(ledger.Outcome{Result: json.RawMessage(`{"status":"completed_degraded"}`), Retriable: true})
	require.Equal(t, http.StatusOK, s.do(t, p, http.MethodPost, "/v1/jobs/"+string(id)+"/retry", "", &j).Code)
	finish(ledger.Outcome{})
	s.fails(t, p, http.MethodPost, "/v1/jobs/"+string(id)+"/retry", "", http.StatusConflict, callmodel.CodeConflict)
}

func TestJobsAreCheckedAtTheDoor(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	p := as(submits(), "acme")
	for body, at := range map[string][]string{
		`{}`:                                     {"key", "payload"},
		`{"kind":"wash","key":"k","payload":{}}`: {"kind"},
		`{"kind":"record","key":"k","payload":{}}`:                                                 {"kind"},
		`{"kind":"command","key":"k","payload":{}}`:                                                {"kind"},
		`{"kind":"verify","key":"a b","payload":{"recording":{}},"queue":"/","priority":10}`:       {"key", "queue", "priority", "payload.recording.call_id"},
		`{"kind":"verify","key":"k","payload":{"recording":{"call_id":"c1","url":"s3://x"}}}`:      {"payload.recording.url"},
		`{"kind":"verify","key":"k","payload":{"recording":{"call_id":"c1"}},"tenant_id":"other"}`: {"tenant_id"},
	} {
		prob := s.fails(t, p, http.MethodPost, "/v1/jobs", body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		var paths []string
		for _, f := range prob.Errors {
			paths = append(paths, f.Path)
		}
		require.ElementsMatch(t, at, paths, body)
	}
	s.fails(t, as(reads(), "acme"), http.MethodPost, "/v1/jobs", aJob, http.StatusForbidden, callmodel.CodeForbidden)
	list, err := s.db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, list)
}
