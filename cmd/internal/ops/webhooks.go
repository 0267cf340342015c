package ops

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// Webhooks adds how deliveries and their receivers do: see counted for how often they are
// asked for.
func (m *Metrics) Webhooks(stats func(context.Context) (webhooks.Stats, error)) {
	m.Registry.MustRegister(&hooks{
		stats: counted[webhooks.Stats]{count: stats, now: m.now}, waiting: m.defs.desc("switchtape_webhook_deliveries_waiting"),
		oldest: m.defs.desc("switchtape_webhook_oldest_due_seconds"), endpoints: m.defs.desc("switchtape_webhooks"),
		failing: m.defs.desc("switchtape_webhook_failing_seconds"), success: m.defs.desc("switchtape_webhook_success_age_seconds"),
		behind: m.defs.desc("switchtape_webhook_waiting"),
	})
}

type hooks struct {
	stats                               counted[webhooks.Stats]
	waiting, oldest, endpoints, failing *prometheus.Desc
	success, behind                     *prometheus.Desc
}

func (h *hooks) Describe(c chan<- *prometheus.Desc) {
	c <- h.waiting
	c <- h.oldest
	c <- h.endpoints
	c <- h.failing
	c <- h.success
	c <- h.behind
}

func (h *hooks) Collect(c chan<- prometheus.Metric) {
	s, _, err := h.stats.get()
	if err != nil {
		c <- prometheus.NewInvalidMetric(h.waiting, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(h.waiting, float64(s.Waiting))
	gauge(h.oldest, s.Oldest.Seconds())
	gauge(h.endpoints, float64(s.Enabled), string(webhooks.Enabled))
	gauge(h.endpoints, float64(s.Disabled), string(webhooks.Disabled))
	for i := range s.Failing {
		f := &s.Failing[i]
		gauge(h.failing, f.For.Seconds(), string(f.TenantID), f.ID)
		gauge(h.behind, float64(f.Waiting), string(f.TenantID), f.ID)
		if f.SinceSuccess > 0 {
			gauge(h.success, f.SinceSuccess.Seconds(), string(f.TenantID), f.ID)
		}
	}
}
