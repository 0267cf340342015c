package ops

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// Webhooks adds how deliveries and their receivers do, asked for at every scrape.
func (m *Metrics) Webhooks(stats func(context.Context) (webhooks.Stats, error)) {
	labels := []string{"tenant", "webhook"}
	m.Registry.MustRegister(&hooks{
		stats:     stats,
		waiting:   prometheus.NewDesc("switchtape_webhook_deliveries_waiting", "Deliveries of webhooks that wait; 100000 may be more.", nil, nil),
		oldest:    prometheus.NewDesc("switchtape_webhook_oldest_due_seconds", "How long the delivery has been due that has been longest.", nil, nil),
		endpoints: prometheus.NewDesc("switchtape_webhooks", "Webhooks, by state.", []string{"state"}, nil),
		failing: prometheus.NewDesc("switchtape_webhook_failing_seconds", "For how long a webhook's receiver has failed, of those that fail, at most 100.",
			labels, nil),
		success: prometheus.NewDesc("switchtape_webhook_success_age_seconds", "How long ago such a receiver last took one; left out if it never has.", labels, nil),
		behind:  prometheus.NewDesc("switchtape_webhook_waiting", "Deliveries that wait for such a receiver; 100000 may be more.", labels, nil),
	})
}

type hooks struct {
	stats                               func(context.Context) (webhooks.Stats, error)
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
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	s, err := h.stats(ctx)
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
