package routing

import (
	"github.com/switchtape/switchtape/callmodel"
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
// [ErrNoRate] when the rule that wins requires a rate that no destination has.
// The destinations of the decision before are overwritten.
func (r *Router) RouteInto(req *callmodel.CallRequest, d *callmodel.Decision) error {
	return r.decide(req, nil, d, nil)
}

// decide is behind every way to ask; live and trace may be nil.
func (r *Router) decide(req *callmodel.CallRequest, live Live, d *callmodel.Decision, trace *[]DestinationVerdict) error {
	*d = callmodel.Decision{Source: callmodel.SourceRules, RuleSet: r.hash, Destinations: d.Destinations[:0], LeftOut: d.LeftOut[:0]}
	win := r.match(req)
	if win < 0 {
		return ErrNoRoute
	}
	x := &r.rules[win]
	return r.answer(x.id, &r.plans[x.plan], req, live, d, trace)
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
