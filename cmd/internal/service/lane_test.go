package service_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestLaneOptions: what can't be is said at the start, by the name of its flag.
func TestLaneOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]service.LaneOptions{
		"--calls-from-memory needs --journal": {CallsFromMemory: true},
		"--max-in-flight":                     {MaxInFlight: -1},
		"--min-in-flight":                     {MinInFlight: -1},
		"--queue-wait":                        {QueueWait: -time.Second},
	} {
		s, _, err := service.OpenForCalls(t.Context(), service.DBOptions{DB: calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db"))}, true, service.APIOptions{})
		require.NoError(t, err)
		_, err = service.NewAPI(t.Context(), s, service.APIOptions{LaneOptions: o}, ops.NewMetrics(), slog.New(slog.DiscardHandler), nil)
		require.ErrorContains(t, err, want)
		require.NoError(t, s.Close())
	}
}

// TestLaneMetrics: the lane's limit, what it serves and what it refused can be seen.
func TestLaneMetrics(t *testing.T) {
	t.Parallel()
	r, err := begin(t, calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db")), service.APIOptions{LaneOptions: service.LaneOptions{MaxInFlight: 8}})
	require.NoError(t, err)
	t.Cleanup(r.stop)
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	for line := range strings.SplitSeq(`switchtape_lane_limit 8
switchtape_lane_in_flight 0
switchtape_lane_queued 0
switchtape_lane_tenants 0
switchtape_unstored_calls 0
switchtape_lane_refused_total{reason="queue_full"} 0
switchtape_lane_refused_total{reason="tenant_queue_full"} 0
switchtape_lane_refused_total{reason="displaced"} 0
switchtape_lane_refused_total{reason="waited_too_long"} 0
switchtape_lane_refused_total{reason="client_gone"} 0`, "\n") {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
}
