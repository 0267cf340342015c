package service

import (
	"fmt"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/decider"
	"github.com/switchtape/switchtape/routing/trunk"
)

// RoutingOptions say who decides where calls go, and what is kept of destinations.
type RoutingOptions struct {
	DeciderURL         string        `help:"Decision service that is asked before the rules are. Default: the rules decide." placeholder:"URL"`
	DeciderToken       cli.Secret    `help:"Bearer token for the decision service. In a file, or in the environment." placeholder:"@FILE"`
	DeciderBudget      time.Duration `help:"How long a call waits for the decision service at most." default:"150ms"`
	DeciderHedge       time.Duration `help:"After how long a second request is sent. 0: when 95 of 100 answers would have come; negative: never." default:"0"`
	DeciderMaxInFlight int           `help:"Calls that wait for the decision service at once." default:"256"`
	DeciderCacheSize   int           `help:"Answers that are kept for when the decision service has none. Negative: none." default:"10000"`
	DeciderCacheTTL    time.Duration `help:"How long such answers are good." default:"10m"`

	LimitShare int           `help:"How many processes decide: each enforces its part of the limits of destinations, tenants, inbound trunks and rules. 0: as many as say in the database that they are there." default:"0"`
	ProbeEvery time.Duration `help:"How often destinations are asked by SIP OPTIONS whether they are there. 0: never." default:"0"`
}

// decider is the client of the decision service, nil if there is none.
func (o RoutingOptions) decider(m *ops.Metrics) (routing.Decider, error) {
	if o.DeciderURL == "" {
		return nil, nil //nolint:nilnil // no service is no fault
	}
	d := &decider.Options{
		Budget: o.DeciderBudget, HedgeAfter: o.DeciderHedge, MaxInFlight: o.DeciderMaxInFlight,
		CacheSize: o.DeciderCacheSize, CacheTTL: o.DeciderCacheTTL, Now: clock.Now, Asked: m.Asked,
	}
	if o.DeciderToken != "" {
		d.Header = http.Header{"Authorization": {"Bearer " + string(o.DeciderToken)}}
	}
	c, err := decider.New(o.DeciderURL, d)
	if err != nil {
		return nil, fmt.Errorf("--decider-url: %w", err)
	}
	m.Gauge("switchtape_decider_breaker_open", func() float64 {
		if c.Open() {
			return 1
		}
		return 0
	})
	return c, nil
}

func (o RoutingOptions) trunks() *trunk.Options {
	t := &trunk.Options{Share: o.LimitShare}
	if o.ProbeEvery > 0 {
		t.Prober, t.ProbeEvery = trunk.SIPOptions{}, o.ProbeEvery
	}
	return t
}
