package rulehttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/rulehttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
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

// renamed is the rules with another id for nyc, so that it shows which decided.
func renamed(to string) string { return strings.Replace(rules, "id: nyc", "id: "+to, 1) }

// server is both handlers on one mux, over a service that has the rules above in
// service for the tenant acme.
type server struct {
	*http.ServeMux

	db   *memdb.Store
	svc  *callservice.Service
	hash string // of the rules
}

func on(t *testing.T) *server {
	t.Helper()
	s := &server{ServeMux: http.NewServeMux(), db: memdb.New(nil)}
	s.svc = callservice.New(s.db, nil)
	state, err := s.svc.InstallRules(t.Context(), "acme", []byte(rules), "test", "")
	require.NoError(t, err)
	s.hash = state.ActiveHash()
	callhttp.New(s.svc, nil).Mount(s.ServeMux)
	rulehttp.New(s.svc, nil).Mount(s.ServeMux)
	s.Handle("/", problem.Elsewhere(s.ServeMux))
	return s
}

// What the three kinds of principals of these tests may do.
func reads() []callmodel.Scope {
	return []callmodel.Scope{callmodel.ScopeCallsRead, callmodel.ScopeRulesRead}
}

func as(scopes []callmodel.Scope, tenant callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: tenant, Subject: "key-of-" + string(tenant), Scopes: scopes}
}

func operates() []callmodel.Scope { return callmodel.Scopes() }

func operator() callmodel.Principal { return as(operates(), "acme") }

func caller() callmodel.Principal { return as(append(reads(), callmodel.ScopeCallsWrite), "acme") }

func do(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	ctx := callmodel.WithPrincipal(t.Context(), p)
	contract(t).Serve(t, h, w, httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body)))
	return w
}

// ok makes a request that succeeds with status and decodes its answer.
func ok[T any](t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, status int) T {
	t.Helper()
	var v T
	w := do(t, h, p, method, path, body)
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), "%s", w.Body)
	return v
}

// fails makes a request that is refused.
func fails(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	var got problem.Problem
	w := do(t, h, p, method, path, body)
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

// lines counts the tenant's audit lines by action.
func lines(t *testing.T, s *server) map[string]int {
	t.Helper()
	events, err := s.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	n := map[string]int{}
	for _, e := range events {
		n[e.Action]++
	}
	return n
}

// TestScopes: one scope opens its own endpoints and no other; who is refused
// leaves a line in the audit log.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := on(t)
	denied := 0
	for endpoint, needs := range map[[2]string]callmodel.Scope{
		{http.MethodGet, "/v1/rules/" + s.hash}:  callmodel.ScopeRulesRead,
		{http.MethodPost, "/v1/rules/import"}:    callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/check"}:     callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/diff"}:      callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/explain"}:   callmodel.ScopeRulesWrite,
		{http.MethodPost, "/v1/rules/simulate"}:  callmodel.ScopeRulesWrite,
		{http.MethodGet, "/v1/rules/history"}:    callmodel.ScopeRulesRead, // callhttp's, between those above
		{http.MethodPost, "/v1/rules/x/promote"}: callmodel.ScopeRulesWrite,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), endpoint[0], endpoint[1], nil))
		assert.Equal(t, http.StatusUnauthorized, w.Code, "%v", endpoint)
		for _, scope := range callmodel.Scopes() {
			p := as([]callmodel.Scope{scope}, "acme")
			p.Subject = endpoint[1] + " " + string(scope) // of one principal not every line is kept
			w := do(t, s, p, endpoint[0], endpoint[1], "{}")
			assert.Equal(t, scope != needs, w.Code == http.StatusForbidden, "%v with %s: %s", endpoint, scope, w.Body)
			if scope != needs {
				denied++
			}
		}
	}
	assert.Equal(t, denied, lines(t, s)[callmodel.AuditAccessDenied])
}

// TestOtherPaths: alone, the handler answers what it doesn't have.
func TestOtherPaths(t *testing.T) {
	t.Parallel()
	h := rulehttp.New(on(t).svc, nil)
	fails(t, h, operator(), http.MethodGet, "/v1/rules", "", http.StatusNotFound, callmodel.CodeNotFound)
	fails(t, h, operator(), http.MethodPost, "/v1/calls", "{}", http.StatusNotFound, callmodel.CodeNotFound)
}

// slowly is a body that is read only when it is let go.
type slowly struct{ reading, read chan struct{} }

func (s slowly) Read([]byte) (int, error) {
	s.reading <- struct{}{}
	<-s.read
	return 0, http.ErrBodyReadAfterClose
}

// TestOverload: the tools are bounded by themselves, and calls don't wait for them.
func TestOverload(t *testing.T) {
	t.Parallel()
	s := on(t)
	h := rulehttp.New(s.svc, &rulehttp.Options{MaxInFlight: 1, QueueWait: 1})
	body := slowly{make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx := callmodel.WithPrincipal(t.Context(), operator())
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/rules/check", body))
	}()
	<-body.reading
	fails(t, h, operator(), http.MethodPost, "/v1/rules/check", rules, http.StatusTooManyRequests, callmodel.CodeOverloaded)
	w := do(t, s, caller(), http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+12125550188"}`)
	assert.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
	close(body.read)
	<-done
	w = do(t, h, operator(), http.MethodPost, "/v1/rules/check", rules)
	assert.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
}

// TestImports keeps the call service, databases, clouds and audio out of programs
// that mount the tools alone.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		for _, bad := range []string{
			"database/sql", "gocloud.dev", "modernc.org", "jackc", "go-audio",
			"switchtape/recording", "switchtape/storage", "routing/callservice", "routing/callhttp",
		} {
			assert.NotContains(t, strings.ToLower(dep), bad)
		}
	}
	assert.Contains(t, string(out), "routing/dialimport")
}
