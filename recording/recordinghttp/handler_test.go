package recordinghttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ recordinghttp.Ledger = (*calldb.DB)(nil)
	_ recordinghttp.Ledger = (*memdb.Store)(nil)
)

func openDB(tb testing.TB) *calldb.DB {
	tb.Helper()
	db, err := calldb.Open(tb.Context(), calldb.SQLiteURL(filepath.Join(tb.TempDir(), "ledger.db")), nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	_, err = db.Migrate(tb.Context())
	require.NoError(tb, err)
	return db
}

// service is a handler on a real ledger, and how often its bell rang.
type service struct {
	h    *recordinghttp.Handler
	db   *calldb.DB
	rang atomic.Int32
}

func newService(tb testing.TB, media recordinghttp.Media) *service {
	tb.Helper()
	s := &service{db: openDB(tb)}
	kinds, err := task.NewKinds(stored.Kinds(nil, nil)...)
	require.NoError(tb, err)
	s.h = recordinghttp.New(s.db, &recordinghttp.Options{
		Kinds: kinds,
		Check: recording.NewProcessor(nil, nil, nil).Check, DeadLetters: s.db, Keeper: s.db, Media: media, JobEnqueued: func() { s.rang.Add(1) },
		Defaults: s.defaults,
	})
	return s
}

// What the three kinds of principals of these tests may do.
func reads() []callmodel.Scope { return []callmodel.Scope{callmodel.ScopeRecordingsRead} }

func submits() []callmodel.Scope { return append(reads(), callmodel.ScopeRecordingsWrite) }

func operates() []callmodel.Scope { return append(submits(), callmodel.ScopeJobsWrite) }

func as(scopes []callmodel.Scope, tenant callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: tenant, Subject: "key-of-" + string(tenant), Scopes: scopes}
}

// do makes a request and decodes its answer into v, unless v is nil.
func (s *service) do(t *testing.T, p callmodel.Principal, method, path, body string, v any) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	contract(t).Serve(t, s.h, w, r)
	if v != nil {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), v), "%s", w.Body)
	}
	return w
}

func (s *service) fails(t *testing.T, p callmodel.Principal, method, path, body string, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	var got problem.Problem
	w := s.do(t, p, method, path, body, &got)
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.Equal(t, code, got.Code)
	return got
}

type accepted struct {
	JobID       callmodel.JobID       `json:"job_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	Created     bool                  `json:"created"`
}

// submission is the body for the sample call id, with more fields.
func submission(tb testing.TB, id string, more map[string]any) string {
	tb.Helper()
	b, err := json.Marshal(storetest.Spec(id))
	require.NoError(tb, err)
	fields := map[string]any{}
	require.NoError(tb, json.Unmarshal(b, &fields))
	delete(fields, "tenant_id")
	maps.Copy(fields, more)
	b, err = json.Marshal(fields)
	require.NoError(tb, err)
	return string(b)
}

func (s *service) enqueue(t *testing.T, id string) callmodel.JobID {
	t.Helper()
	var a accepted
	w := s.do(t, as(submits(), "acme"), http.MethodPost, "/v1/recordings", submission(t, id, nil), &a)
	require.Equal(t, http.StatusAccepted, w.Code, "%s", w.Body)
	return a.JobID
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	caller := as(submits(), "acme")
	body := submission(t, "c1", map[string]any{"queue": "pbx-7", "priority": 5, "tenant_id": "acme"})
	var a accepted
	w := s.do(t, caller, http.MethodPost, "/v1/recordings", body, &a)
	require.Equal(t, http.StatusAccepted, w.Code, "%s", w.Body)
	assert.True(t, a.Created)
	assert.Equal(t, callmodel.RecordingID("c1"), a.RecordingID)
	assert.Equal(t, "/v1/recordings/jobs/"+string(a.JobID), w.Header().Get("Location"))
	assert.EqualValues(t, 1, s.rang.Load())

	job, err := s.db.Job(t.Context(), a.JobID)
	require.NoError(t, err)
	assert.Equal(t, storetest.Spec("c1"), storetest.SpecOf(t, &job), "the whole spec arrives, in the principal's tenant")
	assert.Equal(t, "pbx-7", job.Queue)
	assert.Equal(t, 5, job.Priority)

	var again accepted
	w = s.do(t, caller, http.MethodPost, "/v1/recordings", body, &again)
	require.Equal(t, http.StatusAccepted, w.Code)
	assert.Equal(t, accepted{a.JobID, "c1", false}, again)
	assert.EqualValues(t, 1, s.rang.Load(), "nothing new to work on")

	other := submission(t, "c1", map[string]any{"call_id": "c2"})
	p := s.fails(t, caller, http.MethodPost, "/v1/recordings", other, http.StatusConflict, callmodel.CodeConflict)
	assert.Contains(t, p.Detail, string(a.JobID))

	// The same recording id of another tenant is another recording.
	w = s.do(t, as(submits(), "globex"), http.MethodPost, "/v1/recordings", submission(t, "c1", nil), &again)
	require.Equal(t, http.StatusAccepted, w.Code)
	assert.True(t, again.Created)
	assert.NotEqual(t, a.JobID, again.JobID)
}

func TestEnqueueReportsEveryFault(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	caller := as(submits(), "acme")
	for _, c := range []struct {
		name, body string
		paths      []string
	}{
		{"everything at once", submission(t, "c1", map[string]any{
			"tenant_id": "globex", "queue": "../etc", "priority": 10, "bit_rate": 1, "call_id": "a/b",
			"legs": []any{map[string]any{"name": "a", "segments": []any{map[string]any{"uri": "../x.wav"}}}},
			"outputs": []any{
				map[string]any{"codec": "wav", "layout": "stereo", "sample_rate_hz": "8k"},
				map[string]any{"codec": "aiff", "layout": "mono", "name": "b"},
			},
		}), []string{"bit_rate", "call_id", "legs[0].segments[0].uri", "outputs[0].sample_rate_hz", "outputs[1].codec", "priority", "queue", "tenant_id"}},
		{"what the codec can't do, and the queue", submission(t, "c1", map[string]any{
			"queue": " ", "outputs": []any{map[string]any{"codec": "mulaw", "layout": "mono", "sample_rate_hz": 7777, "bit_depth": 16}},
		}), []string{"outputs[0].bit_depth", "queue"}},
		{"a codec that isn't built in", submission(t, "c1", map[string]any{
			"priority": -1, "outputs": []any{map[string]any{"codec": "opus", "layout": "mono", "sample_rate_hz": 44100}},
		}), []string{"outputs[0].codec", "priority"}},
		{"nothing", `{}`, []string{"call_id", "legs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := s.fails(t, caller, http.MethodPost, "/v1/recordings", c.body, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
			got := map[string]bool{}
			for _, f := range p.Errors {
				got[f.Path] = true
				assert.NotEmpty(t, f.Message)
			}
			for _, path := range c.paths {
				assert.True(t, got[path], "%s in %v", path, p.Errors)
			}
			assert.Len(t, p.Errors, len(c.paths), "%v", p.Errors)
		})
	}
	s.fails(t, caller, http.MethodPost, "/v1/recordings", `{"call_id":`, http.StatusBadRequest, callmodel.CodeMalformed)
	s.fails(t, caller, http.MethodPost, "/v1/recordings", `{"call_id":"`+strings.Repeat("x", 9<<20)+`"}`,
		http.StatusRequestEntityTooLarge, callmodel.CodeTooLarge)
	jobs, err := s.db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	assert.Empty(t, jobs, "nothing was stored")
	assert.Zero(t, s.rang.Load())
}

// TestSubmissionHasEveryField: what the spec says is taken as it is.
func TestSubmissionHasEveryField(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	want := storetest.Spec("c1")
	want.Span = 90 * time.Second
	want.Redactions = []record.Redaction{{From: time.Second, To: 2 * time.Second}}
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var a accepted
	w := s.do(t, as(submits(), "acme"), http.MethodPost, "/v1/recordings", string(b), &a)
	require.Equal(t, http.StatusAccepted, w.Code, "%s", w.Body)
	job, err := s.db.Job(t.Context(), a.JobID)
	require.NoError(t, err)
	assert.Equal(t, want, storetest.SpecOf(t, &job))
}

// TestLegsBelow: a job's legs are confined to where the host of the handler says, by
// the principal's tenant and the queue, and by nobody else.
func TestLegsBelow(t *testing.T) {
	t.Parallel()
	s := &service{db: openDB(t)}
	dir, refusal := "", error(nil)
	s.h = recordinghttp.New(s.db, &recordinghttp.Options{LegsBelow: func(tenant callmodel.TenantID, host string) (string, error) {
		if tenant != "acme" || host != "pbx1" {
			return "elsewhere", nil
		}
		return dir, refusal
	}})
	p := as(submits(), "acme")
	uri := storetest.Spec("c1").Legs[0].Segments[0].URI
	require.Contains(t, uri, "/")
	enqueue := func(more map[string]any, v any) *httptest.ResponseRecorder {
		more["queue"] = "pbx1"
		return s.do(t, p, http.MethodPost, "/v1/recordings", submission(t, "c1", more), v)
	}
	for _, dir = range []string{"elsewhere", uri, uri[:1]} {
		require.Equal(t, http.StatusUnprocessableEntity, enqueue(map[string]any{}, nil).Code, dir)
	}
	dir, refusal = "", callmodel.Errorf(callmodel.CodeForbidden, "it has none")
	require.Equal(t, http.StatusForbidden, enqueue(map[string]any{}, nil).Code)

	dir, refusal = path.Dir(uri), nil
	require.Equal(t, http.StatusUnprocessableEntity, enqueue(map[string]any{"legs_below": "x"}, nil).Code)
	var first, again accepted
	require.Equal(t, http.StatusAccepted, enqueue(map[string]any{}, &first).Code)
	job, err := s.db.Job(t.Context(), first.JobID)
	require.NoError(t, err)
	assert.Equal(t, dir, storetest.SpecOf(t, &job).LegsBelow)
	dir = "" // the operator thought better of it
	require.Equal(t, http.StatusAccepted, enqueue(map[string]any{}, &again).Code, "it is the same recording")
	assert.Equal(t, first.JobID, again.JobID)
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	reader := as(reads(), "acme")
	var page struct {
		Jobs []ledger.Job    `json:"jobs"`
		Next callmodel.JobID `json:"next"`
	}
	w := s.do(t, reader, http.MethodGet, "/v1/recordings/jobs", "", &page)
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `"jobs":[]`)

	var want []callmodel.JobID
	for _, id := range []string{"c1", "c2", "c3", "c4", "c5"} {
		want = append(want, s.enqueue(t, id))
	}
	theirs := storetest.Spec("g1")
	theirs.TenantID = "globex"
	foreign := storetest.RequestOf(theirs)
	foreign.Queue = "pbx-1"
	_, _, err := s.db.Enqueue(t.Context(), foreign)
	require.NoError(t, err)
	other, _, err := s.db.Enqueue(t.Context(), ledger.Request{Kind: "verify", TenantID: "acme", Key: "c1", Payload: []byte("{}")})
	require.NoError(t, err)
	s.fails(t, as(reads(), "acme"), http.MethodGet, "/v1/recordings/jobs/"+string(other), "", http.StatusNotFound, callmodel.CodeNotFound)
	require.NoError(t, s.db.Quarantine(t.Context(), want[1], "op", "odd"))

	var got []callmodel.JobID
	for after := ""; ; after = string(page.Next) {
		page.Next = ""
		w := s.do(t, reader, http.MethodGet, "/v1/recordings/jobs?limit=2&after="+after, "", &page)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if page.Next == "" {
			break
		}
		require.Len(t, page.Jobs, 2)
	}
	assert.Equal(t, want, got, "its own only, each once")

	for query, n := range map[string]int{"state=quarantined": 1, "state=queued": 4, "queue=pbx-1": 0, "queue=default&state=queued": 4} {
		s.do(t, reader, http.MethodGet, "/v1/recordings/jobs?"+query, "", &page)
		assert.Len(t, page.Jobs, n, query)
	}
	s.fails(t, reader, http.MethodGet, "/v1/recordings/jobs?call=some", "", 422, callmodel.CodeInvalid)
	p := s.fails(t, reader, http.MethodGet, "/v1/recordings/jobs?limit=501&state=lost", "", 422, callmodel.CodeInvalid)
	assert.Len(t, p.Errors, 2)
	s.fails(t, reader, http.MethodGet, "/v1/recordings/jobs?after=j7", "", 422, callmodel.CodeInvalid)
}

func TestRetryAndQuarantine(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	id := s.enqueue(t, "c1")
	at := "/v1/recordings/jobs/" + string(id)
	operator := as(operates(), "acme")

	s.fails(t, operator, http.MethodPost, at+"/retry", "", http.StatusConflict, callmodel.CodeConflict)
	p := s.fails(t, operator, http.MethodPost, at+"/quarantine", `{"why":"x"}`, http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	assert.Len(t, p.Errors, 2)
	s.fails(t, operator, http.MethodPost, at+"/quarantine", ``, http.StatusBadRequest, callmodel.CodeMalformed)

	var job ledger.Job
	w := s.do(t, operator, http.MethodPost, at+"/quarantine", `{"reason":"wrong call"}`, &job)
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	assert.Equal(t, ledger.Quarantined, job.State)
	assert.Equal(t, "wrong call", job.LastError)
	s.fails(t, operator, http.MethodPost, at+"/quarantine", `{"reason":"again"}`, http.StatusConflict, callmodel.CodeConflict)

	w = s.do(t, operator, http.MethodPost, at+"/retry", "", &job)
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	assert.Equal(t, ledger.Queued, job.State)
	assert.EqualValues(t, 2, s.rang.Load(), "enqueued, and put back")

	audit, err := s.db.AuditEvents(t.Context(), "acme", 0, 100)
	require.NoError(t, err)
	who := map[string]string{}
	for _, e := range audit {
		who[e.Action] = e.Actor
	}
	assert.Equal(t, "key-of-acme", who[callmodel.AuditJobQuarantined])
	assert.Equal(t, "key-of-acme", who[callmodel.AuditJobRetried])
}

// TestOnlyItsOwn: every path answers another tenant's job as it answers none,
// byte for byte, and leaves the same audit line.
func TestOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	id := s.enqueue(t, "c1")
	stranger := as(operates(), "globex")
	none := "j000000000999-00000000"
	for _, c := range [][2]string{
		{http.MethodGet, ""}, {http.MethodGet, "/media"}, {http.MethodPost, "/retry"}, {http.MethodPost, "/quarantine"},
	} {
		body := `{"reason":"mine now"}`
		foreign := s.do(t, stranger, c[0], "/v1/recordings/jobs/"+string(id)+c[1], body, nil)
		missing := s.do(t, stranger, c[0], "/v1/recordings/jobs/"+none+c[1], body, nil)
		assert.Equal(t, http.StatusNotFound, foreign.Code, c)
		assert.Equal(t, missing.Body.String(), foreign.Body.String(), c)
		assert.Equal(t, missing.Header(), foreign.Header(), c)
	}
	job, err := s.db.Job(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, ledger.Queued, job.State)
	audit, err := s.db.AuditEvents(t.Context(), "globex", 0, 100)
	require.NoError(t, err)
	require.Len(t, audit, 8)
	for _, e := range audit {
		assert.Equal(t, callmodel.AuditAccessDenied, e.Action)
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	id := string(s.enqueue(t, "c1"))
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/recordings/jobs", nil))
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	// A principal without a tenant would see every tenant's jobs.
	s.fails(t, as(operates(), ""), http.MethodGet, "/v1/recordings/jobs", "", http.StatusUnauthorized, callmodel.CodeUnauthenticated)
	denied := 0
	for _, c := range []struct {
		scopes       []callmodel.Scope
		method, path string
	}{
		{reads(), http.MethodPost, "/v1/recordings"},
		{submits(), http.MethodPost, "/v1/recordings/jobs/" + id + "/retry"},
		{submits(), http.MethodPost, "/v1/recordings/jobs/retry"},
		{submits(), http.MethodPost, "/v1/recordings/jobs/" + id + "/quarantine"},
		{nil, http.MethodGet, "/v1/recordings/jobs"},
	} {
		s.fails(t, as(c.scopes, "acme"), c.method, c.path, "{}", http.StatusForbidden, callmodel.CodeForbidden)
		audit, err := s.db.AuditEvents(t.Context(), "acme", 0, 100)
		require.NoError(t, err)
		denied++
		last := audit[len(audit)-1]
		assert.Equal(t, c.method+" "+c.path, last.Subject)
		assert.Equal(t, callmodel.AuditAccessDenied, last.Action)
		assert.Len(t, audit, 1+denied)
	}
	s.fails(t, as(reads(), "acme"), http.MethodDelete, "/v1/recordings/jobs/"+id, "", http.StatusMethodNotAllowed, callmodel.CodeMethodNotAllowed)

	// One scope opens its own endpoints and no other.
	for endpoint, needs := range map[[2]string]callmodel.Scope{
		{http.MethodPost, "/v1/recordings"}:                            callmodel.ScopeRecordingsWrite,
		{http.MethodGet, "/v1/recordings/jobs"}:                        callmodel.ScopeRecordingsRead,
		{http.MethodGet, "/v1/recordings/jobs/" + id}:                  callmodel.ScopeRecordingsRead,
		{http.MethodGet, "/v1/recordings/jobs/" + id + "/media"}:       callmodel.ScopeRecordingsRead,
		{http.MethodPost, "/v1/recordings/jobs/" + id + "/retry"}:      callmodel.ScopeJobsWrite,
		{http.MethodPost, "/v1/recordings/jobs/retry"}:                 callmodel.ScopeJobsWrite,
		{http.MethodPost, "/v1/recordings/jobs/" + id + "/quarantine"}: callmodel.ScopeJobsWrite,
	} {
		for _, scope := range callmodel.Scopes() {
			w := s.do(t, as([]callmodel.Scope{scope}, "acme"), endpoint[0], endpoint[1], "{}", nil)
			assert.Equal(t, scope != needs, w.Code == http.StatusForbidden, "%v with %s: %s", endpoint, scope, w.Body)
		}
	}
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	s := newService(t, nil)
	require.NoError(t, s.db.Close())
	for _, c := range [][3]string{
		{http.MethodPost, "/v1/recordings", submission(t, "c1", nil)},
		{http.MethodGet, "/v1/recordings/jobs", ""},
	} {
		w := s.do(t, as(operates(), "acme"), c[0], c[1], c[2], nil)
		assert.GreaterOrEqual(t, w.Code, 500)
		assert.NotContains(t, w.Body.String(), "sql", "what is inside stays inside")
	}
	assert.Zero(t, s.rang.Load())

	ctx, cancel := context.WithCancel(callmodel.WithPrincipal(t.Context(), as(reads(), "acme")))
	cancel()
	w := httptest.NewRecorder()
	newService(t, nil).h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/recordings/jobs", nil))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "a request that was given up is no defect")
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
}

// TestImports keeps databases and clouds out of programs that mount this.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		for _, bad := range []string{
			"database/sql", "gocloud.dev", "aws", "azure", "cloud.google.com", "modernc.org", "jackc",
			"switchtape/routing", "switchtape/storage",
		} {
			assert.NotContains(t, strings.ToLower(dep), bad)
		}
	}
	assert.Contains(t, string(out), "switchtape/callmodel")
}

// hungLedger answers nobody.
type hungLedger struct{ recordinghttp.Ledger }

func (hungLedger) Enqueue(ctx context.Context, _ ledger.Request) (callmodel.JobID, bool, error) {
	<-ctx.Done()
	return "", false, ctx.Err()
}

func (hungLedger) Job(ctx context.Context, _ callmodel.JobID) (ledger.Job, error) {
	<-ctx.Done()
	return ledger.Job{}, ctx.Err()
}

func (hungLedger) Jobs(ctx context.Context, _ ledger.Filter) ([]ledger.Job, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hungLedger) Audit(ctx context.Context, _ callmodel.AuditEvent) error {
	<-ctx.Done()
	return ctx.Err()
}

// A database that hangs holds no request for longer than the timeout.
func TestHungLedger(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := &service{h: recordinghttp.New(hungLedger{}, &recordinghttp.Options{
		LedgerTimeout: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})}
	for _, r := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/recordings", submission(t, "c1", nil)},
		{http.MethodGet, "/v1/recordings/jobs", ""},
		{http.MethodGet, "/v1/recordings/jobs/j1", ""},
		{http.MethodGet, "/v1/recordings/jobs/j1/media", ""},
		{http.MethodPost, "/v1/recordings/jobs/j1/retry", ""},
		{http.MethodPost, "/v1/recordings/jobs/j1/quarantine", `{"reason": "odd"}`},
	} {
		s.fails(t, as(operates(), "acme"), r.method, r.path, r.body, http.StatusServiceUnavailable, callmodel.CodeUnavailable)
	}
	require.Contains(t, log.String(), "the ledger did not answer within 1ms")
	s.fails(t, as(reads(), "acme"), http.MethodPost, "/v1/recordings", "", http.StatusForbidden, callmodel.CodeForbidden)
}
