package problem_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// What a principal may not have is noted, another tenant's thing as one that isn't
// there; nothing else is.
func TestFrame(t *testing.T) {
	t.Parallel()
	var denied []string
	within := 0
	frame := problem.Frame{
		Within: func(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
			within++
			return serve(w, r, p)
		},
		Denied: func(_ context.Context, p callmodel.Principal, what string) {
			denied = append(denied, p.Subject+" "+what)
		},
	}
	answers := func(err error) problem.Endpoint {
		return func(w http.ResponseWriter, _ *http.Request, _ callmodel.Principal) error {
			if err == nil {
				problem.WriteJSON(w, http.StatusOK, "there")
			}
			return err
		}
	}
	mux := http.NewServeMux()
	frame.Mount(mux, []problem.Route{
		problem.At("GET /a/{id}", callmodel.ScopeCallsRead, answers(nil), problem.Query("q")),
		problem.At("GET /none/{id}", callmodel.ScopeCallsRead, answers(callmodel.ErrNotFound), problem.Query()),
		problem.At("GET /none", callmodel.ScopeCallsRead, answers(callmodel.ErrNotFound), problem.Query()),
		problem.At("GET /theirs", callmodel.ScopeCallsRead, answers(callmodel.Errorf(callmodel.CodeForbidden, "it is theirs")), problem.Query()),
		problem.At("GET /beyond", callmodel.ScopeRulesRead, answers(nil), problem.Query()),
		problem.At("GET /late", callmodel.ScopeCallsRead, answers(nil), problem.Door{Late: true}),
	})
	for _, c := range []struct {
		path   string
		known  bool
		status int
		within int
		denied []string
	}{
		{"/a/1", true, 200, 1, nil},
		{"/a/1?q=1", true, 200, 1, nil},
		{"/a/1?x=1", true, 422, 0, nil},
		{"/a/1", false, 401, 0, nil},
		{"/none/1", true, 404, 1, []string{"ann GET /none/1"}},
		{"/none", true, 404, 1, nil},
		{"/theirs", true, 403, 1, []string{"ann GET /theirs"}},
		{"/beyond", true, 403, 0, []string{"ann GET /beyond"}},
		{"/late?x=1", true, 200, 1, nil},
	} {
		denied, within = nil, 0
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
		if c.known {
			r = r.WithContext(callmodel.WithPrincipal(r.Context(), callmodel.Principal{TenantID: "acme", Subject: "ann", Scopes: []callmodel.Scope{callmodel.ScopeCallsRead}}))
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%s: %s", c.path, w.Body)
		require.Equal(t, c.within, within, c.path)
		require.Equal(t, c.denied, denied, c.path)
	}
}
