package ops

import (
	"cmp"
	"time"

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

func newRoutingMetrics(defs definitions) routingMetrics {
	return routingMetrics{
		decisions: defs.counter("switchtape_decisions_total"), versions: defs.counter("switchtape_ruleset_decisions_total"),
		asked:    defs.histogram("switchtape_decider_duration_seconds", 0.001, 2, 10),
		settings: defs.histogram("switchtape_settings_duration_seconds", 0.001, 2, 10),
		changes:  defs.counter("switchtape_destination_changes_total"),
	}
}

func (r *routingMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{r.decisions, r.versions, r.asked, r.settings, r.changes}
}

// routed is the outcome of a decision that was made.
const routed = "routed"

// API has what an API counts be there from the start, as 0: a rate needs something to
// begin at.
func (m *Metrics) API() {
	for _, outcome := range []string{routed, string(callmodel.CodeNoRoute), string(callmodel.CodeNoCapacity)} {
		m.routing.decisions.WithLabelValues(string(calls.SourceRules), "", outcome)
		m.routing.versions.WithLabelValues("active", outcome)
	}
	m.routing.decisions.WithLabelValues(string(calls.SourceEmergency), "", routed)
	m.emergency.WithLabelValues()
}

// EmergencyCall measures an emergency call that was taken. It is
// callservice.Options.EmergencyTaken.
func (m *Metrics) EmergencyCall(id callmodel.CallID, elapsed time.Duration) {
	observe(m.emergency.WithLabelValues(), elapsed.Seconds(), exemplar("call_id", string(id)))
}

// Decision counts a decision. It is callservice.Options.Decided.
func (m *Metrics) Decision(d *calls.Decision, err error) {
	outcome := cmp.Or(string(callmodel.CodeOf(err)), routed)
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
	m.Gauge("switchtape_rulesets", func() float64 { return float64(in().Tenants) })
	m.Gauge("switchtape_ruleset_canaries", func() float64 { return float64(in().Canaries) })
	m.Gauge("switchtape_rulesets_from_snapshot", func() float64 { return float64(in().FromSnapshot) })
	m.CounterOf("switchtape_ruleset_snapshot_failures_total", nil, func() float64 { return float64(in().SnapshotFailures) })
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
	m.Registry.MustRegister(&destinations{
		stats: stats, calls: m.defs.desc("switchtape_destination_calls"), up: m.defs.desc("switchtape_destination_up"),
		level: m.defs.desc("switchtape_destination_quality_level"),
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
