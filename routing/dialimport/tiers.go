package dialimport

import (
	"github.com/switchtape/switchtape/routing"
)

// tiersOf makes the tiers of a route. A gateway that comes again is left out,
// and reported with what is too much for a rule set.
func tiersOf(blocks []block, at place, report *Report) []routing.Tier {
	used := map[string]bool{}
	var tiers []routing.Tier
	for _, b := range blocks {
		var hops []hop
		for _, h := range b.hops {
			if used[h.dest] {
				report.approximate(at, "gateway "+h.dest, "it stands in the route again; it is tried once, where it stands first")
				continue
			}
			used[h.dest] = true
			hops = append(hops, h)
		}
		tiers = appendTiers(tiers, block{b.order, hops})
	}
	if len(tiers) > routing.MaxTiers {
		report.skip(at, "the end of the route", "a route has at most %d tiers, this would have %d; the last are left out", routing.MaxTiers, len(tiers))
		tiers = tiers[:routing.MaxTiers]
	}
	for i := range tiers {
		if t := &tiers[i]; len(t.Targets) == 1 { // there is nothing to order
			t.Order, t.Targets[0].Weight = "", 0
		} else if len(t.Targets) > routing.MaxTargets {
			report.skip(at, "the end of a tier", "a tier has at most %d gateways, this would have %d; the last are left out", routing.MaxTargets,
				len(t.Targets))
			t.Targets = t.Targets[:routing.MaxTargets]
		}
	}
	return tiers
}

// appendTiers adds a block. What is tried as listed is joined to a tier of that
// order before it, or cut to the size of a tier.
func appendTiers(tiers []routing.Tier, b block) []routing.Tier {
	if len(b.hops) == 0 {
		return tiers
	}
	if b.order != listed {
		t := routing.Tier{}
		if b.order == byQuality {
			t.Order = routing.ByQuality
		}
		most := 0
		for _, h := range b.hops {
			most = max(most, h.weight)
		}
		for _, h := range b.hops {
			t.Targets = append(t.Targets, routing.Target{To: h.dest, Weight: scaled(h.weight, most)})
		}
		return append(tiers, plainWeights(t))
	}
	for _, h := range b.hops {
		n := len(tiers)
		if n == 0 || tiers[n-1].Order != routing.AsListed || len(tiers[n-1].Targets) == routing.MaxTargets {
			tiers = append(tiers, routing.Tier{Order: routing.AsListed})
			n++
		}
		tiers[n-1].Targets = append(tiers[n-1].Targets, routing.Target{To: h.dest})
	}
	return tiers
}

// scaled brings a weight into the range of a rule set's, when the largest isn't.
func scaled(w, most int) int {
	if most <= routing.MaxWeight {
		return w
	}
	return max(1, int(int64(w)*routing.MaxWeight/int64(most)))
}

// plainWeights leaves weights out that are all the same.
func plainWeights(t routing.Tier) routing.Tier {
	for i := range t.Targets {
		if t.Targets[i].Weight != t.Targets[0].Weight {
			return t
		}
	}
	for i := range t.Targets {
		t.Targets[i].Weight = 0
	}
	return t
}
