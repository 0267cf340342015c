package auth_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
)

// ask is the answer to a request with a key from an address.
func ask(t *testing.T, h http.Handler, key, from string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/calls", nil)
	r.Header.Set("Authorization", "Bearer "+key)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestReload: a key that is taken out of the file opens nothing after the next
// reload; a file that can't be read changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(line("old", "acme operator old") + line("kept", "acme operator kept"))
	ring, err := auth.OpenRing(path)
	require.NoError(t, err)
	gate := auth.NewGate(auth.GateOptions{File: ring})
	h := gate.Require(who)
	const from = "192.0.2.1:5000"
	require.Equal(t, "acme/old", ask(t, h, "old", from).Body.String())
	write("damaged")
	require.Error(t, gate.Reload())
	require.Equal(t, "acme/old", ask(t, h, "old", from).Body.String())
	require.Equal(t, 1, gate.Tenants())
	write(line("kept", "acme reader kept") + line("new", "acme operator new") + line("other", "beta reader other"))
	require.Equal(t, "acme/old", ask(t, h, "old", from).Body.String())
	require.NoError(t, gate.Reload())
	assert.Equal(t, 2, gate.Tenants())
	assert.Empty(t, ask(t, h, "old", from).Body.String())
	assert.Equal(t, "acme/kept", ask(t, h, "kept", from).Body.String())
	assert.Equal(t, "acme/new", ask(t, h, "new", from).Body.String())
	_, err = auth.OpenRing(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorContains(t, err, "no such file")
}

// TestWrongKeys: 2,000 wrong keys in 0.4 s are counted, leave a line and meet a
// limit; the right key of the same address is taken, and time forgives.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(line("right", "acme operator ops")), 0o600))
	var text bytes.Buffer
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	ring, err := auth.OpenRing(path)
	require.NoError(t, err)
	var audit []callmodel.AuditEvent
	refused := map[string]int{}
	gate := auth.NewGate(auth.GateOptions{
		File: ring, Logger: slog.New(slog.NewTextHandler(&text, nil)), Now: func() time.Time { return now }, PlatformTenant: "platform",
		Audit: func(_ context.Context, e callmodel.AuditEvent) error {
			audit = append(audit, e)
			return nil
		},
		Refused: func(reason string) { refused[reason]++ },
	})
	h := gate.Require(who)
	codes := map[int]int{}
	for range 2000 {
		now = now.Add(200 * time.Microsecond)
		w := ask(t, h, "guess-1", "192.0.2.7:5000")
		codes[w.Code]++
		if w.Code == http.StatusTooManyRequests {
			require.NotEmpty(t, w.Header().Get("Retry-After"))
		}
	}
	assert.LessOrEqual(t, codes[http.StatusOK], 21, "the handler behind it answers these: who says 200 to nobody")
	assert.Equal(t, 2000-codes[http.StatusOK], codes[http.StatusTooManyRequests])
	assert.EqualValues(t, 2000, gate.Wrong())
	assert.Equal(t, 2000, refused[auth.WrongKey]+refused[auth.AddressLimited])
	assert.Equal(t, codes[http.StatusTooManyRequests], refused[auth.AddressLimited])
	assert.Equal(t, 1, gate.Limited())
	gate.AuditBursts(t.Context(), false)
	require.Empty(t, audit, "the burst may go on")
	now = now.Add(10 * time.Second)
	gate.AuditBursts(t.Context(), false)
	gate.AuditBursts(t.Context(), false)
	require.Len(t, audit, 1, "one line for the burst")
	assert.Equal(t, callmodel.AuditWrongKeys, audit[0].Action)
	assert.Equal(t, "192.0.2.7/32", audit[0].Subject)
	assert.EqualValues(t, "platform", audit[0].TenantID)
	assert.Equal(t, "2000", audit[0].Detail["requests"])
	now = now.Add(-10 * time.Second)
	for range 20 { // at the door for emergency calls nothing is refused for its number
		assert.Equal(t, http.StatusOK, ask(t, auth.EmergencyDoor(h), "guess-1", "192.0.2.7:5000").Code)
	}
	assert.Equal(t, "acme/ops", ask(t, h, "right", "192.0.2.7:5000").Body.String())
	assert.Equal(t, http.StatusOK, ask(t, h, "guess-1", "192.0.2.8:5000").Code, "another address is another's")
	now = now.Add(time.Minute)
	assert.Equal(t, http.StatusOK, ask(t, h, "guess-1", "192.0.2.7:5000").Code)
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], "address=192.0.2.7/32")
	assert.Contains(t, lines[2], "requests=2020")
	assert.NotContains(t, text.String(), "guess-1", "no key is logged")

	for i := range 10_000 { // many addresses cost no more memory than some
		now = now.Add(time.Millisecond)
		ask(t, h, "guess-1", "[2001:db8:0:"+string("0123456789abcdef"[i%16])+"::"+string("0123456789abcdef"[i/16%16])+"]:1")
	}
	assert.Equal(t, http.StatusTooManyRequests, ask(t, h, "guess-1", "[2001:db8:0:1:ffff::1]:1").Code, "of IPv6 a /64 is one")
}
