package routing

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// TierOrder says in which order a tier's targets are tried.
type TierOrder string

// The orders of a tier.
const (
	// ByWeight draws by weighted rendezvous hashing over the call's id.
	ByWeight TierOrder = "weight"
	// ByCost tries the target with the lowest expected cost first. Targets of equal
	// cost stay as listed, and those without a rate for the number come last.
	ByCost TierOrder = "cost"
	// ByQuality tries the target with the best recent quality first, and draws by
	// weight among equals. Without run-time state all are equal.
	ByQuality TierOrder = "quality"
	// AsListed tries the targets in the order they are written.
	AsListed TierOrder = "priority"
)

// Tier is a list of targets that are tried before those of the next tier. In a file
// it is that list, or a mapping if it has other fields.
type Tier struct {
	Order   TierOrder `json:"order,omitempty"` // "" means weight
	Targets []Target  `json:"targets"`
	// Assume is the length of call for which costs are compared, with the order cost:
	// whole seconds up to a day. 0 means 180 s.
	Assume time.Duration `json:"assume_seconds,omitempty" unsaid:"give 1 to 86400, or leave it out for 180"`
	// RequireRate leaves out targets without a rate for the number, with the order
	// cost. An emergency call needs none.
	RequireRate bool `json:"require_rate,omitempty"`
	// ExplorePercent is the share of calls, drawn by their id, that goes by weight
	// alone, so that the quality of each target stays known. It goes with the order
	// quality. 0 means 5.
	ExplorePercent int `json:"explore_percent,omitempty" unsaid:"give 1 to 50, or leave it out for 5"`
	// MinQuality is the quality level, 1 to 20 (see package trunk), below which a target
	// comes behind all that have it, with the order cost. Without run-time state, and for
	// emergency calls, none is below. 0 means no such level.
	MinQuality int `json:"min_quality,omitempty" unsaid:"give 1 to 20, or leave it out for none"`
	// Margin leaves out targets that cost more than the caller pays less a margin. nil:
	// whatever they cost.
	Margin *Margin `json:"margin,omitempty"`
}

// Margin says what is to be left of the price of a call. A call of the tier's assumed
// length may cost price × (100 − Percent) ÷ 100 at most; targets without a rate are left
// out, and all are where Rates have no price for the number. It never leaves a target out
// for an emergency call.
type Margin struct {
	// Rates is the deck of what the caller pays.
	Rates string `json:"rates"`
	// Percent of the price is to be left over, 0 to 99.
	Percent int `json:"percent,omitempty"`
}

// Target is one destination of a tier.
type Target struct {
	To string `json:"to"` // the destination's id
	// Weight is its share of the tier's calls in relation to the other weights, 1 to
	// 1000000. 0 means 1; a file can't say 0 but leaves it out. It goes with the
	// orders weight and quality.
	Weight int `json:"weight,omitempty" unsaid:"give 1 to 1000000; a target that is to get no calls is left out"`
}

// Defaults and limits of tiers.
const (
	DefaultAssume         = 180 * time.Second
	MaxAssume             = 24 * time.Hour
	DefaultExplorePercent = 5
	MaxExplorePercent     = 50
	MaxQuality            = 20 // the highest level
	MaxMarginPercent      = 99
)

// plain reports whether the tier is just a list of targets by weight.
func (t *Tier) plain() bool {
	return (t.Order == "" || t.Order == ByWeight) && t.Assume == 0 && !t.RequireRate && t.ExplorePercent == 0 && t.MinQuality == 0 && t.Margin == nil
}

// MarshalJSON writes the shortest form: the list of targets alone if that is enough,
// and no defaults. Tiers that mean the same are written the same.
func (t Tier) MarshalJSON() ([]byte, error) {
	if t.plain() {
		return json.Marshal(t.Targets)
	}
	if t.Assume == DefaultAssume {
		t.Assume = 0
	}
	if t.ExplorePercent == DefaultExplorePercent {
		t.ExplorePercent = 0
	}
	return callmodel.MarshalDurations(t)
}

// UnmarshalJSON reads either form, leniently. [Parse] reads files.
func (t *Tier) UnmarshalJSON(b []byte) error {
	*t = Tier{}
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &t.Targets)
	}
	return callmodel.UnmarshalDurations(b, t)
}

func (v *validation) checkRoute(p string, tiers []Tier) {
	if len(tiers) == 0 || len(tiers) > MaxTiers {
		v.fault(p, "must have 1 to %d tiers, has %d", MaxTiers, len(tiers))
	}
	used := map[string]targetAt{}
	for i := range tiers {
		v.checkTier(fmt.Sprintf("%s[%d]", p, i), &tiers[i], used)
	}
}

func (v *validation) checkTier(p string, t *Tier, used map[string]targetAt) {
	switch t.Order {
	case "", ByWeight, ByCost, ByQuality, AsListed:
	default:
		v.fault(p+".order", "%q is not one of weight, cost, quality, priority", t.Order)
	}
	if why := badSeconds(t.Assume, MaxAssume); why != "" {
		v.fault(p+".assume_seconds", "%s", why)
	}
	if t.ExplorePercent < 0 || t.ExplorePercent > MaxExplorePercent {
		v.fault(p+".explore_percent", "must be 1 to %d, is %d", MaxExplorePercent, t.ExplorePercent)
	}
	if t.Order != ByCost && t.Assume != 0 && t.Margin == nil {
		v.fault(p+".assume_seconds", "goes with order: cost only, or with a margin")
	}
	if t.MinQuality < 0 || t.MinQuality > MaxQuality {
		v.fault(p+".min_quality", "must be 1 to %d, is %d", MaxQuality, t.MinQuality)
	}
	if t.Order != ByCost && t.MinQuality != 0 {
		v.fault(p+".min_quality", "goes with order: cost only; order: quality tries the best first")
	}
	v.checkMargin(p+".margin", t.Margin)
	if t.Order != ByCost && t.RequireRate {
		v.fault(p+".require_rate", "goes with order: cost only")
	}
	if t.Order != ByQuality && t.ExplorePercent != 0 {
		v.fault(p+".explore_percent", "goes with order: quality only")
	}
	at := targetAt{tier: p, t: t}
	if len(t.Targets) == 0 || len(t.Targets) > MaxTargets {
		v.fault(v.targets(at), "must have 1 to %d destinations, has %d", MaxTargets, len(t.Targets))
	}
	rated := false
	for at.index = range t.Targets {
		rated = v.checkTarget(at, used) || rated
	}
	if t.Order == ByCost && !rated && len(t.Targets) > 0 {
		v.fault(p+".order", "none of the destinations has rates, so their costs can't be compared; give them a rate deck")
	}
}

func (v *validation) checkMargin(p string, m *Margin) {
	if m == nil {
		return
	}
	if _, ok := v.rs.Rates[m.Rates]; !ok {
		v.fault(p+".rates", "no rate deck %q is defined; give the one that the caller pays by", m.Rates)
	}
	if m.Percent < 0 || m.Percent > MaxMarginPercent {
		v.fault(p+".percent", "must be 0 to %d, is %d", MaxMarginPercent, m.Percent)
	}
}

// targetAt is a target of a rule. Its path is made when it has a fault.
type targetAt struct {
	tier  string // path, from the top of the rule
	t     *Tier
	index int
}

// targets is the path of the tier's targets: that of the tier, if it is written as
// their list.
func (v *validation) targets(at targetAt) string {
	mapped := !at.t.plain()
	if v.rs.lines != nil {
		mapped = v.rs.lines.Has(v.below(at.tier) + ".targets")
	}
	if mapped {
		return at.tier + ".targets"
	}
	return at.tier
}

// target is the path of a field of the target.
func (v *validation) target(at targetAt, field string) string {
	return fmt.Sprintf("%s[%d]%s", v.targets(at), at.index, field)
}

// checkTarget checks one target and reports whether its destination has rates.
func (v *validation) checkTarget(at targetAt, used map[string]targetAt) (rated bool) {
	t, g := at.t, at.t.Targets[at.index]
	d, ok := v.rs.Destinations[g.To]
	if !ok {
		v.fault(v.target(at, ".to"), "no destination %q is defined", g.To)
	}
	if first, dup := used[g.To]; dup {
		v.fault(v.target(at, ".to"), "%q stands in %s already; a destination is tried once", g.To, v.target(first, ""))
	}
	used[g.To] = at
	switch {
	case g.Weight < 0 || g.Weight > MaxWeight:
		v.fault(v.target(at, ".weight"), "must be 1 to %d, is %d", MaxWeight, g.Weight)
	case g.Weight != 0 && (t.Order == ByCost || t.Order == AsListed):
		v.fault(v.target(at, ".weight"), "has no effect with order: %s; leave it out", t.Order)
	}
	return d.Rates != "" || len(d.OriginRates) > 0 || !ok
}
