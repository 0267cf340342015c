package ops

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Holds adds how many legal holds are in force: see counted for how often they are counted.
func (m *Metrics) Holds(count func(context.Context) (int64, error)) {
	m.Registry.MustRegister(&holds{counted: counted[int64]{count: count, now: m.now}, inForce: m.defs.desc("switchtape_legal_holds")})
}

type holds struct {
	counted counted[int64]
	inForce *prometheus.Desc
}

func (h *holds) Describe(c chan<- *prometheus.Desc) { c <- h.inForce }

func (h *holds) Collect(c chan<- prometheus.Metric) {
	n, _, err := h.counted.get()
	if err != nil {
		c <- prometheus.NewInvalidMetric(h.inForce, err)
		return
	}
	c <- prometheus.MustNewConstMetric(h.inForce, prometheus.GaugeValue, float64(n))
}
