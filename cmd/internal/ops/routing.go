package ops

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/trunk"
)

// routingMetrics tell of decisions and of those who make them.
type routingMetrics struct {
	decisions *prometheus.CounterVec
	asked     *prometheus.HistogramVec
	changes   *prometheus.CounterVec
}

func newRoutingMetrics() routingMetrics {
	return routingMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_decisions_total", Help: "Calls that were routed, by who decided, why the decision service did not, and how it came out.",
		}, []string{"source", "fallback", "outcome"}),
		asked: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchtape_decider_duration_seconds", Help: "Time that calls waited for the decision service, by who answered in the end, and why the service did not.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 10),
		}, []string{"source", "reason", "hedged"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_destination_changes_total", Help: "Changes of a destination's health or quality level.",
		}, []string{"tenant", "destination", "what"}),
	}
}

// Decision counts a decision. It is callhttp.Options.Decided.
func (m *Metrics) Decision(d *callmodel.Decision, err error) {
	outcome := cmp.Or(string(callmodel.CodeOf(err)), "routed")
	m.routing.decisions.WithLabelValues(string(d.Source), d.Fallback, outcome).Inc()
}

// Asked measures a question to the decision service. It is decider.Options.Asked.
func (m *Metrics) Asked(o decider.Outcome) {
	hedged := "no"
	if o.Hedged {
		hedged = "yes"
	}
	m.routing.asked.WithLabelValues(string(o.Source), o.Reason, hedged).Observe(o.Elapsed.Seconds())
}

// TrunkChanged counts a change. It is callhttp.Options.TrunkChanged.
func (m *Metrics) TrunkChanged(owner callmodel.TenantID, c trunk.Change) {
	m.routing.changes.WithLabelValues(string(owner), c.Destination, c.Why).Inc()
}

// Destinations adds the state of every destination, asked for at every scrape.
func (m *Metrics) Destinations(stats func() []callhttp.TrunkStats) {
	labels := []string{"tenant", "destination"}
	m.Registry.MustRegister(&destinations{
		stats: stats,
		calls: prometheus.NewDesc("switchtape_destination_calls", "Calls that the destination carries, as far as this process knows.", labels, nil),
		up:    prometheus.NewDesc("switchtape_destination_up", "Whether the destination works: 1 up, 0.5 probing, 0 down.", labels, nil),
		level: prometheus.NewDesc("switchtape_destination_quality_level", "Quality level of the destination, 0 to 20.", labels, nil),
	})
}

type destinations struct {
	stats            func() []callhttp.TrunkStats
	calls, up, level *prometheus.Desc
}

func (d *destinations) Describe(c chan<- *prometheus.Desc) {
	c <- d.calls
	c <- d.up
	c <- d.level
}

func (d *destinations) Collect(c chan<- prometheus.Metric) {
	for _, s := range d.stats() {
		up := 1.0
		switch s.Health {
		case routing.Probing:
			up = 0.5
		case routing.Down:
			up = 0
		case routing.Up:
		}
		for desc, value := range map[*prometheus.Desc]float64{d.calls: float64(s.Calls), d.up: up, d.level: float64(s.Level)} {
			c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, string(s.Owner), s.Destination)
		}
	}
}
