package ops

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Ledger adds the ledger's state. It is asked for at every scrape, unless it took so
// long the last time that the database would be at it for more than a twentieth of the
// time: then it is some seconds old, as switchtape_jobs_age_seconds says.
func (m *Metrics) Ledger(stats func(context.Context) (ledger.Stats, error)) {
	m.Registry.MustRegister(&jobLedger{
		stats: stats,
		jobs:  prometheus.NewDesc("switchtape_jobs", "Jobs in the ledger, by kind and state.", []string{"kind", "state"}, nil),
		age:   prometheus.NewDesc("switchtape_oldest_queued_job_seconds", "How long the oldest job that can run has been able to.", nil, nil),
		old:   prometheus.NewDesc("switchtape_jobs_age_seconds", "How long ago the jobs were counted.", nil, nil),
	})
}

// countShare is how much of the time counting the jobs may take: one part of so many.
const countShare = 20

// countTimeout bounds one count: a scraper waits ten seconds as a rule.
const countTimeout = 5 * time.Second

type jobLedger struct {
	stats          func(context.Context) (ledger.Stats, error)
	jobs, age, old *prometheus.Desc

	mu      sync.Mutex
	last    ledger.Stats
	err     error
	counted time.Time // when last was asked for; zero if it never was
	took    time.Duration
}

func (l *jobLedger) Describe(c chan<- *prometheus.Desc) {
	c <- l.jobs
	c <- l.age
	c <- l.old
}

// count asks for the ledger's state, or says what it was a little while ago.
func (l *jobLedger) count() (ledger.Stats, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := time.Since(l.counted)
	if l.counted.IsZero() || old >= countShare*l.took {
		ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
		defer cancel()
		l.counted = time.Now()
		l.last, l.err = l.stats(ctx)
		old = time.Since(l.counted)
		l.took = old
	}
	return l.last, old, l.err
}

func (l *jobLedger) Collect(c chan<- prometheus.Metric) {
	s, old, err := l.count()
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
