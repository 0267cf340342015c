package routing

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// DestinationVerdict says what became of one destination of the winning rule.
type DestinationVerdict struct {
	ID   string `json:"id"`
	Tier int    `json:"tier"` // of the route, from 1
	// Position is its place among the destinations of the decision, from 1; 0 if it
	// was left out.
	Position int    `json:"position,omitempty"`
	Reason   string `json:"reason"` // what put it there, or why it was left out
	// Cost is that of a call of the assumed length, where a rate is known.
	Cost calls.Cost `json:"cost,omitzero"`
	// Weight and Draw are given where weights decide: the lowest draw goes first.
	Weight int     `json:"weight,omitempty"`
	Draw   float64 `json:"draw,omitempty"`
	// Health, Quality and Limit are its state at the moment; "" and 0 if nobody was
	// asked for it.
	Health  string           `json:"health,omitempty"`
	Quality int              `json:"quality,omitempty"`
	Limit   calls.LeftReason `json:"limit,omitempty"` // the limit that was reached
}

func (c *chooser) verdict(number int, x *ranked) DestinationVerdict {
	v := DestinationVerdict{ID: x.dest.id, Tier: number + 1}
	if c.live != nil {
		v.Health, v.Quality, v.Limit = x.status.Health.String(), int(x.status.Quality), x.status.Full
	}
	return v
}

func (c *chooser) traceLeft(t *tier, number int, x *ranked, why calls.LeftReason) {
	v := c.verdict(number, x)
	switch why {
	case calls.LeftConcurrent:
		v.Reason = fmt.Sprintf("left out: it carries as many calls as it may, %d", x.dest.limits.Concurrent)
	case calls.LeftCPS:
		v.Reason = fmt.Sprintf("left out: it was given as many calls this second as it may, %d", x.dest.limits.CPS)
	case calls.LeftNoRate:
		v.Reason = "left out: its tier requires a rate, and it has none for " + c.req.To
	case calls.LeftMargin:
		v.Reason = "left out: there is no price for " + c.req.To + " that it could cost less than"
		if price, prefix := c.find(t.sell); price != nil {
			p, cost := price.cost(t.assume, prefix, t.sell.currency), x.rate.cost(t.assume, x.prefix, x.deck.currency)
			v.Cost = cost
			v.Reason = fmt.Sprintf("left out: it costs %s %s, and of the price of %s %s it may cost %d percent", cost.Amount, cost.Currency, p.Amount, p.Currency, t.keep)
		}
	case calls.LeftDown:
		v.Reason = "left out: it is down"
		if x.status.Health == Probing {
			v.Reason = fmt.Sprintf("left out: it is probed with %d of 1000 calls, and this is none of them", x.status.ProbeShare)
		}
	}
	*c.trace = append(*c.trace, v)
}

func (c *chooser) traceTaken(t *tier, number int, x *ranked, byWeight bool) {
	v := c.verdict(number, x)
	v.Position = len(c.d.Destinations)
	if x.rate != nil {
		v.Cost = x.rate.cost(t.assume, x.prefix, x.deck.currency)
	}
	if t.order == ByWeight || t.order == ByQuality {
		v.Weight, v.Draw = int(x.weight), x.score
	}
	switch {
	case t.order == ByQuality && byWeight:
		v.Reason = fmt.Sprintf("by weight %d: the call is one of those that keep the tier's quality known", x.weight)
	case byWeight && x.score == 0: // nothing was drawn
		v.Reason = "the only one of its tier that may be tried"
	case byWeight:
		v.Reason = fmt.Sprintf("by weight %d: the call's id draws %.4f, and the lowest goes first", x.weight, x.score)
	case t.order == ByQuality:
		v.Reason = fmt.Sprintf("by quality %d, and by weight %d among equals", x.status.Quality, x.weight)
	case t.order == ByCost && x.rate == nil:
		v.Reason = "last by cost: it has no rate for " + c.req.To
	case t.order == ByCost:
		v.Reason = fmt.Sprintf("by cost: %s %s for %d seconds to %s…", v.Cost.Amount, v.Cost.Currency, v.Cost.Length/time.Second, v.Cost.Prefix)
	default:
		v.Reason = "as listed"
	}
	if t.order == ByCost && x.rate != nil && c.belowQuality(t, x) {
		v.Reason += fmt.Sprintf("; behind others, as its quality %d is below %d", x.status.Quality, t.minQuality)
	}
	if x.status.Health == Down || c.takeDown && x.status.Health == Probing {
		v.Reason += "; it is down, but nothing else is left"
	}
	*c.trace = append(*c.trace, v)
}
