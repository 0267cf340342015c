package service_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

const oneTrunk = `
destinations: {a: {uri: "sip:a.example.com", limits: {concurrent: 1}}}
rules: [{id: all, default: true, route: {to: a}}]
`

// TestDeciderByFlag: the API asks the service that the flags name, falls back
// to the rules, and the metrics tell.
func TestDeciderByFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(oneTrunk), 0o600))
	good := true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		if !good {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"destinations":[{"id":"theirs","uri":"sip:theirs.example.com"}]}`)
	}))
	t.Cleanup(srv.Close)
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	m := ops.NewMetrics()
	o := service.APIOptions{Rules: file, RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}}
	o.DeciderURL, o.DeciderToken, o.DeciderBudget, o.DeciderCacheSize = srv.URL, "secret", 20*time.Second, -1
	api, err := service.NewAPI(t.Context(), &service.Stores{DB: db}, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context()))

	call := func(status int) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/v1/calls", strings.NewReader(`{"from":"+12025550123","to":"+12125550188"}`))
		r = r.WithContext(callmodel.WithPrincipal(r.Context(), callmodel.Principal{
			TenantID: service.DefaultTenant,
			Subject:  "test", Scopes: []callmodel.Scope{callmodel.ScopeCallsWrite},
		}))
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, r)
		require.Equal(t, status, w.Code, "%s", w.Body)
		return w.Body.String()
	}
	assert.Contains(t, call(http.StatusCreated), `"source":"decider"`)
	good = false
	assert.Contains(t, call(http.StatusCreated), `"source":"rules","fallback":"status","rule":"all"`)
	assert.Contains(t, call(http.StatusServiceUnavailable), `"code":"no_capacity"`)

	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`switchtape_decisions_total{fallback="",outcome="routed",source="decider"} 1`,
		`switchtape_decisions_total{fallback="status",outcome="routed",source="rules"} 1`,
		`switchtape_decisions_total{fallback="status",outcome="no_capacity",source="rules"} 1`,
		`switchtape_decider_duration_seconds_count{hedged="no",reason="",source="decider"} 1`,
		`switchtape_decider_duration_seconds_count{hedged="yes",reason="status",source="rules"} 2`,
		`switchtape_decider_breaker_open 0`,
		`switchtape_destination_calls{destination="a",tenant="default"} 1`,
		`switchtape_destination_up{destination="a",tenant="default"} 1`,
		`switchtape_destination_quality_level{destination="a",tenant="default"} 10`,
	} {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
	o.DeciderURL = "decider"
	_, err = service.NewAPI(t.Context(), &service.Stores{DB: db}, o, ops.NewMetrics(), slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "--decider-url")
}
