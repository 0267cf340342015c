package service

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

var (
	_ webhook.Store     = (*calldb.DB)(nil)
	_ webhookhttp.Store = (*calldb.DB)(nil)
)

// WebhookOptions say how webhooks are delivered.
type WebhookOptions struct {
	WebhookAllow       []string      `help:"Network that webhooks are delivered to though it is not the internet: 10.1.0.0/16, or an address. Without it private, loopback and link-local addresses are refused. May be repeated." placeholder:"CIDR"`
	WebhookTimeout     time.Duration `help:"A webhook's receiver that has not answered for so long is tried again later." default:"15s"`
	WebhookConcurrency int           `help:"Webhooks delivered at once." default:"32"`
}

// allowed reads --webhook-allow.
func (o *WebhookOptions) allowed() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, s := range o.WebhookAllow {
		if !strings.Contains(s, "/") {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, cli.Usagef("--webhook-allow %s is neither an address nor a network like 10.1.0.0/16", s)
			}
			s = netip.PrefixFrom(a, a.BitLen()).String()
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, cli.Usagef("--webhook-allow %s is neither an address nor a network like 10.1.0.0/16", s)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// Deliverer wires the delivery of webhooks, by the process of that name. It connects to
// nothing: Run does.
func (o *WebhookOptions) Deliverer(s *Stores, name string, m *ops.Metrics, log *slog.Logger) (*webhook.Deliverer, error) {
	allow, err := o.allowed()
	if err != nil {
		return nil, err
	}
	if o.WebhookTimeout < 0 || o.WebhookTimeout > time.Minute || o.WebhookConcurrency < 0 || o.WebhookConcurrency > 1000 {
		return nil, fmt.Errorf("--webhook-timeout must be at most 1m and --webhook-concurrency at most 1000: %w",
			cli.Usagef("they are %v and %d", o.WebhookTimeout, o.WebhookConcurrency))
	}
	d := webhook.New(s.DB, webhook.Options{
		Holder: name, Timeout: o.WebhookTimeout, Concurrency: o.WebhookConcurrency, Allow: allow, Tracer: m.Tracer, Now: clock.Now, Logger: log,
	})
	for result, of := range map[string]func(webhook.Counts) int64{
		"delivered": func(c webhook.Counts) int64 { return c.Delivered },
		"failed":    func(c webhook.Counts) int64 { return c.Failed },
	} {
		m.CounterOf("switchtape_webhook_tries_total", map[string]string{"result": result}, func() float64 { return float64(of(d.Counts())) })
	}
	m.CounterOf("switchtape_webhook_given_up_total", nil, func() float64 { return float64(d.Counts().GivenUp) })
	return d, nil
}
