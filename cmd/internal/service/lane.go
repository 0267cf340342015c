package service

import (
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/routing/callservice"
)

// The lanes of a service that takes calls.
const (
	LaneBoth = "both"
	LaneHigh = "high"
	LaneLow  = "low"
)

// LaneOptions say how many requests are served at once, emergency calls aside, and what
// becomes of calls while the database is away.
type LaneOptions struct {
	MaxInFlight     int           `help:"Requests that are served at once at most, emergency calls aside. How many are is found out by how long they take." default:"256"`
	MinInFlight     int           `help:"And at least." default:"32"`
	QueueWait       time.Duration `help:"How long a request waits for its turn before it is refused." default:"500ms"`
	CallsFromMemory bool          `help:"While the database is away, route other calls than emergencies as well by the rules in memory, and store them once it is back. Needs --journal."`
}

func (o LaneOptions) validate(journal string) error {
	switch {
	case o.MaxInFlight < 0:
		return cli.Usagef("--max-in-flight must not be negative")
	case o.MinInFlight < 0:
		return cli.Usagef("--min-in-flight must not be negative")
	case o.QueueWait < 0:
		return cli.Usagef("--queue-wait must not be negative")
	case o.CallsFromMemory && journal == "":
		return cli.Usagef("--calls-from-memory needs --journal DIR, which keeps what is answered until the database has it")
	}
	return nil
}

// laneMetrics shows how the normal lane stands.
func laneMetrics(svc *callservice.Service, m *ops.Metrics) {
	for name, of := range map[string]func(l *callservice.LaneStats) int{
		"switchtape_lane_limit":     func(l *callservice.LaneStats) int { return l.Limit },
		"switchtape_lane_in_flight": func(l *callservice.LaneStats) int { return l.InFlight },
		"switchtape_lane_queued":    func(l *callservice.LaneStats) int { return l.Queued },
		"switchtape_lane_tenants":   func(l *callservice.LaneStats) int { return l.Tenants },
	} {
		m.Gauge(name, func() float64 { l := svc.Lane(); return float64(of(&l)) })
	}
	for reason := range svc.Lane().Refused {
		m.CounterOf("switchtape_lane_refused_total", map[string]string{"reason": reason},
			func() float64 { return float64(svc.Lane().Refused[reason]) })
	}
}

// backlogMetrics shows what was accepted and is not stored yet.
func (a *API) backlogMetrics(m *ops.Metrics) {
	for name, of := range map[string]func(b callservice.Backlog) int{
		"switchtape_unstored_emergency_calls": func(b callservice.Backlog) int { return b.EmergencyCalls },
		"switchtape_unstored_calls":           func(b callservice.Backlog) int { return b.Calls },
		"switchtape_unstored_events":          func(b callservice.Backlog) int { return b.Events },
	} {
		m.Gauge(name, func() float64 { return float64(of(a.calls.Backlog())) })
	}
	m.CounterOf("switchtape_refused_events_total", nil, func() float64 { return float64(a.calls.Backlog().Refused) })
	m.CounterOf("switchtape_journal_failures_total", nil, func() float64 { return float64(a.calls.Backlog().JournalFailures) })
	if j := a.journal; j != nil {
		m.CounterOf("switchtape_journal_sync_failures_total", nil, j.syncFailures)
		m.Gauge("switchtape_journal_reserve_bytes", j.reserve)
	}
}
