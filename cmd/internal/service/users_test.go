package service_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// TestUsersDecideCalls: from the API into memory, and from there into decisions, their
// explanations and the tenant of a call that comes in.
func TestUsersDecideCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
destinations: {a: {uri: "sip:a"}, voicemail: {uri: "sip:voicemail"}}
rules:
  - {id: dnd, priority: 1, default: true, match: {callee: {dnd: true}}, route: {to: voicemail}}
  - {id: all, default: true, route: {to: a}}
`), 0o600))
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	stores, m := &service.Stores{DB: db}, ops.NewMetrics()
	o := service.APIOptions{Rules: file, Region: "US", RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}}
	api, err := service.NewAPI(t.Context(), stores, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context()))
	handlers, err := service.HTTP(stores, api, nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, service.AdminOptions{}, m)
	require.NoError(t, err)
	h := handlers.Public
	do := func(status int, method, path, body string, headers ...string) string {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Host = "localhost"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		b, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.Equal(t, status, w.Code, "%s %s: %s", method, path, b)
		return string(b)
	}
	assert.Contains(t, do(200, http.MethodGet, "/readyz", ""), "the users are being loaded")
	assert.Contains(t, do(200, http.MethodGet, "/metrics", ""), "switchtape_users_age_seconds -1\n")
	assert.Contains(t, do(201, http.MethodPost, "/v1/calls", `{"from": "100", "to": "101"}`), `"rule":"all"`, "calls wait for no users")

	const ann = `{"numbers": {"extension": "101", "dids": ["+4930123450"]}, "preferences": {"do_not_disturb": true}}`
	do(201, http.MethodPut, "/v1/users/ann", ann)
	do(201, http.MethodPut, "/v1/users/bob", `{"numbers": {"extension": "100"}}`)
	do(201, http.MethodPut, "/v1/users/eve?tenant=acme", `{"numbers": {"extension": "101", "dids": ["+4930999990"]}}`)
	do(201, http.MethodPut, "/v1/tenants/acme", `{"defaults": {"region": "DE"}}`)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- api.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool {
		return strings.Contains(do(200, http.MethodGet, "/metrics", ""), "switchtape_users 3\n")
	}, 30*time.Second, 10*time.Millisecond)
	assert.NotContains(t, do(200, http.MethodGet, "/readyz", ""), "users are")

	call := do(201, http.MethodPost, "/v1/calls", `{"id": "c1", "from": "100", "to": "101"}`)
	assert.Contains(t, call, `"rule":"dnd"`)
	assert.Contains(t, call, `"to":{"number":"101","user":"ann","user_version":1}`)
	why := do(200, http.MethodGet, "/v1/calls/c1/explanation", "")
	assert.Contains(t, why, `"callee":{"id":"ann","version":1,"dnd":true}`)
	why = do(200, http.MethodGet, "/v1/route?from=101&to=100", "")
	assert.Contains(t, why, "the callee's user bob has dnd false, not true")

	in := do(201, http.MethodPost, "/v1/calls", `{"id": "c2", "from": "+12025550123", "to": "+4930999990", "direction": "inbound"}`)
	assert.Contains(t, in, `"tenant_id":"acme"`)
	do(404, http.MethodGet, "/v1/calls/c2", "")
	assert.Contains(t, do(200, http.MethodGet, "/v1/calls/c2", "", service.TenantHeader, "acme"), `"user":"eve"`)
	do(200, http.MethodPost, "/v1/calls/c2/events", `{"id": "e1", "type": "ringing"}`, service.TenantHeader, "acme")
	do(400, http.MethodGet, "/v1/calls/c2", "", service.TenantHeader, "..")
	assert.Contains(t, do(201, http.MethodPost, "/v1/calls", `{"from": "101", "to": "030 123456"}`, service.TenantHeader, "acme"), `"number":"+4930123456"`)
	assert.Contains(t, do(200, http.MethodGet, "/v1/audit?limit=1000", ""), `"action":"user.stored"`)
}

// keyLine is a line of a file of keys.
func keyLine(key, rest string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + " " + rest + "\n"
}

// TestActingForOthersNeedsTheScope, whatever else a key may do.
func TestActingForOthersNeedsTheScope(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	require.NoError(t, os.WriteFile(keys, []byte(keyLine("of-acme", "acme operator ann")+keyLine("of-platform", "default operator,tenants:every ops")), 0o600))
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	stores, m := &service.Stores{DB: db}, ops.NewMetrics()
	o := service.APIOptions{RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}}
	o.Keys = keys
	api, err := service.NewAPI(t.Context(), stores, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	handlers, err := service.HTTP(stores, api, nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, service.AdminOptions{}, m)
	require.NoError(t, err)
	h := handlers.Public
	for _, c := range []struct {
		key, tenant string
		status      int
	}{
		{"of-acme", "", 200},
		{"of-acme", "acme", 200},
		{"of-acme", "umbrella", 403},
		{"of-acme", "default", 403},
		{"of-platform", "acme", 200},
		{"of-platform", "", 200},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/users", nil)
		r.Header.Set("Authorization", "Bearer "+c.key)
		if c.tenant != "" {
			r.Header.Set(service.TenantHeader, c.tenant)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "%+v: %s", c, w.Body)
	}
}
