package keyhttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/keyhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

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
	serve(t, h, w, r)
	return w
}

type shown struct {
	keys.Key

	Scopes []callmodel.Scope `json:"scopes"`
	Secret string            `json:"secret"`
}

func ok(t *testing.T, w *httptest.ResponseRecorder, status int) shown {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	var k shown
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &k))
	return k
}

func fails(t *testing.T, w *httptest.ResponseRecorder, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	var p problem.Problem
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, code, p.Code)
	return p
}

const dashboard = `{"name":"dashboard","grants":["reader","jobs:write"]}`

// TestLife: a key is made, shown once, listed, rotated and revoked.
func TestLife(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	h := keyhttp.New(db, nil)
	ops := operator("acme")
	w := do(t, h, ops, http.MethodPost, "/v1/keys", dashboard)
	made := ok(t, w, http.StatusCreated)
	assert.Equal(t, "/v1/keys/"+made.ID, w.Header().Get("Location"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	assert.True(t, strings.HasPrefix(made.Secret, keys.Prefix))
	assert.Contains(t, made.Scopes, callmodel.ScopeRecordingsRead)
	assert.Equal(t, "ops-of-acme", made.CreatedBy)
	tag := w.Header().Get("ETag")

	w = do(t, h, ops, http.MethodGet, "/v1/keys/"+made.ID, "")
	assert.Empty(t, ok(t, w, http.StatusOK).Secret)
	assert.Equal(t, tag, w.Header().Get("ETag"))
	w = do(t, h, ops, http.MethodGet, "/v1/keys", "")
	assert.Contains(t, w.Body.String(), made.ID)
	assert.NotContains(t, w.Body.String(), made.Secret)
	assert.NotContains(t, w.Body.String(), keys.HashOf(made.Secret).String())

	w = do(t, h, ops, http.MethodPost, "/v1/keys/"+made.ID+"/rotate", `{"grace_s":60}`, "If-Match", tag)
	rotated := ok(t, w, http.StatusOK)
	assert.NotEqual(t, made.Secret, rotated.Secret)
	assert.Equal(t, time.Minute, rotated.OldUntil.Sub(rotated.RotatedAt))
	fails(t, do(t, h, ops, http.MethodPost, "/v1/keys/"+made.ID+"/rotate", "", "If-Match", tag), http.StatusConflict, callmodel.CodeConflict)
	fails(t, do(t, h, ops, http.MethodDelete, "/v1/keys/"+made.ID, "", "If-Match", "torn"), http.StatusBadRequest, callmodel.CodeMalformed)
	assert.Equal(t, keys.DefaultGrace, func() time.Duration {
		k := ok(t, do(t, h, ops, http.MethodPost, "/v1/keys/"+made.ID+"/rotate", "", "If-Match", "*"), http.StatusOK)
		return k.OldUntil.Sub(k.RotatedAt)
	}())

	for range 2 {
		gone := ok(t, do(t, h, ops, http.MethodDelete, "/v1/keys/"+made.ID, ""), http.StatusOK)
		assert.Equal(t, "ops-of-acme", gone.RevokedBy)
	}
	assert.NotContains(t, do(t, h, ops, http.MethodGet, "/v1/keys", "").Body.String(), made.ID)
	assert.Contains(t, do(t, h, ops, http.MethodGet, "/v1/keys?revoked=true", "").Body.String(), made.ID)
	fails(t, do(t, h, ops, http.MethodPost, "/v1/keys/"+made.ID+"/rotate", ""), http.StatusConflict, callmodel.CodeConflict)
}

// TestNobodyGivesMoreThanTheyHave: who may make keys makes none that may do more, and
// gets none by rotating it.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	var denied []string
	h := keyhttp.New(memdb.New(nil), &keyhttp.Options{AccessDenied: func(_ context.Context, p callmodel.Principal, what string) {
		denied = append(denied, p.Subject+" "+what)
	}})
	strong := ok(t, do(t, h, operator("acme"), http.MethodPost, "/v1/keys", `{"name":"strong","grants":["operator"]}`), http.StatusCreated)
	weak := operator("acme")
	weak.Scopes = []callmodel.Scope{callmodel.ScopeKeysWrite, callmodel.ScopeCallsRead}
	p := fails(t, do(t, h, weak, http.MethodPost, "/v1/keys", `{"name":"x","grants":["reader"]}`), http.StatusForbidden, callmodel.CodeForbidden)
	assert.Contains(t, p.Detail, "recordings:read")
	fails(t, do(t, h, weak, http.MethodPost, "/v1/keys/"+strong.ID+"/rotate", ""), http.StatusForbidden, callmodel.CodeForbidden)
	ok(t, do(t, h, weak, http.MethodPost, "/v1/keys", `{"name":"x","grants":["calls:read","keys:write"]}`), http.StatusCreated)
	fails(t, do(t, h, weak, http.MethodGet, "/v1/keys", ""), http.StatusForbidden, callmodel.CodeForbidden)
	assert.Equal(t, []string{
		"ops-of-acme POST /v1/keys", "ops-of-acme POST /v1/keys/" + strong.ID + "/rotate", "ops-of-acme GET /v1/keys",
	}, denied)
}

// TestOthersKeysLookLikeNone: another tenant's id and no id are answered in the same
// words.
func TestOthersKeysLookLikeNone(t *testing.T) {
	t.Parallel()
	h := keyhttp.New(memdb.New(nil), nil)
	made := ok(t, do(t, h, operator("acme"), http.MethodPost, "/v1/keys", dashboard), http.StatusCreated)
	for _, request := range [][2]string{{http.MethodGet, ""}, {http.MethodDelete, ""}, {http.MethodPost, "/rotate"}} {
		theirs := do(t, h, operator("beta"), request[0], "/v1/keys/"+made.ID+request[1], "")
		none := do(t, h, operator("beta"), request[0], "/v1/keys/"+keys.NewID()+request[1], "")
		fails(t, theirs, http.StatusNotFound, callmodel.CodeNotFound)
		assert.Equal(t, none.Body.String(), theirs.Body.String())
		assert.Equal(t, none.Header(), theirs.Header())
	}
	assert.NotContains(t, do(t, h, operator("beta"), http.MethodGet, "/v1/keys?revoked=true", "").Body.String(), made.ID)
}

// TestFaults: every fault of a request at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	h := keyhttp.New(memdb.New(nil), nil)
	ops := operator("acme")
	p := fails(t, do(t, h, ops, http.MethodPost, "/v1/keys", `{"name":"","grants":["king"],"expires_at":"2001-01-01T00:00:00Z"}`), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	var paths []string
	for _, f := range p.Errors {
		paths = append(paths, f.Path)
	}
	assert.ElementsMatch(t, []string{"name", "grants[0]", "expires_at"}, paths)
	for _, query := range []string{"limit=0", "after=%00", "revoked=yes", "afterr=x"} {
		fails(t, do(t, h, ops, http.MethodGet, "/v1/keys?"+query, ""), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	}
	ok(t, do(t, h, ops, http.MethodPost, "/v1/keys", dashboard), http.StatusCreated)
	fails(t, do(t, h, ops, http.MethodPost, "/v1/keys", dashboard), http.StatusConflict, callmodel.CodeConflict)
	fails(t, do(t, h, ops, http.MethodPost, "/v1/keys", "{"), http.StatusBadRequest, callmodel.CodeMalformed)
	fails(t, do(t, h, ops, http.MethodPost, "/v1/keys/x/rotate", `{"grace_s":-1}`), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
	fails(t, do(t, h, ops, http.MethodPut, "/v1/keys", ""), http.StatusMethodNotAllowed, callmodel.CodeMethodNotAllowed)
}

// TestPages: a list goes on behind its next.
func TestPages(t *testing.T) {
	t.Parallel()
	h := keyhttp.New(memdb.New(nil), nil)
	want := map[string]bool{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want[ok(t, do(t, h, operator("acme"), http.MethodPost, "/v1/keys", `{"name":"`+name+`","grants":["reader"]}`), http.StatusCreated).ID] = true
	}
	for next := ""; ; {
		w := do(t, h, operator("acme"), http.MethodGet, "/v1/keys?limit=2&after="+next, "")
		var page struct {
			Keys []shown `json:"keys"`
			Next string  `json:"next"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		for _, k := range page.Keys {
			require.True(t, want[k.ID])
			delete(want, k.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	require.Empty(t, want)
}
