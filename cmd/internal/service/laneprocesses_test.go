package service_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// TestLanesAsProcesses: a process of the high lane takes emergency calls and events, and
// nothing else; one of the low lane takes all, as an emergency call is never refused. They
// share a database.
func TestLanesAsProcesses(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	options := func(lane string) service.APIOptions {
		return service.APIOptions{
			Emergency: []string{"sip:psap.example"}, Journal: filepath.Join(t.TempDir(), "journal"), LaneOptions: service.LaneOptions{MaxInFlight: 8},
			ListenOptions: service.ListenOptions{Lane: lane},
		}
	}
	ask := map[string]func(method, path, body string) (int, string){}
	for _, lane := range []string{service.LaneLow, service.LaneHigh} {
		s, err := begin(t, url, options(lane))
		require.NoError(t, err)
		t.Cleanup(s.stop)
		l, err := service.Listen(t.Context(), "127.0.0.1:0")
		require.NoError(t, err)
		o := options(lane)
		doors, err := o.OpenDoors(t.Context(), l, false)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- doors.Serve(ctx, s.h, slog.New(slog.DiscardHandler)) }()
		t.Cleanup(func() { cancel(); assert.NoError(t, <-done) })
		ask[lane] = func(method, path, body string) (int, string) {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, strings.NewReader(body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			w, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			defer w.Body.Close()
			text, err := io.ReadAll(w.Body)
			require.NoError(t, err)
			return w.StatusCode, string(text)
		}
	}
	status, body := ask[service.LaneLow](http.MethodPut, "/v1/rules", `{"destinations":{"a":{"uri":"sip:a.example.com"}},"rules":[{"id":"all","default":true,"route":{"to":"a"}}]}`)
	require.Less(t, status, 300, body)
	for lane, c := range map[string]struct{ normal, list, rules int }{
		service.LaneHigh: {http.StatusMisdirectedRequest, http.StatusMethodNotAllowed, http.StatusNotFound},
		service.LaneLow:  {http.StatusCreated, http.StatusOK, http.StatusOK},
	} {
		status, body := ask[lane](http.MethodPost, "/v1/calls", `{"id":"help-`+lane+`","from":"+12025550123","to":"911"}`)
		assert.Equal(t, http.StatusCreated, status, body)
		status, body = ask[lane](http.MethodPost, "/v1/calls", `{"id":"normal-`+lane+`","from":"+12025550123","to":"+12125550188"}`)
		assert.Equal(t, c.normal, status, body)
		if lane == service.LaneHigh {
			assert.Contains(t, body, `"code":"misdirected"`)
		}
		status, body = ask[lane](http.MethodPost, "/v1/calls/help-"+lane+"/events", `{"id":"1","type":"ended"}`)
		assert.Less(t, status, 300, body)
		status, _ = ask[lane](http.MethodGet, "/v1/calls", "")
		assert.Equal(t, c.list, status, lane)
		status, _ = ask[lane](http.MethodGet, "/v1/rules", "")
		assert.Equal(t, c.rules, status, lane)
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			status, body = ask[lane](http.MethodGet, path, "")
			assert.Equal(t, http.StatusOK, status, "%s %s: %s", lane, path, body)
		}
	}
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.Eventually(t, func() bool {
		page, err := db.Calls(t.Context(), service.DefaultTenant, calls.Filter{State: calls.Ended})
		return err == nil && len(page.Calls) == 2
	}, 30*time.Second, 10*time.Millisecond, "both emergency calls are stored, with their events")
}

// TestLanesThatCantBe: what contradicts itself is wrong usage.
func TestLanesThatCantBe(t *testing.T) {
	t.Parallel()
	l, err := service.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	usage := func(err error, says string) {
		t.Helper()
		var wrong *cli.UsageError
		require.ErrorAs(t, err, &wrong)
		assert.ErrorContains(t, err, says)
	}
	for _, lane := range []string{service.LaneHigh, service.LaneLow} {
		_, err := service.ListenOptions{Lane: lane, EmergencyListen: "127.0.0.1:0"}.OpenDoors(t.Context(), l, false)
		usage(err, "--emergency-listen")
	}
	for _, o := range []service.APIOptions{{}, {Emergency: []string{"sip:psap.example"}}, {Journal: t.TempDir()}} {
		o.Lane = service.LaneHigh
		_, err := service.NewAPI(t.Context(), &service.Stores{}, o, nil, slog.New(slog.DiscardHandler), nil)
		usage(err, "--lane high")
	}
}
