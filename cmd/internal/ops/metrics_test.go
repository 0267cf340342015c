package ops_test

import (
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
	job := ledger.Job{State: ledger.Running, CreatedAt: time.Now()}
	m.Attempt(worker.Report{Job: job, Outcome: worker.Published, Result: first})
	job.Result = &first
	m.Attempt(worker.Report{Job: job, Outcome: worker.Waiting})
	last := record.Result{
		Status: record.StatusCompletedDegraded, Duration: 5 * time.Second,
		Outputs: []record.OutputResult{{URL: "a.v2.wav", Bytes: 1000}, {URL: "a.v1.peaks.json", Bytes: 10}},
		Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "b"}, {Code: record.DefectClipped, Leg: "a"}},
	}
	m.Attempt(worker.Report{Job: job, Outcome: worker.Done, Result: last})

	w := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`switchtape_recording_attempts_total{outcome="published",status="completed_degraded"} 1`,
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
