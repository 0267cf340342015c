package ops

import (
	"context"
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Ledger adds the ledger's state, counted by its indexes and by totals that it keeps: see
// counted for how often.
func (m *Metrics) Ledger(stats func(context.Context) (ledger.Stats, error)) {
	m.Registry.MustRegister(&jobLedger{
		stats: counted[ledger.Stats]{count: stats, now: m.now},
		jobs:  m.defs.desc("switchtape_jobs"), age: m.defs.desc("switchtape_oldest_queued_job_seconds"), old: m.defs.desc("switchtape_jobs_age_seconds"),
	})
}

type jobLedger struct {
	stats          counted[ledger.Stats]
	jobs, age, old *prometheus.Desc
}

func (l *jobLedger) Describe(c chan<- *prometheus.Desc) {
	c <- l.jobs
	c <- l.age
	c <- l.old
}

func (l *jobLedger) Collect(c chan<- prometheus.Metric) {
	s, old, err := l.stats.get()
	if err != nil {
		c <- prometheus.NewInvalidMetric(l.jobs, err)
		return
	}
	kinds := map[string]ledger.Counts{record.Kind: {}} // an empty ledger says so
	maps.Copy(kinds, s.ByKind)
	for kind, n := range kinds {
		for state, n := range map[ledger.State]int64{
			ledger.Queued: n.Queued, ledger.Running: n.Running, ledger.Done: n.Done, ledger.Quarantined: n.Quarantined,
		} {
			c <- prometheus.MustNewConstMetric(l.jobs, prometheus.GaugeValue, float64(n), kind, string(state))
		}
	}
	c <- prometheus.MustNewConstMetric(l.age, prometheus.GaugeValue, s.OldestQueued.Seconds())
	c <- prometheus.MustNewConstMetric(l.old, prometheus.GaugeValue, old.Seconds())
}
