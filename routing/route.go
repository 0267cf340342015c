package routing

import (
	"math"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/internal/prefix"
)

// ErrNoRoute is returned when no rule matches. Its code is callmodel.CodeNoRoute.
var ErrNoRoute error = &callmodel.Error{Code: callmodel.CodeNoRoute, Message: "no rule matches the call; ask for the explanation, or add a default rule"}

// ErrNoTime is returned for a call whose At is zero. A router reads no clock, and
// without a time it can't tell which rules and rates hold. Its code is
// callmodel.CodeInvalid, and it wraps callmodel.FieldErrors at the path "at".
// Emergency calls never get it: see the package comment.
var ErrNoTime error = &callmodel.Error{Code: callmodel.CodeInvalid, Message: errNoTime.Error(), Err: errNoTime}

var errNoTime = callmodel.FieldErrors{{Path: "at", Message: "is missing; give the time of the call, by which rules and rates hold"}}

// Hash returns the hash of the rule set from which the router was compiled.
func (r *Router) Hash() string { return r.hash }

// ExprErrors returns how often a match.expr has failed for a call since the router
// was compiled, explanations included. The rule of a failed expr loses.
func (r *Router) ExprErrors() uint64 { return r.exprErrors.Load() }

// Route decides where the call goes: the winning rule and its destinations in
// the order to try them. It returns [ErrNoRoute] when no rule matches, and
// [ErrNoTime] when the call has no At and is no emergency call.
func (r *Router) Route(req *calls.Request) (calls.Decision, error) {
	var d calls.Decision
	err := r.RouteInto(req, &d)
	return d, err
}

// RouteInto is Route into a Decision that the caller reuses. It overwrites the
// decision and its destinations. Once those have grown to the longest route,
// deciding allocates nothing, unless a destination prepends digits or a rule has an
// expr. It returns [ErrNoRate] when the winning rule requires a rate and no
// destination has one.
func (r *Router) RouteInto(req *calls.Request, d *calls.Decision) error {
	return r.decide(req, nil, d, nil)
}

// RouteEmergency is Route by those rules alone that are for emergency calls: see the
// package comment. It returns [ErrNoRoute] if none of them takes the call.
func (r *Router) RouteEmergency(req *calls.Request) (calls.Decision, error) {
	var d calls.Decision
	s := search{r: r, req: req, forEmergency: true}
	s.run()
	err := s.decide(nil, &d, nil)
	return d, err
}

// isForEmergency reports whether the posting, at the node at hand, is of a rule for
// emergency calls.
func (s *search) isForEmergency(p *posting) bool {
	return s.at == prefix.Emergency || s.r.kinds[p.kind&kindBits].types == typeBit(calls.TypeEmergency) ||
		strings.HasPrefix(s.req.To, "+") || s.at >= prefix.FirstNode && s.r.index.Len(s.at) == len(s.req.To)
}

// run finds the winning posting.
func (s *search) run() {
	s.best = -1
	x := &s.r.index
	if !x.none(prefix.Emergency) && emergencyCall(s.req) {
		if s.visit(prefix.Emergency) {
			return
		}
	}
	for node := x.Longest(prefix.KeyOf(s.req.To)); ; node = x.Parent(node) {
		if s.visit(node) || node == prefix.Root {
			return
		}
	}
}

// visit compares the postings of a node. It reports whether the search is over,
// since no shorter prefix can win.
func (s *search) visit(node uint32) bool {
	x := &s.r.index
	first, end, runs := x.span(node)
	s.at = node
	if runs {
		s.runs(x.postings[first])
	} else {
		s.weigh(first, end)
	}
	return s.best >= 0 && s.r.order != PriorityFirst
}

// runs compares the runs that may hold for the call. Two runs may have the same
// print, so the conditions are checked as well.
func (s *search) runs(head posting) {
	s.eachRun(head, func(first uint32) { s.weigh(first, math.MaxUint32) })
}

// weigh takes the first posting that matches, up to the end or the end of their
// run, if it ranks before the best so far. The postings are in rank order.
func (s *search) weigh(first, end uint32) {
	r := s.r
	for i := first; i < end; i++ {
		p := &r.index.postings[i]
		rank := r.kinds[p.kind&kindBits].rank
		if s.best >= 0 && !s.outranks(rank) {
			return
		}
		if s.lost(p) == lostNothing && (!s.forEmergency || s.isForEmergency(p)) {
			s.best, s.rank, s.node = int(i), rank, s.at
			return
		}
		if p.kind&lastOfRun != 0 {
			return
		}
	}
}

// outranks reports whether a posting of this node ranks before the best. With
// priority-first the best may stand at a node with a longer prefix; then it wins at
// the same priority.
func (s *search) outranks(rank uint32) bool {
	if s.node != s.at {
		return rank>>(fromBits+1) > s.rank>>(fromBits+1)
	}
	return rank > s.rank
}

// LongestPrefix returns the length in bytes of the longest callee prefix or number
// of the set that the number starts with. It returns false if only rules for every
// callee take the number. It doesn't ask whether the rules hold for any call.
func (r *Router) LongestPrefix(number string) (length int, ok bool) {
	key, plus := prefix.KeyOf(number)
	if n := r.index.LongestLen(key, plus); n > 0 {
		return n, true
	}
	if plus && !r.index.none(prefix.Plus) {
		return 1, true
	}
	return 0, false
}

// Stats says how large a router is.
type Stats struct {
	Rules      int // as they were written
	Callees    int // different prefixes and numbers
	IndexBytes int // of the index alone, which leads from a number and a tenant to rules
}

// Stats returns the router's size.
func (r *Router) Stats() Stats {
	return Stats{Rules: r.written, Callees: r.index.Nodes() - prefix.FirstNode, IndexBytes: r.index.bytes()}
}
