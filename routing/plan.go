package routing

import (
	"cmp"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// plan is a compiled route: its tiers, flattened.
type plan struct {
	targets  []target
	tiers    []tier
	failover *calls.Failover
	reject   *calls.Cause // nil: it has targets
	refusal  error        // of reject
}

type tier struct {
	end         int // index behind its last target
	order       TierOrder
	assume      int32 // seconds, of the call for which costs are compared
	requireRate bool
	minQuality  int16
	sell        *RateTable // what the caller pays; nil: nobody asks
	keep        uint64     // percent of that that a call may cost
	explore     uint64     // calls with a draw (53 bits) below it go by weight
}

type target struct {
	dest   uint32
	weight uint32
}

// plan returns the index of the rule's plan. Rules with equal routes share one.
func (c *compiler) plan(r *Rule) uint32 {
	tiers, key := r.Route, c.planKey[:0]
	if r.Failover != nil {
		key = append(key, marshal(r.Failover)...)
	}
	if r.Reject != nil {
		key = append(append(key, 'r'), marshal(r.Reject)...)
	}
	for i := range tiers {
		key = tiers[i].appendKey(key)
	}
	c.planKey = key
	if i, ok := c.planIndex[string(key)]; ok {
		return i
	}
	p := plan{failover: cmp.Or(r.Failover, c.rs.Failover)}
	if r.Reject != nil {
		cause := *r.Reject
		p.failover, p.reject, p.refusal = nil, &cause, refusal(cause)
	}
	for i := range tiers {
		t := &tiers[i]
		for _, g := range t.Targets {
			p.targets = append(p.targets, target{c.destIndex[g.To], uint32(max(g.Weight, 1))})
		}
		percent := cmp.Or(t.ExplorePercent, DefaultExplorePercent)
		compiled := tier{
			end: len(p.targets), order: cmp.Or(t.Order, ByWeight), requireRate: t.RequireRate, minQuality: int16(t.MinQuality),
			assume: int32(cmp.Or(t.Assume, DefaultAssume) / time.Second), explore: uint64(percent) << 53 / 100,
		}
		if t.Margin != nil {
			compiled.sell, compiled.keep = c.decks[t.Margin.Rates], uint64(100-t.Margin.Percent)
		}
		p.tiers = append(p.tiers, compiled)
	}
	i := uint32(len(c.r.plans))
	c.r.plans = append(c.r.plans, p)
	c.planIndex[string(key)] = i
	return i
}

// appendKey appends bytes that differ between different tiers.
func (t *Tier) appendKey(b []byte) []byte {
	if !t.plain() {
		b = append(append(b, string(t.Order)...), ' ')
		b = strconv.AppendInt(b, int64(t.Assume), 10)
		b = strconv.AppendInt(append(b, ' '), int64(t.ExplorePercent), 10)
		b = append(strconv.AppendBool(append(b, ' '), t.RequireRate), ' ')
		b = append(strconv.AppendInt(b, int64(t.MinQuality), 10), ' ')
		if t.Margin != nil {
			b = append(append(strconv.AppendInt(b, int64(t.Margin.Percent), 10), t.Margin.Rates...), ' ')
		}
	}
	for _, g := range t.Targets {
		b = append(append(b, g.To...), ':')
		b = append(strconv.AppendInt(b, int64(max(g.Weight, 1)), 10), ',')
	}
	return append(b, ';')
}
