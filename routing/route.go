package routing

import (
	"math"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
)

// ErrNoRoute is returned when no rule matches. Its code is callmodel.CodeNoRoute.
var ErrNoRoute error = &callmodel.Error{Code: callmodel.CodeNoRoute, Message: "no rule matches the call; ask for the explanation, or add a default rule"}

// Hash is the version of the rule set that the router was compiled from.
func (r *Router) Hash() string { return r.hash }

// Route decides where the call goes: the winning rule and its destinations in
// the order to try them. [ErrNoRoute] when no rule matches.
func (r *Router) Route(req *callmodel.CallRequest) (callmodel.Decision, error) {
	var d callmodel.Decision
	err := r.RouteInto(req, &d)
	return d, err
}

// RouteInto is Route into a Decision that the caller keeps for reuse: once its
// Destinations have grown to the longest route, deciding allocates nothing,
// unless a destination prepends digits, which makes the number it is given.
// The destinations of the decision before are overwritten.
func (r *Router) RouteInto(req *callmodel.CallRequest, d *callmodel.Decision) error {
	*d = callmodel.Decision{Source: callmodel.SourceRules, RuleSet: r.hash, Destinations: d.Destinations[:0]}
	win := r.match(req)
	if win < 0 {
		return ErrNoRoute
	}
	d.Rule = r.rules[win].id
	r.choose(&r.plans[r.rules[win].plan], req, d)
	return nil
}

// match is the index of the rule that wins, or -1.
func (r *Router) match(req *callmodel.CallRequest) int {
	var nodes [maxPrefixSymbols + 1]uint32
	n := r.trie.path(req.To, &nodes)
	best := -1
	for i := n - 1; i >= 0; i-- {
		for _, ri := range r.trie.at(nodes[i]) {
			x := &r.rules[ri]
			if r.order == PriorityFirst && best >= 0 && x.priority <= r.rules[best].priority {
				break // a longer prefix of at least this priority has won already
			}
			if r.lost(x, req) == lostNothing {
				best = int(ri)
				break
			}
		}
		if best >= 0 && r.order != PriorityFirst {
			return best
		}
	}
	return best
}

// loss is the first condition of a rule that doesn't hold.
type loss uint8

const (
	lostNothing loss = iota
	lostTo
	lostType
	lostDirection
	lostCallPriority
	lostTenant
	lostFrom
	lostWindow
)

// lost checks the conditions of a rule whose callee prefix holds, cheapest first.
func (r *Router) lost(x *rule, req *callmodel.CallRequest) loss {
	switch {
	case x.exact && len(req.To) != len(x.to):
		return lostTo
	case x.types != 0 && x.types&typeBit(req.Type) == 0:
		return lostType
	case x.dirs != 0 && x.dirs&directionBit(req.Direction) == 0:
		return lostDirection
	case req.Priority < int(x.prioMin) || req.Priority > int(x.prioMax):
		return lostCallPriority
	case len(x.tenants) > 0 && !containsTenant(x.tenants, req.TenantID):
		return lostTenant
	case x.from != nil && !x.from.holds(req.From):
		return lostFrom
	case x.window >= 0 && !r.windows[x.window].contains(req.At):
		return lostWindow
	}
	return lostNothing
}

func containsTenant(list []callmodel.TenantID, t callmodel.TenantID) bool {
	return slices.Contains(list, t)
}

// choose appends the plan's destinations in the order to try them: tier by
// tier, within a tier by weighted rendezvous hashing. A target's score is
// -ln(u)/w with u drawn from the call's and the target's hash; the lowest goes
// first, which it does with probability w ÷ the tier's sum of weights
// (Thaler & Ravishankar 1998, with Efraimidis & Spirakis' 2006 exponential keys).
func (r *Router) choose(p *plan, req *callmodel.CallRequest, d *callmodel.Decision) {
	call := hashString(string(req.CallID))
	start := 0
	var scores [MaxTargets]float64
	for _, end := range p.tierEnd {
		tier := p.targets[start:end]
		first := len(d.Destinations)
		for i, t := range tier {
			dest := &r.dests[t.dest]
			score := 0.0
			if len(tier) > 1 {
				score = -math.Log(unit(mix(call^dest.idHash))) / float64(t.weight)
			}
			// Insertion keeps the few targets of a tier sorted without
			// allocating.
			d.Destinations = append(d.Destinations, callmodel.Destination{})
			j := i
			for ; j > 0 && scores[j-1] > score; j-- {
				scores[j] = scores[j-1]
				d.Destinations[first+j] = d.Destinations[first+j-1]
			}
			scores[j] = score
			d.Destinations[first+j] = callmodel.Destination{ID: dest.id, URI: dest.uri, Number: dest.rewrite(req.To)}
		}
		start = end
	}
}

// rewrite is the callee's number in the form that the destination wants.
func (d *destination) rewrite(number string) string {
	if d.strip == 0 && d.prep == "" || !e164.Digits(strings.TrimPrefix(number, "+")) {
		return number
	}
	digits := strings.TrimPrefix(number, "+")
	digits = digits[min(d.strip, len(digits)):]
	if d.prep == "" {
		return digits
	}
	return d.prep + digits
}

// hashString is FNV-1a, 64 bit.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over the whole word: the finaliser of SplitMix64
// (Steele, Lea & Flood 2014), without which call ids that count up would give
// scores that do too.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a hash to (0, 1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
