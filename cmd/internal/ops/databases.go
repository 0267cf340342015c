package ops

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"
)

// Database shows the connections of the pools, by their names. stats is asked at every
// scrape, and asks no database.
func (m *Metrics) Database(stats func() map[string]sql.DBStats) {
	m.Registry.MustRegister(&pools{
		stats: stats, open: m.defs.desc("switchtape_db_connections"), limit: m.defs.desc("switchtape_db_connections_limit"),
		waits: m.defs.desc("switchtape_db_connection_waits_total"), waited: m.defs.desc("switchtape_db_connection_wait_seconds_total"),
	})
}

type pools struct {
	stats                      func() map[string]sql.DBStats
	open, limit, waits, waited *prometheus.Desc
}

func (p *pools) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.open, p.limit, p.waits, p.waited} {
		c <- d
	}
}

func (p *pools) Collect(c chan<- prometheus.Metric) {
	for pool, s := range p.stats() {
		c <- prometheus.MustNewConstMetric(p.open, prometheus.GaugeValue, float64(s.InUse), pool, "in_use")
		c <- prometheus.MustNewConstMetric(p.open, prometheus.GaugeValue, float64(s.Idle), pool, "idle")
		c <- prometheus.MustNewConstMetric(p.limit, prometheus.GaugeValue, float64(s.MaxOpenConnections), pool)
		c <- prometheus.MustNewConstMetric(p.waits, prometheus.CounterValue, float64(s.WaitCount), pool)
		c <- prometheus.MustNewConstMetric(p.waited, prometheus.CounterValue, s.WaitDuration.Seconds(), pool)
	}
}
