package ops

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/switchtape/switchtape/callmodel/tracing"
)

// Metrics are the services' metrics, in a registry of their own. What each of them says
// is in the Catalogue.
type Metrics struct {
	Registry *prometheus.Registry
	// Tracer makes a span of each request and of each upload. It is set before anything is
	// wired. Nil: nothing is traced.
	Tracer tracing.Tracer

	defs definitions
	now  func() time.Time

	requests   *prometheus.HistogramVec
	emergency  *prometheus.HistogramVec
	refused    *prometheus.CounterVec
	routing    routingMetrics
	recordings recordingMetricsOf
	uploads    *prometheus.HistogramVec
	uploaded   *prometheus.CounterVec
}

// NewMetrics makes the metrics. Those of an API and of a worker come to be when the one
// or the other is wired, so that a process shows no zeros of what it doesn't do.
func NewMetrics() *Metrics {
	defs := newDefinitions()
	m := &Metrics{
		Registry: prometheus.NewRegistry(), defs: defs, now: time.Now, routing: newRoutingMetrics(defs), recordings: newRecordingMetrics(defs),
		requests:  defs.histogram("switchtape_http_request_duration_seconds", 0.0005, 2, 14),
		emergency: defs.histogram("switchtape_emergency_call_duration_seconds", 0.0001, 2, 16),
		refused:   defs.counter("switchtape_refused_requests_total"),
		uploads:   defs.histogram("switchtape_upload_duration_seconds", 0.001, 2, 16),
		uploaded:  defs.counter("switchtape_uploaded_bytes_total"),
	}
	m.Registry.MustRegister(m.requests, m.emergency, m.refused, m.uploads, m.uploaded,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.Registry.MustRegister(m.routing.all()...)
	m.Registry.MustRegister(m.recordings.all()...)
	return m
}

// Build shows what the process is: its program and lane ("" for a worker), and the version
// that it was built from.
func (m *Metrics) Build(program, lane, version string) {
	m.GaugeOf("switchtape_build_info", map[string]string{"program": program, "lane": lane, "version": version, "go": runtime.Version()},
		func() float64 { return 1 })
}

// Refused counts a request that the authentication refused. It is auth.GateOptions.Refused.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// Refusals has the reasons counted from the start, as 0.
func (m *Metrics) Refusals(reasons ...string) {
	for _, reason := range reasons {
		m.refused.WithLabelValues(reason)
	}
}
