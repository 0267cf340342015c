package userhttp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var (
	_ userhttp.Store = (*calldb.DB)(nil)
	_ userhttp.Store = (*memdb.Store)(nil)
)

// onBoth runs test on an empty store of each kind; that they behave alike is storetest's.
func onBoth(t *testing.T, test func(t *testing.T, s userhttp.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, memdb.New(nil)) })
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "users.db")), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		test(t, db)
	})
}

func principal(tenant callmodel.TenantID, scopes ...callmodel.Scope) callmodel.Principal {
	return callmodel.Principal{TenantID: tenant, Subject: "ann", Scopes: scopes}
}

// acme may do everything within its tenant, platform everything.
func acme() callmodel.Principal { return principal("acme", callmodel.Scopes()...) }

func platform() callmodel.Principal {
	return principal("platform", append(callmodel.Scopes(), callmodel.ScopeTenantsEvery)...)
}

// do sends a request of p, with headers as pairs of name and value.
func do(t *testing.T, h http.Handler, p callmodel.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ok is the answer to a request that succeeds.
func ok[T any](t *testing.T, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	var v T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v
}

// refused checks the answer to a request that is refused, and returns the paths of its faults.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code callmodel.Code) []string {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p problem.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, code, p.Code, "%s", w.Body)
	var paths []string
	for _, f := range p.Errors {
		paths = append(paths, f.Path)
	}
	return paths
}

const ann = `{"name": "Ann", "numbers": {"mobile": "0171 1234567", "extension": "100", "dids": ["030 / 123 450"]},
	"preferences": {"region": "DE", "recording": "always", "devices": [{"id": "desk", "uri": "sip:ann@desk", "ring_seconds": 20}]},
	"metadata": {"plan": "gold"}}`

func put(t *testing.T, h http.Handler, path, body string, headers ...string) users.User {
	t.Helper()
	w := do(t, h, acme(), http.MethodPut, path, body, headers...)
	require.Less(t, w.Code, 300, "%s", w.Body)
	return ok[users.User](t, w, w.Code)
}

// away is a store that can't be reached.
type away struct{ userhttp.Store }

var errAway = callmodel.Errorf(callmodel.CodeUnavailable, "the database is away: %w", errors.New("refused"))
