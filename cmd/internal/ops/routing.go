package ops

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/settings"
	"github.com/switchtape/switchtape/routing/trunk"
)

// routingMetrics tell of decisions and of those who make them.
type routingMetrics struct {
	decisions *prometheus.CounterVec
	versions  *prometheus.CounterVec
	asked     *prometheus.HistogramVec
	settings  *prometheus.HistogramVec
	changes   *prometheus.CounterVec
}

func newRoutingMetrics() routingMetrics {
	return routingMetrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_decisions_total", Help: "Calls that were routed, by who decided, why the decision service did not, and how it came out.",
		}, []string{"source", "fallback", "outcome"}),
		versions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_ruleset_decisions_total", Help: "Calls that rules decided, by which version did, and how it came out.",
		}, []string{"version", "outcome"}),
		asked: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchtape_decider_duration_seconds", Help: "Time that calls waited for the decision service, by who answered in the end, and why the service did not.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 10),
		}, []string{"source", "reason", "hedged"}),
		settings: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchtape_settings_duration_seconds", Help: "Time that calls waited for the settings service, by when they asked, whose answer they got, and why the service had none.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 10),
		}, []string{"moment", "source", "reason", "hedged"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchtape_destination_changes_total", Help: "Changes of a destination's health or quality level.",
		}, []string{"tenant", "destination", "what"}),
	}
}

// Decision counts a decision. It is callservice.Options.Decided.
func (m *Metrics) Decision(d *calls.Decision, err error) {
	outcome := cmp.Or(string(callmodel.CodeOf(err)), "routed")
	m.routing.decisions.WithLabelValues(string(d.Source), d.Fallback, outcome).Inc()
	if d.RuleSet != "" {
		version := "active"
		if d.Canary {
			version = "canary"
		}
		m.routing.versions.WithLabelValues(version, outcome).Inc()
	}
}

// RuleSets adds what is in service, asked for at every scrape.
func (m *Metrics) RuleSets(in func() callservice.RulesInService) {
	m.Gauge("switchtape_rulesets", "Tenants with a rule set in service.", func() float64 { return float64(in().Tenants) })
	m.Gauge("switchtape_ruleset_canaries", "Tenants with a canary in service.", func() float64 { return float64(in().Canaries) })
	m.Gauge("switchtape_rulesets_from_snapshot", "Tenants whose rule set in service is from the snapshot, not confirmed by the database.",
		func() float64 { return float64(in().FromSnapshot) })
	m.Gauge("switchtape_ruleset_snapshot_failures", "How often the snapshot could not be written since the start.",
		func() float64 { return float64(in().SnapshotFailures) })
}

// Asked measures a question to the decision service. It is decider.Options.Asked.
func (m *Metrics) Asked(o decider.Outcome) {
	m.routing.asked.WithLabelValues(string(o.Source), o.Reason, yesNo(o.Hedged)).Observe(o.Elapsed.Seconds())
}

// AskedSettings measures a question to the settings service. It is settings.Options.Asked.
func (m *Metrics) AskedSettings(o settings.Outcome) {
	source := cmp.Or(string(o.Source), "none")
	m.routing.settings.WithLabelValues(string(o.Moment), source, o.Reason, yesNo(o.Hedged)).Observe(o.Elapsed.Seconds())
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// TrunkChanged counts a change. It is callservice.Options.TrunkChanged.
func (m *Metrics) TrunkChanged(owner callmodel.TenantID, c trunk.Change) {
	m.routing.changes.WithLabelValues(string(owner), c.Destination, c.Why).Inc()
}

// Destinations adds the state of every destination, asked for at every scrape.
func (m *Metrics) Destinations(stats func() []callservice.TrunkStats) {
	labels := []string{"tenant", "destination"}
	m.Registry.MustRegister(&destinations{
		stats: stats,
		calls: prometheus.NewDesc("switchtape_destination_calls", "Calls that the destination carries, as far as this process knows.", labels, nil),
		up:    prometheus.NewDesc("switchtape_destination_up", "Whether the destination works: 1 up, 0.5 probing, 0 down.", labels, nil),
		level: prometheus.NewDesc("switchtape_destination_quality_level", "Quality level of the destination, 0 to 20.", labels, nil),
	})
}

type destinations struct {
	stats            func() []callservice.TrunkStats
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
