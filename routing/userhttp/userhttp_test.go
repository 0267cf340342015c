package userhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestAUsersLife: it is made, read, changed, found, and taken away, and its history stays.
func TestAUsersLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s userhttp.Store) {
		t.Helper()
		h := userhttp.New(s, nil)
		w := do(t, h, acme(), http.MethodPut, "/v1/users/ann", ann)
		u := ok[users.User](t, w, http.StatusCreated)
		assert.Equal(t, "/v1/users/ann", w.Header().Get("Location"))
		assert.Equal(t, `"1"`, w.Header().Get("ETag"))
		assert.Equal(t, users.Numbers{Mobile: "+491711234567", Extension: "100", DIDs: []string{"+4930123450"}}, u.Numbers, "in E.164")
		assert.Equal(t, callmodel.TenantID("acme"), u.TenantID)
		assert.Equal(t, "ann", u.UpdatedBy)

		// What was read may be written back, and is no change.
		w = do(t, h, acme(), http.MethodGet, "/v1/users/ann", "")
		again := ok[users.User](t, do(t, h, acme(), http.MethodPut, "/v1/users/ann", w.Body.String(), "If-Match", w.Header().Get("ETag")), http.StatusOK)
		assert.Equal(t, u, again)

		w = do(t, h, acme(), http.MethodPatch, "/v1/users/ann",
			`{"name": null, "preferences": {"do_not_disturb": true, "recording": null}, "metadata": {"team": "red"}}`,
			"If-Match", `"1"`, "Content-Type", "application/merge-patch+json")
		next := ok[users.User](t, w, http.StatusOK)
		assert.Equal(t, `"2"`, w.Header().Get("ETag"))
		assert.Empty(t, next.Name)
		assert.True(t, next.Preferences.DoNotDisturb)
		assert.Empty(t, next.Preferences.Recording)
		assert.Equal(t, u.Preferences.Devices, next.Preferences.Devices, "what the patch doesn't name stays")
		assert.Equal(t, map[string]string{"plan": "gold", "team": "red"}, next.Metadata)

		type page struct {
			Users []users.User `json:"users"`
			Next  string       `json:"next"`
		}
		for _, number := range []string{"+4930123450", "%2B4930123450", "030123450&region=DE", "100", "tel:%2B4930123450"} {
			found := ok[page](t, do(t, h, acme(), http.MethodGet, "/v1/users?number="+number, ""), http.StatusOK)
			require.Len(t, found.Users, 1, number)
			assert.Equal(t, next, found.Users[0])
		}
		assert.Equal(t, []string{"number"}, refused(t, do(t, h, acme(), http.MethodGet, "/v1/users?number=x", ""), 422, callmodel.CodeInvalid))

		refused(t, do(t, h, acme(), http.MethodDelete, "/v1/users/ann", "", "If-Match", `"1"`), 412, callmodel.CodePrecondition)
		do(t, h, acme(), http.MethodDelete, "/v1/users/ann", "", "If-Match", `"2"`)
		refused(t, do(t, h, acme(), http.MethodGet, "/v1/users/ann", ""), 404, callmodel.CodeNotFound)
		type versions struct {
			Versions []users.Version[users.User] `json:"versions"`
			Next     int64                       `json:"next"`
		}
		v := ok[versions](t, do(t, h, acme(), http.MethodGet, "/v1/users/ann/versions?limit=2", ""), http.StatusOK)
		require.Len(t, v.Versions, 2)
		assert.True(t, v.Versions[0].Deleted)
		assert.Equal(t, next, *v.Versions[1].Document)
		v = ok[versions](t, do(t, h, acme(), http.MethodGet, fmt.Sprintf("/v1/users/ann/versions?before=%d", v.Next), ""), http.StatusOK)
		require.Len(t, v.Versions, 1)
		assert.Zero(t, v.Next)
		assert.Equal(t, "Ann", v.Versions[0].Document.Name)
	})
}

// TestPreconditions: a change names the version that it is of.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	h := userhttp.New(memdb.New(nil), nil)
	for _, path := range []string{"/v1/users/ann", "/v1/tenants/acme"} {
		const body = `{"metadata": {"a": "b"}}`
		refused(t, do(t, h, acme(), http.MethodPut, path, body, "If-Match", "*"), 412, callmodel.CodePrecondition)
		require.Equal(t, http.StatusCreated, do(t, h, acme(), http.MethodPut, path, body, "If-None-Match", "*").Code)
		for _, c := range []struct {
			method  string
			headers []string
			status  int
			code    callmodel.Code
		}{
			{http.MethodPut, nil, 428, callmodel.CodePreconditionRequired},
			{http.MethodPatch, nil, 428, callmodel.CodePreconditionRequired},
			{http.MethodDelete, nil, 428, callmodel.CodePreconditionRequired},
			{http.MethodPut, []string{"If-None-Match", "*"}, 412, callmodel.CodePrecondition},
			{http.MethodPut, []string{"If-Match", `"2"`}, 412, callmodel.CodePrecondition},
			{http.MethodPatch, []string{"If-Match", `"x"`}, 412, callmodel.CodePrecondition},
			{http.MethodPatch, []string{"If-Match", `W/"1"`}, 412, callmodel.CodePrecondition},
			{http.MethodDelete, []string{"If-Match", `"01"`}, 412, callmodel.CodePrecondition},
			{http.MethodPut, []string{"If-Match", "1"}, 400, callmodel.CodeMalformed},
			{http.MethodPut, []string{"If-Match", `"1", "2"`}, 400, callmodel.CodeMalformed},
			{http.MethodPut, []string{"If-Match", `"1"`, "If-Match", `"2"`}, 400, callmodel.CodeMalformed},
			{http.MethodPut, []string{"If-Match", `"1"`, "If-None-Match", "*"}, 400, callmodel.CodeMalformed},
			{http.MethodPut, []string{"If-None-Match", `"1"`}, 400, callmodel.CodeMalformed},
			{http.MethodDelete, []string{"If-None-Match", "*"}, 400, callmodel.CodeMalformed},
		} {
			w := do(t, h, acme(), c.method, path, body, c.headers...)
			refused(t, w, c.status, c.code)
		}
		assert.Equal(t, http.StatusNotModified, do(t, h, acme(), http.MethodGet, path, "", "If-None-Match", `"9", W/"1"`).Code)
		assert.Equal(t, http.StatusNotModified, do(t, h, acme(), http.MethodGet, path, "", "If-None-Match", "*").Code)
		assert.Equal(t, http.StatusOK, do(t, h, acme(), http.MethodGet, path, "", "If-None-Match", `"2"`).Code)
		assert.Equal(t, http.StatusOK, do(t, h, acme(), http.MethodHead, path, "").Code)
		assert.Equal(t, http.StatusOK, do(t, h, acme(), http.MethodPatch, path, `{"metadata": null}`, "If-Match", "*").Code)
		refused(t, do(t, h, acme(), http.MethodPatch, path+"x", `{}`, "If-Match", "*"), 404, callmodel.CodeNotFound)
		assert.Equal(t, http.StatusOK, do(t, h, acme(), http.MethodDelete, path, "", "If-Match", "*").Code)
	}
}

// TestRacingPatches: patches of whatever is there each take effect.
func TestRacingPatches(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s userhttp.Store) {
		t.Helper()
		h := userhttp.New(s, nil)
		put(t, h, "/v1/users/ann", `{}`)
		done := make(chan int)
		const n = 5
		for i := range n {
			body := strings.NewReader(fmt.Sprintf(`{"metadata": {"k%d": "v"}}`, i))
			r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), acme()), http.MethodPatch, "/v1/users/ann", body)
			r.Header.Set("If-Match", "*")
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				done <- w.Code
			}()
		}
		for range n {
			assert.Equal(t, http.StatusOK, <-done)
		}
		assert.Len(t, ok[users.User](t, do(t, h, acme(), http.MethodGet, "/v1/users/ann", ""), 200).Metadata, n)
	})
}

func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	h := userhttp.New(memdb.New(nil), &userhttp.Options{CheckOutputs: func([]record.OutputSpec) error {
		return callmodel.FieldErrors{{Path: "outputs[0].codec", Message: "can't be made here"}}
	}})
	w := do(t, h, acme(), http.MethodPut, "/v1/users/ann", `{"tenant_id": "umbrella", "id": "bob", "nam": 1, "numbers": {"mobile": "x", "extension": 5},
		"preferences": {"region": "ZZ", "forwarding": [{"when": "busy", "to": "nowhere at all"}]}}`)
	assert.ElementsMatch(t, []string{
		"tenant_id", "id", "nam", "numbers.mobile", "numbers.extension", "preferences.region", "preferences.forwarding[0].to",
	}, refused(t, w, 422, callmodel.CodeInvalid))
	w = do(t, h, acme(), http.MethodPut, "/v1/tenants/acme", `{"id": "umbrella", "defaults": {"region": "ZZ", "retention_days": -1,
		"recording": {"enabled": true, "outputs": [{"codec": "mp3", "layout": "stereo"}]}}}`)
	assert.ElementsMatch(t, []string{"id", "defaults.region", "defaults.retention_days", "defaults.recording.outputs[0].codec"},
		refused(t, w, 422, callmodel.CodeInvalid))
	refused(t, do(t, h, acme(), http.MethodPut, "/v1/users/ann", `{`), 400, callmodel.CodeMalformed)
	refused(t, do(t, h, acme(), http.MethodPut, "/v1/users/ann", strings.Repeat(" ", 1<<20)), 413, callmodel.CodeTooLarge)
	assert.Equal(t, []string{"id"}, refused(t, do(t, h, acme(), http.MethodPut, "/v1/users/..x", `{}`), 422, callmodel.CodeInvalid))
	put(t, h, "/v1/users/ann", ann)
	assert.Equal(t, []string{"numbers.extension"}, refused(t, do(t, h, acme(), http.MethodPut, "/v1/users/bob", `{"numbers": {"extension": "100"}}`), 422, callmodel.CodeInvalid))
	refused(t, do(t, h, acme(), http.MethodPatch, "/v1/users/ann", `{`, "If-Match", "*"), 400, callmodel.CodeMalformed)
	for _, patch := range []string{`[]`, `null`, `1`} {
		refused(t, do(t, h, acme(), http.MethodPatch, "/v1/users/ann", patch, "If-Match", "*"), 422, callmodel.CodeInvalid)
	}
	assert.Equal(t, []string{"preferences.colour"},
		refused(t, do(t, h, acme(), http.MethodPatch, "/v1/users/ann", `{"preferences": {"colour": "red"}}`, "If-Match", "*"), 422, callmodel.CodeInvalid))
	for path, param := range map[string]string{
		"/v1/users?nummer=1": "nummer", "/v1/users?limit=0": "limit", "/v1/users?cursor=x": "cursor", "/v1/users?region=de": "region", "/v1/users/ann?x=1": "x",
		"/v1/users/ann/versions?before=0": "before", "/v1/users/ann/versions?limit=1001": "limit", "/v1/tenants?cursor=x": "cursor", "/v1/tenants?limit=x": "limit",
	} {
		assert.Equal(t, []string{param}, refused(t, do(t, h, acme(), http.MethodGet, path, ""), 422, callmodel.CodeInvalid), path)
	}
	assert.Equal(t, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", do(t, h, acme(), http.MethodPost, "/v1/users/ann", "").Header().Get("Allow"))
	refused(t, do(t, h, acme(), http.MethodPut, "/v1/users/ann", "a", "Content-Type", "text/plain"), 415, callmodel.CodeUnsupportedMediaType)
	refused(t, do(t, h, acme(), http.MethodGet, "/v1/users", "", "Accept", "text/html"), 406, callmodel.CodeNotAcceptable)
}

// TestTenants: its defaults, and those of users' numbers.
func TestTenants(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s userhttp.Store) {
		t.Helper()
		h := userhttp.New(s, &userhttp.Options{DefaultRegion: "US"})
		assert.Equal(t, "+12025550123", put(t, h, "/v1/users/a", `{"numbers": {"mobile": "(202) 555-0123"}}`).Numbers.Mobile)
		w := do(t, h, acme(), http.MethodPut, "/v1/tenants/acme", `{"profile": {"name": "Acme"}, "defaults": {"region": "DE", "outside_prefixes": ["0"]}}`)
		tenant := ok[users.Tenant](t, w, http.StatusCreated)
		assert.Equal(t, "/v1/tenants/acme", w.Header().Get("Location"))
		assert.Equal(t, "+4930123450", put(t, h, "/v1/users/b", `{"numbers": {"mobile": "030123450"}}`).Numbers.Mobile)
		assert.Equal(t, "+33123456789", put(t, h, "/v1/users/c", `{"numbers": {"mobile": "0123456789"}, "preferences": {"region": "FR"}}`).Numbers.Mobile)
		assert.Equal(t, tenant, ok[users.Tenant](t, do(t, h, acme(), http.MethodGet, "/v1/tenants/acme", ""), 200))
		w = do(t, h, acme(), http.MethodPatch, "/v1/tenants/acme", `{"defaults": {"retention_days": 90}}`, "If-Match", `"1"`)
		assert.Equal(t, 90, ok[users.Tenant](t, w, 200).Defaults.RetentionDays)
		type versions struct {
			Versions []users.Version[users.Tenant] `json:"versions"`
		}
		v := ok[versions](t, do(t, h, acme(), http.MethodGet, "/v1/tenants/acme/versions", ""), 200)
		require.Len(t, v.Versions, 2)
		assert.Equal(t, tenant, *v.Versions[1].Document)
	})
}

// TestOthersAreApart: another tenant's are as none, but for the platform.
func TestOthersAreApart(t *testing.T) {
	t.Parallel()
	var denied []string
	h := userhttp.New(memdb.New(nil), &userhttp.Options{AccessDenied: func(_ context.Context, p callmodel.Principal, what string) {
		denied = append(denied, string(p.TenantID)+" "+what)
	}})
	put(t, h, "/v1/users/ann", ann)
	do(t, h, acme(), http.MethodPut, "/v1/tenants/acme", `{}`)
	eve := principal("umbrella", callmodel.Scopes()...)
	same := func(method, path, other, body string, headers ...string) {
		t.Helper()
		one, two := do(t, h, eve, method, path, body, headers...), do(t, h, eve, method, other, body, headers...)
		assert.Equal(t, one.Code, two.Code)
		assert.Equal(t, one.Body.String(), two.Body.String(), "no word tells that it is there")
		assert.GreaterOrEqual(t, one.Code, 400)
	}
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		same(method, "/v1/users/ann", "/v1/users/nobody", `{}`, "If-Match", "*")
		same(method, "/v1/users/ann?tenant=acme", "/v1/users/ann?tenant=nobody", `{}`, "If-Match", "*")
		same(method, "/v1/tenants/acme", "/v1/tenants/nobody", `{}`, "If-Match", "*")
	}
	same(http.MethodPut, "/v1/users/ann?tenant=acme", "/v1/users/ann?tenant=nobody", `{}`)
	same(http.MethodPut, "/v1/tenants/acme", "/v1/tenants/nobody", `{}`)
	same(http.MethodGet, "/v1/users/ann/versions", "/v1/users/nobody/versions", "")
	same(http.MethodGet, "/v1/tenants/acme/versions", "/v1/tenants/nobody/versions", "")
	same(http.MethodGet, "/v1/users?tenant=acme", "/v1/users?tenant=nobody", "")
	assert.Contains(t, denied, "umbrella GET /v1/users/ann")
	assert.JSONEq(t, `{"users": []}`, do(t, h, eve, http.MethodGet, "/v1/users?number=100", "").Body.String())
	assert.JSONEq(t, `{"tenants": []}`, do(t, h, eve, http.MethodGet, "/v1/tenants", "").Body.String())
	assert.Contains(t, do(t, h, acme(), http.MethodGet, "/v1/tenants", "").Body.String(), `"acme"`)

	assert.Contains(t, do(t, h, platform(), http.MethodGet, "/v1/users?tenant=acme", "").Body.String(), `"ann"`)
	assert.Equal(t, http.StatusCreated, do(t, h, platform(), http.MethodPut, "/v1/tenants/umbrella", `{}`).Code)
	assert.Contains(t, do(t, h, platform(), http.MethodGet, "/v1/tenants?limit=1", "").Body.String(), `"next"`)
	refused(t, do(t, h, platform(), http.MethodGet, "/v1/users?tenant=..", ""), 422, callmodel.CodeInvalid)
}

func TestScopes(t *testing.T) {
	t.Parallel()
	h := userhttp.New(memdb.New(nil), nil)
	for endpoint, want := range map[[2]string]callmodel.Scope{
		{http.MethodGet, "/v1/users"}:                 callmodel.ScopeUsersRead,
		{http.MethodPost, "/v1/users"}:                callmodel.ScopeUsersWrite,
		{http.MethodGet, "/v1/users/x"}:               callmodel.ScopeUsersRead,
		{http.MethodPut, "/v1/users/x"}:               callmodel.ScopeUsersWrite,
		{http.MethodPatch, "/v1/users/x"}:             callmodel.ScopeUsersWrite,
		{http.MethodDelete, "/v1/users/x"}:            callmodel.ScopeUsersWrite,
		{http.MethodGet, "/v1/users/x/versions"}:      callmodel.ScopeUsersRead,
		{http.MethodGet, "/v1/tenants"}:               callmodel.ScopeTenantsRead,
		{http.MethodGet, "/v1/tenants/acme"}:          callmodel.ScopeTenantsRead,
		{http.MethodPut, "/v1/tenants/acme"}:          callmodel.ScopeTenantsWrite,
		{http.MethodPatch, "/v1/tenants/acme"}:        callmodel.ScopeTenantsWrite,
		{http.MethodDelete, "/v1/tenants/acme"}:       callmodel.ScopeTenantsWrite,
		{http.MethodGet, "/v1/tenants/acme/versions"}: callmodel.ScopeTenantsRead,
	} {
		for _, scope := range append(callmodel.Scopes(), callmodel.ScopeTenantsEvery) {
			w := do(t, h, principal("acme", scope), endpoint[0], endpoint[1], "")
			assert.Equal(t, scope != want, w.Code == http.StatusForbidden, "%v with %s: %d", endpoint, scope, w.Code)
		}
		assert.Equal(t, http.StatusForbidden, do(t, h, principal("acme"), endpoint[0], endpoint[1], "").Code)
	}
}

// TestImport: users in lines, each fault with its line, and the same again changes nothing.
func TestImport(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s userhttp.Store) {
		t.Helper()
		h := userhttp.New(s, nil)
		send := func(body string) int {
			t.Helper()
			w := do(t, h, acme(), http.MethodPost, "/v1/users", body, "Content-Type", "application/x-ndjson")
			return ok[struct{ Users int }](t, w, 200).Users
		}
		var b strings.Builder
		const n = 1201
		for i := range n {
			fmt.Fprintf(&b, `{"id": "u%d", "numbers": {"extension": "%05d"}}`+"\n\n", i, i)
		}
		assert.Equal(t, n, send(b.String()))
		assert.Equal(t, n, send(b.String()))
		refused(t, do(t, h, acme(), http.MethodPost, "/v1/users", "\n"), 400, callmodel.CodeMalformed)
		u := ok[users.User](t, do(t, h, acme(), http.MethodGet, "/v1/users/u1200", ""), 200)
		assert.EqualValues(t, 1, u.Version)

		bad := `{"id": "new", "numbers": {"extension": "00007"}}` + "\n" + `{"id": "two"}` + "\n" + `{"id": "three", "numbers": {"extension": "00008"}}`
		w := do(t, h, acme(), http.MethodPost, "/v1/users", bad, "Content-Type", "application/x-ndjson")
		assert.Equal(t, []string{"numbers.extension", "numbers.extension"}, refused(t, w, 422, callmodel.CodeInvalid))
		assert.Contains(t, w.Body.String(), `"line":1`)
		assert.Contains(t, w.Body.String(), `"line":3`)
		w = do(t, h, acme(), http.MethodPost, "/v1/users", `{"numbers": {}}`+"\n"+`{"id": "a"}`+"\n"+`{"id": "a"}`, "Content-Type", "application/x-ndjson")
		assert.Equal(t, []string{"id", "id"}, refused(t, w, 422, callmodel.CodeInvalid))
		w = do(t, h, acme(), http.MethodPost, "/v1/users", `{"id": "a"}`+"\n{", "Content-Type", "application/x-ndjson")
		refused(t, w, 400, callmodel.CodeMalformed)
		assert.Contains(t, w.Body.String(), "line 2")
	})
}

func (away) User(context.Context, callmodel.TenantID, users.ID) (users.User, error) {
	return users.User{}, errAway
}

// TestStoreAway: it is said and logged, without the number.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := userhttp.New(away{memdb.New(nil)}, &userhttp.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w := do(t, h, acme(), http.MethodGet, "/v1/users/ann", "")
	refused(t, w, 503, callmodel.CodeUnavailable)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	assert.Contains(t, log.String(), "the database is away")
}
