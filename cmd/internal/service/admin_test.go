package service_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestAdminListener: metrics are where they always were, until they have a listener of
// their own; profiles are there alone, and for this machine alone.
func TestAdminListener(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"", "127.0.0.1:0"} {
		r, err := begin(t, calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), service.APIOptions{AdminOptions: service.AdminOptions{AdminListener: own}})
		require.NoError(t, err)
		status := func(h http.Handler, path, from string, headers ...string) int {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			req.RemoteAddr = from
			req.Host = "localhost"
			if len(headers) > 0 {
				req.Header.Set(headers[0], headers[1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			return w.Code
		}
		const here, there = "127.0.0.1:5000", "192.0.2.1:5000"
		want := http.StatusOK
		if own != "" {
			want = http.StatusNotFound
		}
		assert.Equal(t, want, status(r.h, "/metrics", here))
		assert.Equal(t, http.StatusNotFound, status(r.h, "/debug/pprof/", here))
		for _, path := range []string{"/metrics", "/readyz", "/livez", "/healthz", "/debug/pprof/", "/debug/pprof/heap"} {
			assert.Equal(t, http.StatusOK, status(r.admin, path, here), path)
		}
		assert.Equal(t, http.StatusOK, status(r.admin, "/metrics", there))
		assert.Equal(t, http.StatusForbidden, status(r.admin, "/debug/pprof/heap", there))
		assert.Equal(t, http.StatusForbidden, status(r.admin, "/debug/pprof/heap", here, "X-Forwarded-For", "192.0.2.1"))
		assert.Equal(t, http.StatusNotFound, status(r.admin, "/debug/pprof/cmdline", here), "it may hold secrets")
		assert.Equal(t, http.StatusNotFound, status(r.admin, "/v1/calls", here))
		r.stop()
	}
	none, err := service.AdminOptions{}.OpenAdmin(t.Context())
	require.NoError(t, err)
	require.Nil(t, none.Addr())
	admin, err := service.AdminOptions{AdminListener: ":0"}.OpenAdmin(t.Context())
	require.NoError(t, err)
	tcp, ok := admin.Addr().(*net.TCPAddr)
	require.True(t, ok)
	require.True(t, tcp.IP.IsLoopback(), "no host is loopback")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- admin.Serve(ctx, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin.Addr().String()+"/", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	cancel()
	require.NoError(t, <-done)
	_, err = service.AdminOptions{AdminListener: "nonsense"}.OpenAdmin(t.Context())
	require.ErrorContains(t, err, "--admin-listener")
}
