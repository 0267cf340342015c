package ops

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
)

// Metrics are the services' metrics, in a registry of their own.
type Metrics struct {
	Registry *prometheus.Registry

	requests *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	elapsed  prometheus.Histogram
	waited   prometheus.Histogram
	audio    prometheus.Counter
	bytes    prometheus.Counter
	defects  *prometheus.CounterVec
	hosts    hostDefects
	jobs     *prometheus.CounterVec
	jobTimes *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	routing  routingMetrics
}

// NewMetrics makes the metrics.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(), routing: newRoutingMetrics(), hosts: newHostDefects(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchtape_http_request_duration_seconds", Help: "Time to answer an HTTP request.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"route", "code"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_recording_attempts_total", Help: "Attempts at recording jobs, by how they ended.",
		}, []string{"outcome", "status"}),
		elapsed: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchtape_recording_duration_seconds", Help: "Time to make and store a recording.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchtape_recording_age_seconds", Help: "Time from a job's enqueueing to its first recording, by the worker's clock.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 18),
		}),
		audio: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchtape_recorded_audio_seconds_total", Help: "Length of the recordings made.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchtape_recorded_bytes_total", Help: "Size of the objects stored.",
		}),
		defects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_recording_defects_total", Help: "Defects of finished recordings.",
		}, []string{"code"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_job_attempts_total", Help: "Attempts at jobs of every kind, by how they ended.",
		}, []string{"kind", "outcome"}),
		jobTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchtape_job_duration_seconds", Help: "Time of the attempts by which jobs were done, by kind.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 10),
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_refused_requests_total", Help: "Requests that the authentication refused, by why.",
		}, []string{"reason"}),
	}
	m.Registry.MustRegister(m.requests, m.attempts, m.elapsed, m.waited, m.audio, m.bytes, m.defects, m.hosts.total, m.jobs, m.jobTimes, m.refused,
		m.routing.decisions, m.routing.versions, m.routing.asked, m.routing.settings, m.routing.changes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Attempt counts an attempt at a job. It is worker.Options.Finished. Of a later
// version of a recording only what it has beyond the earlier one is counted.
func (m *Metrics) Attempt(r worker.Report) {
	m.jobs.WithLabelValues(r.Job.Kind, string(r.Outcome)).Inc()
	if r.Outcome == worker.Done {
		m.jobTimes.WithLabelValues(r.Job.Kind).Observe(r.Elapsed.Seconds())
	}
	if r.Job.Kind == record.Kind {
		m.recording(&r)
	}
}

// recording counts an attempt at a recording.
func (m *Metrics) recording(r *worker.Report) {
	m.attempts.WithLabelValues(string(r.Outcome), string(r.Result.Status)).Inc()
	if r.Outcome != worker.Done && r.Outcome != worker.Published {
		return
	}
	m.elapsed.Observe(r.Elapsed.Seconds())
	var before record.Result
	if p, err := record.PublishedBy(&r.Job); err == nil && p != nil {
		before = *p
	} else {
		m.waited.Observe(time.Since(r.Job.CreatedAt).Seconds())
	}
	m.audio.Add(max(r.Result.Duration-before.Duration, 0).Seconds())
	for _, o := range r.Result.Outputs {
		if before.InBackup && !r.Result.InBackup {
			break // they were moved, not made
		}
		if !slices.ContainsFunc(before.Outputs, func(b record.OutputResult) bool { return b.URL == o.URL }) {
			m.bytes.Add(float64(o.Bytes))
		}
	}
	for _, d := range r.Result.Defects {
		if !slices.ContainsFunc(before.Defects, func(b record.Defect) bool { return b.Code == d.Code && b.Leg == d.Leg }) {
			m.defects.WithLabelValues(string(d.Code)).Inc()
			m.hosts.count(d.Code, r.Job.Queue, r.Result.HostSoftware)
		}
	}
}

// Refused counts a request that the authentication refused. It is auth.GateOptions.Refused.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Gauge adds a gauge that is asked for at every scrape.
func (m *Metrics) Gauge(name, help string, f func() float64) { m.GaugeOf(name, help, nil, f) }

// GaugeOf is Gauge with labels.
func (m *Metrics) GaugeOf(name, help string, labels map[string]string, f func() float64) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, f))
}

// CounterOf adds a counter with labels that is asked for at every scrape.
func (m *Metrics) CounterOf(name, help string, labels map[string]string, f func() float64) {
	m.Registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, f))
}

// HTTP measures the requests that next answers, by the pattern of next's own
// routes, so that ids in paths don't become labels.
func (m *Metrics) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		route := r.Pattern
		if route == "" || route == "/" {
			route = "other"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(rec.status)).Observe(time.Since(start).Seconds())
	})
}

type statusRecorder struct {
	http.ResponseWriter

	status int
	wrote  bool
}

func (s *statusRecorder) WriteHeader(status int) {
	if !s.wrote {
		s.status, s.wrote = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
