package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
)

func line(key, rest string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + " " + rest + "\n"
}

// who answers with the subject of the principal, or nothing.
var who = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if p, ok := callmodel.PrincipalFrom(r.Context()); ok {
		_, _ = w.Write([]byte(string(p.TenantID) + "/" + p.Subject))
	}
})

func TestKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte("# keys\n\n"+line("one", "acme operator ops")+line("two", "beta reader app # dashboards")), 0o600))
	ring, err := auth.OpenRing(path)
	require.NoError(t, err)
	h := auth.NewGate(auth.GateOptions{File: ring}).Require(who)
	for header, want := range map[string]string{
		"Bearer one": "acme/ops", "bearer two": "beta/app", "Bearer three": "", "": "", "Basic one": "", "Bearer": "", "one": "", "Bearer ": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, want, w.Body.String(), header)
	}
}

func TestBadKeyFilesReportEveryLine(t *testing.T) {
	t.Parallel()
	_, err := auth.Parse(strings.NewReader("nothex acme operator x\n" + line("a", "acme king x") +
		line("b", "../x reader x") + line("c", "acme reader") + line("d", "acme reader x") + line("d", "acme reader x")))
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 5)
	for i, part := range []string{"SHA-256", "role", "tenant", "four fields", "twice"} {
		assert.Contains(t, faults[i].Message, part)
	}
	assert.Equal(t, 6, faults[4].Line)
	_, err = auth.Load("/nowhere")
	require.ErrorContains(t, err, "API keys")
}

func TestLocal(t *testing.T) {
	t.Parallel()
	h := auth.Local(callmodel.Principal{TenantID: "default", Subject: "local"}, who)
	for _, c := range []struct {
		host, origin, site string
		code               int
	}{
		{"127.0.0.1:8080", "", "", http.StatusOK},
		{"localhost:8080", "", "", http.StatusOK},
		{"[::1]:8080", "", "", http.StatusOK},
		{"localhost", "http://localhost", "same-origin", http.StatusOK},
		{"evil.example:8080", "", "", http.StatusForbidden}, // a stranger's name for this machine
		{"127.0.0.1:8080", "https://evil.example", "cross-site", http.StatusForbidden},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, c.code, w.Code, "%+v", c)
	}
}

// TestScopes: a line names roles and scopes; a role includes those before it.
func TestScopes(t *testing.T) {
	t.Parallel()
	const (
		reader  = "calls:read recordings:read rules:read"
		caller  = reader + " calls:write recordings:write"
		all     = caller + " jobs:write rules:write audit:read users:read users:write tenants:read tenants:write keys:read keys:write webhooks:read webhooks:write holds:read exports:read exports:write shares:read shares:write"
		officer = reader + " audit:read users:read tenants:read holds:read holds:write recordings:erase exports:read exports:write shares:read shares:write"
	)
	for given, want := range map[string]string{
		"reader": reader, "caller": caller, "operator": all, "compliance": officer,
		"calls:read": "calls:read", "calls:read,recordings:read": "calls:read recordings:read",
		"reader,jobs:write": reader + " jobs:write", "reader,calls:read,reader": reader, "operator,caller": all,
		"operator,tenants:every": all + " tenants:every",
	} {
		keys, err := auth.Parse(strings.NewReader(line("k", "acme "+given+" x")))
		require.NoError(t, err, given)
		for _, p := range keys {
			var got []string
			for _, s := range p.Scopes {
				got = append(got, string(s))
			}
			assert.ElementsMatch(t, strings.Fields(want), got, given)
		}
	}
	for _, bad := range []string{"king", "Reader", "calls", "calls:*", "calls:read,", ",", "reader;caller", "reader,calls:reads"} {
		_, err := auth.Parse(strings.NewReader(line("k", "acme "+bad+" x")))
		require.ErrorContains(t, err, "neither a role", bad)
	}
	assert.Nil(t, callmodel.RoleScopes("calls:read"), "a scope is no role")
}

func FuzzParse(f *testing.F) {
	f.Add(line("a", "acme reader x"))
	f.Fuzz(func(t *testing.T, s string) {
		keys, err := auth.Parse(strings.NewReader(s))
		if err == nil {
			for _, p := range keys {
				if len(p.Scopes) == 0 || !callmodel.ValidID(string(p.TenantID)) {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}
