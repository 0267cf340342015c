package ops_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
)

// api is a handler with routes as the API's, behind one that says who asks, and one that
// refuses some before.
func api(m *ops.Metrics, access *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/calls", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/v1/calls/call-7")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	mux.HandleFunc("GET /v1/calls/{id}/recordings", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v1/recordings/jobs/{id}", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond)
		w.WriteHeader(http.StatusNotFound)
	})
	mux.HandleFunc("GET /v1/users/{id}", func(http.ResponseWriter, *http.Request) {})
	noted := ops.Noted(mux)
	return problem.WithRequestID(m.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "wrong" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		p := callmodel.Principal{TenantID: "acme", Subject: "pbx"}
		noted.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	}), access))
}

// TestAccessLog: a line a request, by its route, with ids, a duration with its unit, and no
// number that the path or the query holds.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := api(ops.NewMetrics(), ops.LogOptions{LogLevel: "info", LogFormat: "json"}.Logger(&out))
	for _, c := range []struct {
		method, target, key string
		want                map[string]any
	}{
		{"POST", "/v1/calls?to=442079460123", "", map[string]any{"method": "POST", "route": "/v1/calls", "status": 201.0, "bytes": 4.0, "call": "call-7", "principal": "pbx", "tenant": "acme"}},
		{"GET", "/v1/calls/c1/recordings", "", map[string]any{"method": "GET", "route": "/v1/calls/{id}/recordings", "status": 200.0, "bytes": 0.0, "call": "c1", "principal": "pbx", "tenant": "acme"}},
		{"GET", "/v1/recordings/jobs/j1", "", map[string]any{"method": "GET", "route": "/v1/recordings/jobs/{id}", "status": 404.0, "bytes": 0.0, "job": "j1", "principal": "pbx", "tenant": "acme"}},
		{"GET", "/v1/users/442079460123", "", map[string]any{"method": "GET", "route": "/v1/users/{id}", "status": 200.0, "bytes": 0.0, "principal": "pbx", "tenant": "acme"}},
		{"PUT", "/442079460123", "", map[string]any{"method": "PUT", "route": "other", "status": 404.0, "bytes": 19.0, "principal": "pbx", "tenant": "acme"}},
		{"GET", "/v1/calls/c1/recordings", "wrong", map[string]any{"method": "GET", "route": "other", "status": 429.0, "bytes": 0.0}},
	} {
		out.Reset()
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, nil)
		r.Header.Set("X-Request-Id", "r1")
		r.Header.Set("Authorization", c.key)
		h.ServeHTTP(httptest.NewRecorder(), r)
		var line map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &line), "%s", out.String())
		assert.NotContains(t, out.String(), "442079460123")
		elapsed, ok := line["elapsed"].(string)
		require.True(t, ok)
		_, err := time.ParseDuration(elapsed)
		require.NoError(t, err)
		assert.Equal(t, "r1", line["request_id"])
		for _, k := range []string{"time", "level", "msg", "elapsed", "request_id"} {
			delete(line, k)
		}
		assert.Equal(t, c.want, line, "%s %s", c.method, c.target)
	}
}

// TestNoAccessLogCostsNothing: what is measured of a request allocates no more than the
// recorder and the status as a label, with an exemplar for slow ones alone.
func TestNoAccessLogCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	mux := http.NewServeMux()
	mux.HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) {})
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
	plain := testing.AllocsPerRun(100, func() { mux.ServeHTTP(w, r) })
	measured := ops.NewMetrics().HTTP(ops.Noted(mux), nil)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { measured.ServeHTTP(w, r) }), plain+2)
}

// exemplars are those of the metric, by the values of their labels.
func exemplars(t *testing.T, g prometheus.Gatherer, metric string) map[string]string {
	t.Helper()
	families, err := g.Gather()
	require.NoError(t, err)
	found := map[string]string{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, one := range f.GetMetric() {
			for _, b := range one.GetHistogram().GetBucket() {
				for _, l := range labels(b.GetExemplar()) {
					found[l.GetName()] = l.GetValue()
				}
			}
		}
	}
	return found
}

func labels(e *dto.Exemplar) []*dto.LabelPair { return e.GetLabel() }

// TestExemplars: a slow request's has its ids, a job's those of the job and its call, and
// what is too long for one is left out.
func TestExemplars(t *testing.T) {
	t.Parallel()
	m := ops.NewMetrics()
	h := api(m, nil)
	ask := func(path, id string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("X-Request-Id", id)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("/v1/recordings/jobs/"+strings.Repeat("9", 200), "r2") // it has no room
	assert.Equal(t, map[string]string{"request_id": "r2"}, exemplars(t, m.Registry, "switchtape_http_request_duration_seconds"))
	ask("/v1/recordings/jobs/j1", "r1")
	assert.Equal(t, map[string]string{"request_id": "r1", "job_id": "j1"}, exemplars(t, m.Registry, "switchtape_http_request_duration_seconds"))

	m.Attempt(worker.Report{Job: ledger.Job{ID: "j2", CallID: "c2", Kind: record.Kind}, Outcome: worker.Done, Elapsed: time.Second, Result: record.Result{Duration: time.Hour}})
	for _, metric := range []string{"switchtape_recording_duration_seconds", "switchtape_recording_speed_ratio", "switchtape_job_duration_seconds", "switchtape_recording_age_seconds"} {
		assert.Equal(t, map[string]string{"job_id": "j2", "call_id": "c2"}, exemplars(t, m.Registry, metric), metric)
	}
	m.EmergencyCall("c3", time.Millisecond)
	assert.Equal(t, map[string]string{"call_id": "c3"}, exemplars(t, m.Registry, "switchtape_emergency_call_duration_seconds"))

	mux, w := http.NewServeMux(), httptest.NewRecorder()
	ops.MountMetrics(mux, m)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	mux.ServeHTTP(w, r)
	assert.Contains(t, w.Body.String(), `# {call_id="c3"}`)
}
