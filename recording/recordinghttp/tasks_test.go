package recordinghttp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage"
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

// TestManyJobsOfAnyKind: what is done with many jobs is done with those of a kind, or of
// all.
func TestManyJobsOfAnyKind(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	p := as(operates(), "acme")
	ids := map[string]callmodel.JobID{}
	for _, kind := range []string{"verify", "export"} {
		var err error
		ids[kind], _, err = s.db.Enqueue(t.Context(), ledger.Request{Kind: kind, TenantID: "acme", Key: "k", Payload: []byte(`{}`), Queue: "day"})
		require.NoError(t, err)
	}
	var queues struct{ Queues []recordinghttp.Queue }
	s.do(t, p, http.MethodGet, "/v1/jobs/queues", "", &queues)
	require.Len(t, queues.Queues, 2)
	s.do(t, p, http.MethodGet, "/v1/jobs/queues?kind=export", "", &queues)
	require.Len(t, queues.Queues, 1)
	require.Equal(t, "export", queues.Queues[0].Kind)
	s.do(t, p, http.MethodGet, "/v1/recordings/queues", "", &queues)
	require.Empty(t, queues.Queues)

	var changed recordinghttp.Changed
	s.do(t, p, http.MethodPost, "/v1/recordings/jobs/move", `{"from":"day","to":"night"}`, &changed)
	require.Empty(t, changed.Jobs)
	s.do(t, p, http.MethodPost, "/v1/jobs/move", `{"from":"day","to":"night","kind":"verify"}`, &changed)
	require.Equal(t, []callmodel.JobID{ids["verify"]}, changed.Jobs)
	s.do(t, p, http.MethodPost, "/v1/jobs/move", `{"from":"day","to":"night"}`, &changed)
	require.Equal(t, []callmodel.JobID{ids["export"]}, changed.Jobs)

	for range ids {
		leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w"})
		require.NoError(t, err)
		require.NoError(t, s.db.Complete(t.Context(), leases[0], ledger.Outcome{Result: json.RawMessage(`{"status":"absent"}`), Retriable: true}))
	}
	s.do(t, p, http.MethodPost, "/v1/recordings/jobs/retry", `{"status":"absent"}`, &changed)
	require.Empty(t, changed.Jobs)
	s.do(t, p, http.MethodPost, "/v1/jobs/retry", `{"status":"absent","kind":"export"}`, &changed)
	require.Equal(t, []callmodel.JobID{ids["export"]}, changed.Jobs)
	s.do(t, p, http.MethodPost, "/v1/jobs/retry", `{"status":"absent","dry_run":true}`, &changed)
	require.Equal(t, []callmodel.JobID{ids["verify"]}, changed.Jobs)
	s.fails(t, p, http.MethodPost, "/v1/jobs/retry", `{"kind":"export"}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	s.fails(t, p, http.MethodPost, "/v1/jobs/move", `{"limit":501}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
}

// TestMediaOfAnyKind: what jobs have made is fetched from them, and that is audited.
func TestMediaOfAnyKind(t *testing.T) {
	t.Parallel()
	store, err := storage.Open(t.Context(), "file://"+t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	s := newService(t, store)
	p, other := as(operates(), "acme"), as(operates(), "umbrella")
	put := func(tenant, name string) record.ObjectInfo {
		t.Helper()
		info, err := store.PutNamed(t.Context(), tenant+"/"+name, record.ObjectMeta{}, func(w io.Writer) error {
			_, err := io.WriteString(w, "the bytes of "+name)
			return err
		})
		require.NoError(t, err)
		return info
	}
	done := func(kind, key string, result any) string {
		t.Helper()
		id, _, err := s.db.Enqueue(t.Context(), ledger.Request{Kind: kind, TenantID: "acme", Key: key, Payload: []byte(`{}`)})
		require.NoError(t, err)
		leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w"})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		b, err := json.Marshal(result)
		require.NoError(t, err)
		require.NoError(t, s.db.Complete(t.Context(), leases[0], ledger.Outcome{Result: b}))
		return "/v1/jobs/" + string(id) + "/media"
	}
	zip, mp3 := put("acme", "x.v1.zip"), put("acme", "y.mp3")
	exported := done(stored.KindExport, "x", stored.Exported{Status: record.StatusCompleted, Key: "acme/x.v1.zip", Bytes: zip.Bytes, SHA256: zip.SHA256})
	w := s.do(t, p, http.MethodGet, exported, "", nil)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "the bytes of x.v1.zip", w.Body.String())
	require.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Content-Disposition"), `"x.v1.zip"`)
	transcoded := done(stored.KindTranscode, "y", stored.Transcoded{Status: record.StatusCompleted, Outputs: []record.OutputResult{
		{Name: "small", Codec: record.CodecMP3, Key: "acme/y.mp3", Bytes: mp3.Bytes, SHA256: mp3.SHA256},
	}})
	w = s.do(t, p, http.MethodGet, transcoded+"?output=small", "", nil)
	require.Equal(t, "the bytes of y.mp3", w.Body.String())
	require.Equal(t, "audio/mpeg", w.Header().Get("Content-Type"))

	put("umbrella", "z.zip")
	for _, path := range []string{
		transcoded + "?output=large",
		done(stored.KindVerify, "v", stored.Verified{Status: record.StatusCompleted}), done("count", "n", 7), done("none", "n", nil),
		done(stored.KindExport, "z", stored.Exported{Key: "umbrella/z.zip"}),
	} {
		s.fails(t, p, http.MethodGet, path, "", http.StatusNotFound, callmodel.CodeNotFound)
	}
	s.fails(t, other, http.MethodGet, exported, "", http.StatusNotFound, callmodel.CodeNotFound)
	lines, err := s.db.AuditEvents(t.Context(), "acme", 0, 100)
	require.NoError(t, err)
	var heard []map[string]string
	for _, l := range lines {
		if l.Action == callmodel.AuditListened {
			heard = append(heard, l.Detail)
		}
	}
	require.Len(t, heard, 2)
	require.Equal(t, "export", heard[0]["kind"])
	require.Equal(t, "x", heard[0]["key"])
	require.NotContains(t, heard[0], "recording_id")
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
