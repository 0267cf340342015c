package service_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// TestSettingsByFlag: the API asks the service that the flags name, calls and jobs over
// HTTP say whence their settings came, and the metrics tell.
func TestSettingsByFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(oneTrunk, "concurrent: 1", "concurrent: 9")), 0o600))
	var says atomic.Value
	says.Store(`{"enabled":true,"outputs":[{"codec":"flac","layout":"stereo"}]}`)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		text, _ := says.Load().(string)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	m := ops.NewMetrics()
	o := service.APIOptions{Rules: file, RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"}}
	o.SettingsURL, o.SettingsToken, o.SettingsTimeout, o.SettingsHedge = srv.URL, "secret", 20*time.Second, -1
	o.SettingsAt, o.SettingsCacheSize = []string{"start", "end"}, -1
	api, err := service.NewAPI(t.Context(), &service.Stores{DB: db}, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context()))

	do := func(method, path, body string, into any) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r = r.WithContext(callmodel.WithPrincipal(r.Context(), callmodel.Principal{
			TenantID: service.DefaultTenant, Subject: "test",
			Scopes: []callmodel.Scope{callmodel.ScopeCallsWrite, callmodel.ScopeCallsRead, callmodel.ScopeRecordingsRead},
		}))
		w := httptest.NewRecorder()
		api.Handler().ServeHTTP(w, r)
		require.Less(t, w.Code, 300, "%s", w.Body)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), into))
	}
	var made, shown calls.Call
	do(http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+12125550188","recording":{"enabled":true}}`, &made)
	from := origin.Settings{Enabled: origin.Call, Outputs: origin.Service}
	assert.Equal(t, from, made.SettingsFrom)
	do(http.MethodGet, "/v1/calls/"+string(made.ID), "", &shown)
	assert.Equal(t, from, shown.SettingsFrom)
	says.Store(`{"outputs":[{"codec":"mp3","layout":"stereo","sample_rate_hz":9999}]}`) // no MP3 has that rate
	path := "/v1/calls/" + string(made.ID) + "/events"
	do(http.MethodPost, path, `{"id":"1","type":"answered"}`, &shown)
	do(http.MethodPost, path, `{"id":"2","type":"ended"}`, &shown)
	require.Len(t, shown.Recordings, 1)
	var job ledger.Job
	do(http.MethodGet, "/v1/recordings/jobs/"+string(shown.Recordings[0].JobID), "", &job)
	spec, err := record.SpecOf(&job)
	require.NoError(t, err)
	from.Fallback = "garbage"
	assert.Equal(t, from, spec.SettingsFrom)
	assert.Equal(t, record.CodecFLAC, spec.Outputs[0].Codec, "what the service said at the start")

	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`switchtape_settings_duration_seconds_count{hedged="no",moment="start",reason="",source="service"} 1`,
		`switchtape_settings_duration_seconds_count{hedged="no",moment="end",reason="garbage",source="none"} 1`,
		`switchtape_settings_breaker_open 0`,
		`switchtape_settings_kept_answers 0`,
	} {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
	o.SettingsURL = "settings"
	_, err = service.NewAPI(t.Context(), &service.Stores{DB: db}, o, ops.NewMetrics(), slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "--settings-url")
}
