package callhttp_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// rules send calls to New York to two trunks, one after the other, and all
// other numbers of the United States to a third.
const rules = `
name: acme
destinations:
  a: {uri: "sip:a.example.com"}
  b: {uri: "sip:b.example.com"}
  c: {uri: "sip:c.example.com"}
rules:
  - id: nyc
    match: {to: {prefix: "+1212"}}
    route: [[{to: a}], [{to: b}]]
  - id: us
    match: {to: {prefix: "+1"}}
    route: [[{to: c}]]
`

// noon is when every call of these tests is made, until the clock is moved.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func sqliteDB(tb testing.TB) *calldb.DB {
	tb.Helper()
	return migrated(tb, calldb.SQLiteURL(filepath.Join(tb.TempDir(), "calls.db")))
}

// migratedPostgres is a database of its own with the newest schema.
func migratedPostgres(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, "newest schema", func(t testing.TB, at string) {
		t.Helper()
		db, err := calldb.Open(t.Context(), at, nil)
		require.NoError(t, err)
		_, err = db.Migrate(t.Context())
		require.NoError(t, errors.Join(err, db.Close()))
	})
}

func migrated(tb testing.TB, at string) *calldb.DB {
	tb.Helper()
	db, err := calldb.Open(tb.Context(), at, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	_, err = db.Migrate(tb.Context())
	require.NoError(tb, err)
	return db
}

// onBoth runs test on an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, db *calldb.DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, sqliteDB(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, migrated(t, migratedPostgres(t))) })
}

// service is a handler with the service behind it.
type service struct {
	*callhttp.Handler
	*callservice.Service

	db    *calldb.DB
	bells atomic.Int32
}

// over makes a handler over the stores.
func over(stores callservice.Stores, o *callservice.Options) *service {
	svc := callservice.New(stores, o)
	return &service{Handler: callhttp.New(svc, nil), Service: svc}
}

// on makes a handler on db, in the United States, with the rules above for the
// tenant acme. Emergency calls wait for a database on a busy machine, unless o
// says how long.
func on(t *testing.T, db *calldb.DB, o callservice.Options) *service {
	t.Helper()
	s := &service{db: db}
	o.JobEnqueued = func() { s.bells.Add(1) }
	o.DefaultRegion = cmp.Or(o.DefaultRegion, "US")
	o.EmergencyWait = cmp.Or(o.EmergencyWait, time.Minute)
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	made := over(db, &o)
	s.Handler, s.Service = made.Handler, made.Service
	_, err := s.InstallRules(t.Context(), "acme", []byte(rules), "test", "")
	require.NoError(t, err)
	return s
}

// activate makes a stored version the active one behind the service's back.
func activate(t *testing.T, db *calldb.DB, hash string) {
	t.Helper()
	_, err := db.ChangeRuleSet(t.Context(), rulesets.Change{TenantID: "acme", Action: rulesets.ActionActivate, Hash: hash, Actor: "other"})
	require.NoError(t, err)
}

// What the three kinds of principals of these tests may do.
func reads() []callmodel.Scope {
	return []callmodel.Scope{callmodel.ScopeCallsRead, callmodel.ScopeRulesRead}
}

func calling() []callmodel.Scope { return append(reads(), callmodel.ScopeCallsWrite) }

func operates() []callmodel.Scope { return callmodel.Scopes() }

func as(scopes []callmodel.Scope, tenant callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: tenant, Subject: "key-of-" + string(tenant), Scopes: scopes}
}

func caller() callmodel.Principal   { return as(calling(), "acme") }
func operator() callmodel.Principal { return as(operates(), "acme") }

// request makes a request of p, with headers given as name and value in turn.
func request(ctx context.Context, p callmodel.Principal, method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(ctx, p), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func do(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	contract(t).Serve(t, h, w, request(t.Context(), p, method, path, body, headers...))
	return w
}

// ok makes a request that succeeds with status and decodes its answer.
func ok[T any](t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, status int, headers ...string) T {
	t.Helper()
	var v T
	w := do(t, h, p, method, path, body, headers...)
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), "%s", w.Body)
	return v
}

// fails makes a request that is refused.
func fails(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, status int, code callmodel.Code, headers ...string) problem.Problem {
	t.Helper()
	var got problem.Problem
	w := do(t, h, p, method, path, body, headers...)
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, code, got.Code, "%s", w.Body)
	require.Equal(t, status, got.Status)
	return got
}

// paths are the fields that a problem names, sorted.
func paths(p problem.Problem) []string {
	list := make([]string, 0, len(p.Errors))
	for _, f := range p.Errors {
		list = append(list, f.Path)
	}
	slices.Sort(list)
	return list
}

func create(t *testing.T, h http.Handler, body string) calls.Call {
	t.Helper()
	return ok[calls.Call](t, h, caller(), http.MethodPost, "/v1/calls", body, http.StatusCreated)
}

// nyc is a call to be recorded, with more fields.
func nyc(more string) string {
	return `{"from":"+12025550123","to":"(212) 555-0188","recording":{"enabled":true}` + more + `}`
}

func event(t *testing.T, h http.Handler, id callmodel.CallID, body string) calls.Call {
	t.Helper()
	return ok[calls.Call](t, h, caller(), http.MethodPost, "/v1/calls/"+string(id)+"/events", body, http.StatusOK)
}

// actions counts a tenant's audit lines by action.
func actions(t *testing.T, db *calldb.DB, tenant callmodel.TenantID) map[string]int {
	t.Helper()
	events, err := db.AuditEvents(t.Context(), tenant, 0, 1000)
	require.NoError(t, err)
	n := map[string]int{}
	for _, e := range events {
		n[e.Action]++
	}
	return n
}

func stored(t *testing.T, db *calldb.DB, tenant callmodel.TenantID) []calls.Call {
	t.Helper()
	page, err := db.Calls(t.Context(), tenant, calls.Filter{Limit: 500})
	require.NoError(t, err)
	require.Empty(t, page.Next)
	return page.Calls
}

func jobs(t *testing.T, db *calldb.DB) []ledger.Job {
	t.Helper()
	list, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	return list
}

// run has Run running until the test ends, and checks that it does.
func run(t *testing.T, s interface {
	Run(ctx context.Context) error
},
) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(30 * time.Second):
			require.Fail(t, "Run doesn't end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func path(format string, args ...any) string { return fmt.Sprintf(format, args...) }
