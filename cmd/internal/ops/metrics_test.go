package ops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A recording of two versions is one recording: its length, its first URL's age
// and its defects are counted once, its objects all.
func TestLaterVersionsAreCountedOnce(t *testing.T) {
	t.Parallel()
	m := ops.NewMetrics()
	first := record.Result{
		Status: record.StatusCompletedDegraded, Duration: 2 * time.Second,
		Outputs: []record.OutputResult{{URL: "a.v1.wav", Bytes: 100}, {URL: "a.v1.peaks.json", Bytes: 10}},
		Defects: []record.Defect{{Code: record.DefectLegGrowing, Leg: "a"}, {Code: record.DefectLegMissing, Leg: "b"}},
	}
	job := ledger.Job{Kind: record.Kind, State: ledger.Running, CreatedAt: time.Now()}
	m.Attempt(worker.Report{Job: job, Outcome: worker.Published, Result: first})
	job.Result, job.Published = storetest.Outcome(first).Result, true
	m.Attempt(worker.Report{Job: job, Outcome: worker.Waiting})
	last := record.Result{
		Status: record.StatusCompletedDegraded, Duration: 5 * time.Second,
		Outputs: []record.OutputResult{{URL: "a.v2.wav", Bytes: 1000}, {URL: "a.v1.peaks.json", Bytes: 10}},
		Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "b"}, {Code: record.DefectClipped, Leg: "a"}},
	}
	m.Attempt(worker.Report{Job: job, Outcome: worker.Done, Result: last})
	m.Attempt(worker.Report{Job: ledger.Job{Kind: "verify"}, Outcome: worker.Done, Elapsed: time.Second})

	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`switchtape_recording_attempts_total{outcome="published",status="completed_degraded"} 1`,
		`switchtape_job_attempts_total{kind="record",outcome="done"} 1`,
		`switchtape_job_attempts_total{kind="verify",outcome="done"} 1`,
		`switchtape_job_duration_seconds_sum{kind="verify"} 1`,
		`switchtape_recording_attempts_total{outcome="waiting",status=""} 1`,
		`switchtape_recording_attempts_total{outcome="done",status="completed_degraded"} 1`,
		`switchtape_recorded_audio_seconds_total 5`,
		`switchtape_recorded_bytes_total 1110`,
		`switchtape_recording_age_seconds_count 1`,
		`switchtape_recording_duration_seconds_count 2`,
		`switchtape_recording_defects_total{code="leg_growing"} 1`,
		`switchtape_recording_defects_total{code="leg_missing"} 1`,
		`switchtape_recording_defects_total{code="clipped"} 1`,
	} {
		require.Contains(t, w.Body.String(), line+"\n")
	}
}

// Known faults are counted by the telephone server and its software, of at most so many
// servers apart: whoever asks for recordings names them.
func TestFaultsOfHosts(t *testing.T) {
	t.Parallel()
	m := ops.NewMetrics()
	for i := range 250 {
		r := record.Result{
			Status: record.StatusCompletedDegraded, HostSoftware: "Asterisk 20.9.1",
			Defects: []record.Defect{{Code: record.DefectInsertedSilence, Leg: "a"}, {Code: record.DefectEndBurst, Leg: "a"}, {Code: record.DefectEndBurst, Leg: "b"}},
		}
		m.Attempt(worker.Report{Job: ledger.Job{Kind: record.Kind, Queue: fmt.Sprintf("pbx%d", i), CreatedAt: time.Now()}, Outcome: worker.Done, Result: r})
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Contains(t, w.Body.String(), `switchtape_host_defects_total{code="end_burst",host="pbx7",software="Asterisk 20.9.1"} 2`+"\n")
	require.Contains(t, w.Body.String(), `switchtape_host_defects_total{code="inserted_silence",host="pbx7",software="Asterisk 20.9.1"} 1`+"\n")
	require.Contains(t, w.Body.String(), `switchtape_host_defects_total{code="inserted_silence",host="other",software="other"} 50`+"\n")
	require.NotContains(t, w.Body.String(), "pbx200")
}

// The ledger's jobs are counted by kind, and an empty ledger has none rather than
// no figures.
func TestLedgerByKind(t *testing.T) {
	t.Parallel()
	scrape := func(s ledger.Stats) string {
		t.Helper()
		m := ops.NewMetrics()
		m.Ledger(func(context.Context) (ledger.Stats, error) { return s, nil })
		w := httptest.NewRecorder()
		promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	require.Contains(t, scrape(ledger.Stats{}), `switchtape_jobs{kind="record",state="queued"} 0`)
	var s ledger.Stats
	s.Add("verify", ledger.Running, 2)
	text := scrape(s)
	require.Contains(t, text, `switchtape_jobs{kind="verify",state="running"} 2`)
	require.Contains(t, text, `switchtape_jobs{kind="record",state="running"} 0`)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var sick error
	mux := http.NewServeMux()
	ops.MountMetrics(mux, ops.NewMetrics())
	ops.Mount(mux, ops.Check{Name: "database", Check: func(context.Context) error { return errors.New("down") }},
		ops.Check{Name: "worker", Check: func(context.Context) error { return nil }, Alive: func() error { return sick }})
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	code, text := get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "database: down\nworker: ok\n", text)
	code, _ = get("/healthz")
	require.Equal(t, http.StatusOK, code, "a start doesn't mend it")
	sick = errors.New("stuck")
	code, text = get("/healthz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "worker: stuck\n", text)
}

// What takes long to count is counted less often, so that scrapes don't keep the
// database busy; what doesn't is counted at each. A failure isn't repeated at once either.
func TestSlowCountsAreRare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes time.Duration
		err   error
	}{
		"slow":             {100 * time.Millisecond, nil},
		"slow and failing": {100 * time.Millisecond, errors.New("the database is away")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, asked := ops.NewMetrics(), 0
			m.Ledger(func(context.Context) (ledger.Stats, error) {
				asked++
				time.Sleep(c.takes)
				return ledger.Stats{}, c.err
			})
			for range 5 {
				_, err := m.Registry.Gather()
				require.Equal(t, c.err != nil, err != nil, "%v", err)
			}
			require.Equal(t, 1, asked)
		})
	}
}

func TestQuickCountsAreOfNow(t *testing.T) {
	t.Parallel()
	m, asked := ops.NewMetrics(), 0
	m.Ledger(func(context.Context) (ledger.Stats, error) {
		asked++
		return ledger.Stats{}, nil
	})
	require.Eventually(t, func() bool {
		_, err := m.Registry.Gather()
		require.NoError(t, err)
		return asked >= 5
	}, 10*time.Second, time.Millisecond)
}
