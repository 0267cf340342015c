package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// maxListed is how many rules a set may have for Explain to list those too
// whose callee prefix doesn't match. In larger sets they are only counted.
const maxListed = 256

// Explanation is a decision and the reason for it.
type Explanation struct {
	// Decision equals that of Route, always. Without a route it has no rule
	// and no destinations.
	Decision callmodel.Decision `json:"decision"`
	// NoRoute is true when no rule matches.
	NoRoute bool `json:"no_route,omitempty"`
	// Considered lists the rules in the order they were weighed: the candidates
	// by rank, then those of which another callee is asked.
	Considered []Verdict `json:"considered"`
	// OtherCallees counts the rules that were not listed because their callee
	// doesn't match.
	OtherCallees int `json:"other_callees,omitempty"`
	// Destinations are those of the winning rule: in the order they are tried,
	// tier by tier, and in each tier those that were left out before the others.
	Destinations []DestinationVerdict `json:"destinations,omitempty"`
}

// Verdict is what became of one rule.
type Verdict struct {
	Rule   string `json:"rule"`
	Won    bool   `json:"won"`
	Reason string `json:"reason"` // why it won, or the first thing it lost by
}

// Explain decides as [Router.Route] does, and says of every rule considered
// why it won or lost.
func (r *Router) Explain(req *callmodel.CallRequest) Explanation { return r.ExplainLive(req, nil) }

// ExplainLive decides as [Router.RouteLive] does, and says why. live may be nil.
func (r *Router) ExplainLive(req *callmodel.CallRequest, live Live) Explanation {
	var x Explanation
	x.NoRoute = r.decide(req, live, &x.Decision, &x.Destinations) != nil
	win := r.match(req)
	var nodes [maxPrefixSymbols + 1]uint32
	n := r.trie.path(req.To, &nodes)
	var candidates []uint32
	for i := n - 1; i >= 0; i-- {
		candidates = append(candidates, r.trie.at(nodes[i])...)
	}
	if r.order == PriorityFirst {
		slices.SortStableFunc(candidates, func(a, b uint32) int { return int(r.rules[b].priority) - int(r.rules[a].priority) })
	}
	// A rule that names several callees was compiled once for each; people
	// wrote it once, so its best outcome is listed.
	listed := make(map[uint32]int, len(candidates))
	for _, ri := range candidates {
		at, again := listed[r.rules[ri].source]
		switch v := r.verdict(ri, win, req); {
		case !again:
			listed[r.rules[ri].source] = len(x.Considered)
			x.Considered = append(x.Considered, v)
		case v.Won:
			x.Considered[at] = v
		}
	}
	if !r.unlimited {
		x.OtherCallees = r.written - len(listed)
		return x
	}
	for i := range r.rules {
		one := &r.rules[i]
		if _, again := listed[one.source]; !again {
			listed[one.source] = len(x.Considered)
			x.Considered = append(x.Considered, Verdict{Rule: one.id, Reason: "it takes calls to " + r.callees(one.source) + ", not to " + req.To})
		}
	}
	return x
}

// callees describes every callee of a written rule.
func (r *Router) callees(source uint32) string {
	var m NumberMatch
	for i := range r.rules {
		if one := &r.rules[i]; one.source == source {
			if one.exact {
				m.Exact = append(m.Exact, one.to)
			} else {
				m.Prefix = append(m.Prefix, one.to)
			}
		}
	}
	m.Exact, m.Prefix = unique(m.Exact), unique(m.Prefix)
	return describeNumbers(&m)
}

func (r *Router) verdict(ri uint32, win int, req *callmodel.CallRequest) Verdict {
	x := &r.rules[ri]
	v := Verdict{Rule: x.id}
	switch why := r.lost(x, req); {
	case int(ri) == win:
		v.Won = true
		v.Reason = "every condition holds, and of the rules of which that is true it ranks first: callee " +
			describePrefix(x) + ", priority " + strconv.Itoa(int(x.priority))
	case why != lostNothing:
		v.Reason = r.describeLoss(why, x, req)
	default:
		v.Reason = r.outranked(x, &r.rules[win])
	}
	return v
}

func (r *Router) outranked(x, w *rule) string {
	prefix := fmt.Sprintf("callee %s is longer than %s", describePrefix(w), describePrefix(x))
	priority := fmt.Sprintf("priority %d is higher than %d", w.priority, x.priority)
	longer := len(w.to) > len(x.to) || len(w.to) == len(x.to) && w.exact && !x.exact
	why := "it asks for a longer caller prefix"
	switch {
	case r.order == PriorityFirst && w.priority > x.priority:
		why = priority
	case longer:
		why = prefix
	case w.priority > x.priority:
		why = priority
	}
	return "it matches, but rule " + w.id + " ranks before it: " + why
}

func (r *Router) describeLoss(why loss, x *rule, req *callmodel.CallRequest) string {
	switch why {
	case lostTo:
		return fmt.Sprintf("it takes calls to exactly %s, not to %s", x.to, req.To)
	case lostType:
		return fmt.Sprintf("the call's type is %s", req.Type)
	case lostDirection:
		return fmt.Sprintf("the call's direction is %q", req.Direction)
	case lostCallPriority:
		return fmt.Sprintf("the call's priority %d is not within %d to %d", req.Priority, x.prioMin, x.prioMax)
	case lostTenant:
		return fmt.Sprintf("it is for other tenants than %s", req.TenantID)
	case lostFrom:
		return fmt.Sprintf("the caller %s is not one of %s", req.From, describeNumbers(x.from))
	case lostWindow:
		w := &r.windows[x.window]
		return fmt.Sprintf("its time window is closed at %s", req.At.In(w.zone).Format("Mon 15:04 ")+w.zone.String())
	default:
		return "it matches"
	}
}

func describeNumbers(m *NumberMatch) string {
	list := slices.Clone(m.Exact)
	for _, p := range m.Prefix {
		list = append(list, p+"…")
	}
	const most = 3
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}
