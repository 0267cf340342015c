package lint

import (
	"fmt"
	"strconv"

	"github.com/switchtape/switchtape/routing"
)

// maxRated bounds the callees of one rule for which rates are looked up.
const maxRated = 1000

// routes checks each different tier once. Rates depend on the rule's callees, so they
// are checked for each rule.
func (l *linter) routes(x *index) {
	seen := map[string]bool{}
	decks := map[string]*deck{}
	var key []byte
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		if l.dead[i] {
			continue
		}
		for j := range r.Route {
			t := &r.Route[j]
			if t.Order == routing.ByCost {
				l.rated(x, i, j, decks)
				continue
			}
			if t.Order == routing.AsListed || len(t.Targets) < 2 {
				continue
			}
			key = key[:0]
			for _, g := range t.Targets {
				key = append(strconv.AppendInt(append(append(key, g.To...), ':'), int64(g.Weight), 10), ' ')
			}
			if !seen[string(key)] {
				seen[string(key)] = true
				l.weights(i, j)
			}
		}
	}
}

// rated reports targets of a tier by cost that have no rate for a callee of the rule.
func (l *linter) rated(x *index, rule, tier int, decks map[string]*deck) {
	r := &l.rs.Rules[rule]
	t := &r.Route[tier]
	for _, g := range t.Targets {
		spec := l.rs.Destinations[g.To]
		name := spec.Rates
		if name == "" && len(spec.OriginRates) > 0 {
			continue // only some callers have a rate, and which call isn't known
		}
		d := decks[name]
		if d == nil {
			d = l.deck(name)
			decks[name] = d
		}
		missing, n, looked := "", 0, 0
		if name == "" {
			missing, n = "any number", 1
		} else {
			x.eachNumber(&r.Match.To, func(number string, _ bool) {
				if looked++; looked <= maxRated && !d.has(code(number)) {
					if n++; n == 1 {
						missing = number
					}
				}
			})
		}
		if n == 0 {
			continue
		}
		what := "it always comes last"
		if t.RequireRate {
			what = "it is always left out"
		}
		if n > 1 {
			missing += fmt.Sprintf(" and %d more of its callees", n-1)
		}
		l.aboutRule(NoRate, rule, "add the rates, or take the destination out of the tier",
			"tier %d is ordered by cost, and destination %s has no rate for %s: there %s", tier+1, g.To, missing, what)
	}
}

// tinyShare is the share of a tier's calls below which a target is reported.
const tinyShare = 0.001

// weights reports targets whose share of the tier's calls is tiny, or more than their
// limits allow.
func (l *linter) weights(rule, tier int) {
	t := &l.rs.Rules[rule].Route[tier]
	sum := 0.0
	for _, g := range t.Targets {
		sum += float64(max(g.Weight, 1))
	}
	for _, g := range t.Targets {
		share := float64(max(g.Weight, 1)) / sum
		if share < tinyShare {
			l.aboutRule(TinyShare, rule, "leave it out, or put it into the next tier",
				"destination %s of tier %d gets %.3g %% of its calls, one in %.0f", g.To, tier+1, share*100, 1/share)
		}
		l.limited(rule, tier, g.To, share, "calls a second", func(m *routing.Limits) int { return m.CPS })
		l.limited(rule, tier, g.To, share, "calls at once", func(m *routing.Limits) int { return m.Concurrent })
	}
}

// limited reports a target that is full before the tier carries half of what it can.
// From then on its calls go to others, and the weights don't hold.
func (l *linter) limited(rule, tier int, id string, share float64, unit string, of func(*routing.Limits) int) {
	limit := l.limit(id, of)
	if limit == 0 {
		return
	}
	capacity, unlimited := 0, false
	for _, g := range l.rs.Rules[rule].Route[tier].Targets {
		m := l.limit(g.To, of)
		capacity += m
		unlimited = unlimited || m == 0
	}
	full := float64(limit) / share // calls of the tier at which it is full
	if unlimited && share < 0.5 || !unlimited && full >= float64(capacity)/2 {
		return
	}
	rest := fmt.Sprintf("the tier could take %d", capacity)
	if unlimited {
		rest = "others of the tier take any number"
	}
	l.aboutRule(WeightLimit, rule, "give it a weight that fits its limit, or a higher limit",
		"destination %s of tier %d is to get %.3g %% of the calls, and takes %d %s: from %.3g %s on the weights are not met, while %s",
		id, tier+1, share*100, limit, unit, full, unit, rest)
}

func (l *linter) limit(id string, of func(*routing.Limits) int) int {
	if m := l.rs.Destinations[id].Limits; m != nil {
		return of(m)
	}
	return 0
}
