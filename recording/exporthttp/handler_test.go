package exporthttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ exporthttp.Ledger = (*calldb.DB)(nil)
	_ exporthttp.Ledger = (*memdb.Store)(nil)
	_ exporthttp.Files  = (*storage.Store)(nil)
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(exporthttp.OpenAPI()) })

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func operator(t callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: t, Subject: "ops-of-" + string(t), Scopes: callmodel.RoleScopes(callmodel.RoleOperator)}
}

// do makes a request; headers are pairs of name and value.
func do(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	contract(t).Serve(t, h, w, r)
	return w
}

func ok[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v
}

func fails(t *testing.T, w *httptest.ResponseRecorder, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	p := ok[problem.Problem](t, w, status)
	require.Equal(t, code, p.Code)
	return p
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, exporthttp.New(memdb.New(nil), nil).Routes())
}

// service is a handler with a ledger and a bucket in memory.
type service struct {
	*exporthttp.Handler

	db    *memdb.Store
	store *storage.Store
	now   time.Time
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{db: memdb.New(nil), now: time.Now()}
	var err error
	s.store, err = storage.Open(t.Context(), "mem://", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	s.Handler = exporthttp.New(s.db, &exporthttp.Options{
		Files: s.store, Now: func() time.Time { return s.now },
		Normalize: func(_ callmodel.TenantID, number, region string) (string, error) {
			if region == "DE" && strings.HasPrefix(number, "0") {
				return "+49" + number[1:], nil
			}
			if number[0] != '+' {
				return "", errors.New("is not dialled anywhere")
			}
			return number, nil
		},
	})
	return s
}

// work does the exports that wait.
func (s *service) work(t *testing.T) {
	t.Helper()
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{dataexport.Kind}, Limit: 10})
	require.NoError(t, err)
	kind := dataexport.NewExporter(s.db, s.db, s.store).Kind(s.store)
	for i := range leases {
		o, err := kind.Do(t.Context(), &task.Job{Job: leases[i].Job, Token: leases[i].Token})
		require.NoError(t, err)
		require.NoError(t, s.db.Complete(t.Context(), leases[i], o))
	}
}

// fetched counts the audit lines of files that were fetched.
func (s *service) fetched(t *testing.T, tenant callmodel.TenantID) (n int) {
	t.Helper()
	lines, err := s.db.AuditEvents(context.WithoutCancel(t.Context()), tenant, 0, 1000)
	require.NoError(t, err)
	for i := range lines {
		if lines[i].Action == exporthttp.AuditFetched {
			n++
		}
	}
	return n
}

// TestLife: an export is asked for, made, shown, fetched by its tenant alone, noted once a
// file, and gone when it expires.
func TestLife(t *testing.T) {
	t.Parallel()
	s := newService(t)
	n := storetest.NewCall("c1")
	n.Call.From.Number = "+493012345678"
	_, err := s.db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	const body = `{"of":"number","number":"030 12345678","region":"de","key":"request-17"}`
	asked := strings.ReplaceAll(body, "030 ", "030")
	e := ok[exporthttp.Export](t, do(t, s, operator("acme"), "POST", "/v1/exports", asked), http.StatusAccepted)
	assert.Equal(t, "+493012345678", e.Number)
	assert.Equal(t, "queued", e.State)
	again := ok[exporthttp.Export](t, do(t, s, operator("acme"), "POST", "/v1/exports", asked), http.StatusAccepted)
	assert.Equal(t, e.ID, again.ID)
	fails(t, do(t, s, operator("acme"), "POST", "/v1/exports", `{"of":"tenant","key":"request-17"}`), http.StatusConflict, callmodel.CodeConflict)
	at := "/v1/exports/" + string(e.ID)
	fails(t, do(t, s, operator("acme"), "GET", at+"/files/part-0001.zip", ""), http.StatusNotFound, callmodel.CodeNotFound)

	s.work(t)
	e = ok[exporthttp.Export](t, do(t, s, operator("acme"), "GET", at, ""), http.StatusOK)
	require.Equal(t, "done", e.State)
	require.Equal(t, "completed", e.Status)
	require.EqualValues(t, 1, e.Counts.Calls)
	require.Len(t, e.Files, 3)
	for _, f := range e.Files {
		w := do(t, s, operator("acme"), "GET", f.Href, "")
		require.Equal(t, http.StatusOK, w.Code)
		assert.EqualValues(t, f.Bytes, w.Body.Len())
		assert.Equal(t, `"`+f.SHA256+`"`, w.Header().Get("ETag"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Contains(t, w.Header().Get("Content-Disposition"), "attachment")
		if f.Name == "index.json" {
			continue // a part of JSON is none, which the contract's check can't read
		}
		w = do(t, s, operator("acme"), "GET", f.Href, "", "Range", "bytes=1-4")
		require.Equal(t, http.StatusPartialContent, w.Code)
		assert.Equal(t, 4, w.Body.Len())
	}
	assert.Equal(t, len(e.Files), s.fetched(t, "acme"), "once a file, whatever its ranges")
	s.now = s.now.Add(time.Hour)
	do(t, s, operator("acme"), "GET", e.Files[0].Href, "", "Range", "bytes=1-4")
	assert.Equal(t, len(e.Files)+1, s.fetched(t, "acme"), "again, later")

	for _, path := range []string{at, e.Files[0].Href} {
		fails(t, do(t, s, operator("other"), "GET", path, ""), http.StatusNotFound, callmodel.CodeNotFound)
	}
	assert.Empty(t, ok[exporthttp.Page](t, do(t, s, operator("other"), "GET", "/v1/exports", ""), http.StatusOK).Exports)
	assert.Len(t, ok[exporthttp.Page](t, do(t, s, operator("acme"), "GET", "/v1/exports?limit=1", ""), http.StatusOK).Exports, 1)
	fails(t, do(t, s, operator("acme"), "GET", at+"/files/part-0001.json", ""), http.StatusNotFound, callmodel.CodeNotFound)

	s.now = e.ExpiresAt
	e = ok[exporthttp.Export](t, do(t, s, operator("acme"), "GET", at, ""), http.StatusOK)
	assert.Equal(t, "expired", e.State)
	assert.Empty(t, e.Files)
	p := fails(t, do(t, s, operator("acme"), "GET", at+"/files/part-0001.zip", ""), http.StatusGone, callmodel.CodeGone)
	assert.Contains(t, p.Detail, "was deleted at")
}

// TestFilesOfWhatWasErased: the files of an export that was deleted with a recording in it
// are gone, and the answer says when and why.
func TestFilesOfWhatWasErased(t *testing.T) {
	t.Parallel()
	s := newService(t)
	r, err := record.NewJob(storetest.Spec("c1"), "", 0)
	require.NoError(t, err)
	made, _, err := s.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	e := ok[exporthttp.Export](t, do(t, s, operator("acme"), "POST", "/v1/exports", `{"of":"call","call_id":"c1","key":"x1"}`), http.StatusAccepted)
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{dataexport.Kind}})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	require.NoError(t, s.db.Complete(t.Context(), leases[0], ledger.Outcome{Result: []byte(`{"status":"completed","key":"acme/exports/x1/index.json"}`)}))
	_, err = s.db.BeginErasure(t.Context(), retention.Begin{
		Erasure: retention.Erasure{
			TenantID: "acme", JobID: made, ByJob: "by-1", Kind: retention.KindErase, Reason: "asked for by the customer", Actor: "ann",
			Objects: []retention.Object{{Key: "acme/exports/x1/part-0001.zip"}},
		},
		Derived: []string{dataexport.Kind + "/x1"},
	})
	require.NoError(t, err)
	p := fails(t, do(t, s, operator("acme"), "GET", "/v1/exports/"+string(e.ID)+"/files/part-0001.zip", ""), http.StatusGone, callmodel.CodeGone)
	assert.Contains(t, p.Detail, "as recording c1 was deleted: asked for by the customer")
	fails(t, do(t, s, operator("other"), "GET", "/v1/exports/"+string(e.ID)+"/files/part-0001.zip", ""), http.StatusNotFound, callmodel.CodeNotFound)
}

// TestScopes: no scope but the exports' own is enough.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, role := range []string{callmodel.RoleReader, callmodel.RoleCaller} {
		p := callmodel.Principal{TenantID: "acme", Subject: role, Scopes: callmodel.RoleScopes(role)}
		for _, r := range [][2]string{{"GET", "/v1/exports"}, {"POST", "/v1/exports"}, {"GET", "/v1/exports/x"}, {"GET", "/v1/exports/x/files/index.json"}} {
			fails(t, do(t, s, p, r[0], r[1], `{"of":"tenant"}`), http.StatusForbidden, callmodel.CodeForbidden)
		}
	}
}

// TestFaults: every fault of a request is told.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for body, path := range map[string]string{
		`{"of":"all"}`:                               "of",
		`{"of":"call"}`:                              "call_id",
		`{"of":"number","number":"12"}`:              "number",
		`{"of":"tenant","part_bytes":1}`:             "part_bytes",
		`{"of":"tenant","keep_days":1000}`:           "keep_days",
		`{"of":"tenant","key":"a/b"}`:                "key",
		`{"of":"tenant","what":1}`:                   "what",
		`{"of":"call","call_id":"c1","number":"+1"}`: "number",
	} {
		p := fails(t, do(t, s, operator("acme"), "POST", "/v1/exports", body), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.NotEmpty(t, p.Errors, body)
		assert.Equal(t, path, p.Errors[0].Path, body)
	}
}
