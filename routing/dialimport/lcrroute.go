package dialimport

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// maxLCRRules bounds what an import may grow to: every prefix has a rule for
// each caller that a shorter one asks for.
const maxLCRRules = 2_000_000

// instance makes the rules of an lcr instance: one for every prefix, and for
// every caller that a rule of it or of a shorter prefix asks for.
func (l *lcr) instance(id string, rules []*lcrRule) {
	at := map[string][]*lcrRule{} // by prefix
	for _, r := range rules {
		for _, p := range r.prefixes {
			at[p] = append(at[p], r)
		}
	}
	prefixes := slices.Sorted(maps.Keys(at))
	for _, p := range prefixes {
		chain := chainOf(at, p)
		for _, from := range callersOf(chain) {
			if len(l.rs.Rules) >= maxLCRRules {
				l.report.skip(at[p][0].at, "prefix "+p, "the rules would be more than %d", maxLCRRules)
				return
			}
			l.route(id, p, from, chain)
		}
	}
}

// chainOf returns the rules of a prefix and of its shorter prefixes, the longest
// first. A short code is not in the chain of an international prefix.
func chainOf(at map[string][]*lcrRule, prefix string) [][]*lcrRule {
	var chain [][]*lcrRule
	for n := len(prefix); n >= 0; n-- {
		if rules := at[prefix[:n]]; len(rules) > 0 {
			chain = append(chain, rules)
		}
	}
	return chain
}

// callersOf returns the callers that a chain tells apart, with none among them.
func callersOf(chain [][]*lcrRule) []caller {
	list := []caller{{}}
	seen := map[string]bool{"": true}
	for _, rules := range chain {
		for _, r := range rules {
			if t := r.from.text(); !seen[t] {
				seen[t] = true
				list = append(list, r.from)
			}
		}
	}
	slices.SortFunc(list, func(a, b caller) int { return cmp.Compare(a.text(), b.text()) })
	return list
}

// route makes the rule of a prefix and a caller.
func (l *lcr) route(instance, prefix string, from caller, chain [][]*lcrRule) {
	var steps [][]lcrTarget
	own := chain[0][0].at
	stop := false
	for _, rules := range chain {
		var targets []lcrTarget
		for _, r := range rules {
			if r.from.holds(from) {
				targets = append(targets, r.targets...)
				stop = stop || r.stopper
			}
		}
		steps = append(steps, targets)
		if stop {
			break
		}
	}
	if l.o.PriorityOrdering {
		steps = [][]lcrTarget{slices.Concat(steps...)}
	}
	var blocks []block
	for _, targets := range steps {
		blocks = append(blocks, l.blocks(targets, own)...)
	}
	route := tiersOf(dropRepeated(blocks), own, l.report)
	if len(route) == 0 {
		if stop && prefix != "" {
			l.report.skip(own, "the stopper", "it has no gateway in use, and what then becomes of a call is the script's to say: here it goes by shorter prefixes; a rule with reject ends it")
		}
		return
	}
	rule := routing.Rule{ID: uniqueID(l.named, l.ruleID(instance, prefix, from)), Default: prefix == "", Route: route}
	if prefix != "" {
		rule.Match.To.Prefix = []string{prefix}
	}
	switch {
	case from.whole:
		rule.Match.From.Exact = from.prefixes
	case len(from.prefixes) > 0:
		rule.Match.From.Prefix = from.prefixes
	}
	l.condition(&rule.Match, instance)
	l.rs.Rules = append(l.rs.Rules, rule)
}

func (l *lcr) ruleID(instance, prefix string, from caller) string {
	id := "lcr-" + validName(instance) + "-" + cmp.Or(strings.ReplaceAll(prefix, "+", "e"), "all")
	if len(from.prefixes) > 0 {
		id += "-from-" + strings.ReplaceAll(from.prefixes[0], "+", "e")
	}
	if from.whole {
		id += "-exactly"
	}
	return id
}

func (l *lcr) condition(m *routing.Match, instance string) {
	if t, ok := l.o.Groups[instance]; ok {
		m.Tenant = []callmodel.TenantID{t}
		return
	}
	if len(l.instances) > 1 {
		m.Metadata = map[string][]string{lcrKey: {instance}}
	}
	if l.o.Tenant != "" {
		m.Tenant = []callmodel.TenantID{l.o.Tenant}
	}
}

// blocks orders targets of one length of prefix: by priority, 0 first, and
// within it by weight.
func (l *lcr) blocks(targets []lcrTarget, at place) []block {
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b lcrTarget) int { return cmp.Compare(a.priority, b.priority) })
	var out []block
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].priority == sorted[0].priority {
			n++
		}
		weights := make([]int, n)
		for i := range weights {
			weights[i] = sorted[i].weight
		}
		hops := joinHops(sorted[:n], fairWeights(weights))
		if len(hops) > 2 && (slices.Min(weights) != slices.Max(weights) || repeated(sorted[:n])) {
			l.sayNext(at, sorted[:n], hops)
		}
		out = append(out, block{weighted, hops})
		sorted = sorted[n:]
	}
	return out
}

func repeated(targets []lcrTarget) bool {
	for i := range targets {
		for j := range i {
			if targets[i].dest == targets[j].dest {
				return true
			}
		}
	}
	return false
}

// joinHops makes one hop of each gateway. One that several rules name is drawn
// once for each, so that its odds are their sum.
func joinHops(targets []lcrTarget, odds []int) []hop {
	var hops []hop
	for i, t := range targets {
		at := slices.IndexFunc(hops, func(h hop) bool { return h.dest == t.dest })
		if at < 0 {
			at = len(hops)
			hops = append(hops, hop{dest: t.dest})
		}
		hops[at].weight += odds[i]
	}
	return hops
}

// dropRepeated leaves out gateways that an earlier tier has: the source too
// tries each once, where it stands first.
func dropRepeated(blocks []block) []block {
	used := map[string]bool{}
	out := blocks[:0]
	for _, b := range blocks {
		hops := b.hops[:0:0]
		for _, h := range b.hops {
			if !used[h.dest] {
				used[h.dest] = true
				hops = append(hops, h)
			}
		}
		if len(hops) > 0 {
			out = append(out, block{b.order, hops})
		}
	}
	return out
}

// fairWeights returns the weights of a draw in proportion, that tries each first as
// often as the source does: there, the largest product of a weight and a
// uniform random number goes first. The odds are the integrals over x of the
// density 1/w of one's product times the probability min(1, x/v) of each other
// weight v that its product is less, exact piece by piece.
func fairWeights(weights []int) []int {
	first, same := weights[0], true
	for _, w := range weights {
		same = same && w == first
	}
	out := make([]int, len(weights))
	for i := range out {
		out[i] = 1
	}
	if same {
		return out
	}
	sorted := slices.Clone(weights)
	slices.Sort(sorted)
	for i, w := range weights {
		out[i] = max(1, int(math.Round(firstOdds(sorted, w)*routing.MaxWeight)))
	}
	return out
}

// firstOdds returns the probability that one of weight w comes first among sorted,
// which holds it.
func firstOdds(sorted []int, w int) float64 {
	odds, from := 0.0, 0.0
	for k := 0; k < len(sorted) && from < float64(w); k++ {
		// Up to sorted[k] the products of all from k on are less than x with
		// probability x/v, those before k surely. The one's own x/w is its density
		// 1/w instead, so that the integral is the product of all, divided by how
		// many they are.
		to := float64(min(sorted[k], w))
		high, low := 1.0, 1.0
		for _, v := range sorted[k:] {
			high, low = high*to/float64(v), low*from/float64(v)
		}
		odds += (high - low) / float64(len(sorted)-k)
		from = to
	}
	return odds
}
