package routing

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/internal/prefix"
)

// maxListed is the largest set of which Explain lists every rule, those for other
// callees included, and the most rules that it lists of a larger set.
const maxListed = 256

// Explanation is a decision and the reason for it.
type Explanation struct {
	// Decision equals that of Route, always. Without a route it has no rule
	// and no destinations.
	Decision calls.Decision `json:"decision"`
	// NoRoute is true when there is no destination to try.
	NoRoute bool `json:"no_route,omitempty"`
	// Err is the error of Route: nil, [ErrNoRoute], [ErrNoRate], [ErrNoMargin], [ErrNoCapacity], or
	// [ErrNoTime], with which nothing is considered.
	Err error `json:"-"`
	// Considered lists the candidates by rank, and then the rules for other callees.
	Considered []Verdict `json:"considered"`
	// OtherCallees counts the rules that are not listed: those for other callees,
	// and, where a callee has many rules, those for other tenants or callers.
	OtherCallees int `json:"other_callees,omitempty"`
	// Destinations are those of the winning rule, tier by tier: in each tier first
	// those that were left out, then the others in the order they are tried.
	Destinations []DestinationVerdict `json:"destinations,omitempty"`
}

// Verdict says what became of one rule.
type Verdict struct {
	Rule   string `json:"rule"`
	Won    bool   `json:"won"`
	Reason string `json:"reason"` // why it won, or the first reason why it lost
}

// candidate is a posting to which the call's number leads, with its node.
type candidate struct {
	posting uint32
	node    uint32
}

// Explain decides as [Router.Route] does and says why each rule won or lost.
func (r *Router) Explain(req *calls.Request) Explanation { return r.ExplainLive(req, nil) }

// ExplainLive decides as [Router.RouteLive] does, and says why. live may be nil.
func (r *Router) ExplainLive(req *calls.Request, live Live) Explanation {
	s := search{r: r, req: req}
	return s.explain(live)
}

// ExplainEmergency decides as [Router.RouteEmergency] does, and says why.
func (r *Router) ExplainEmergency(req *calls.Request) Explanation {
	s := search{r: r, req: req, forEmergency: true}
	return s.explain(nil)
}

func (s *search) explain(live Live) Explanation {
	var x Explanation
	r := s.r
	if s.lacksTime() && !s.forEmergency {
		return Explanation{Decision: s.undecided(&x.Decision), NoRoute: true, Err: ErrNoTime, Considered: []Verdict{}, OtherCallees: r.written}
	}
	s.run()
	x.Err = s.decide(live, &x.Decision, &x.Destinations)
	x.NoRoute = x.Err != nil
	list := s.candidates()
	// A rule that names several callees has a posting for each. People wrote it
	// once, so only its best outcome is listed.
	x.Considered = make([]Verdict, 0, min(len(list), maxListed))
	listed := make(map[uint32]int, min(len(list), maxListed))
	for _, c := range list {
		rule := r.index.postings[c.posting].rule
		at, again := listed[rule]
		won := s.best == int(c.posting)
		switch {
		case again && won:
			x.Considered[at] = s.verdict(c)
		case !again && (won || len(listed) < maxListed):
			listed[rule] = len(x.Considered)
			x.Considered = append(x.Considered, s.verdict(c))
		}
	}
	if r.listAll {
		s.others(&x, listed)
	}
	x.OtherCallees = r.written - len(x.Considered)
	return x
}

// candidates returns the postings of the nodes to which the number leads, by rank.
func (s *search) candidates() []candidate {
	r, x := s.r, &s.r.index
	var list []candidate
	add := func(node uint32) {
		start := len(list)
		list = s.ofNode(node, list)
		part := list[start:]
		slices.SortStableFunc(part, func(a, b candidate) int { return cmp.Compare(r.rankAt(b.posting), r.rankAt(a.posting)) })
	}
	if emergencyCall(s.req) {
		add(prefix.Emergency)
	}
	for node := x.Longest(prefix.KeyOf(s.req.To)); ; node = x.Parent(node) {
		add(node)
		if node == prefix.Root {
			break
		}
	}
	if r.order == PriorityFirst {
		slices.SortStableFunc(list, func(a, b candidate) int {
			return cmp.Compare(r.kindOf(b.posting).priority, r.kindOf(a.posting).priority)
		})
	}
	return list
}

func (r *Router) kindOf(posting uint32) *kind {
	return &r.kinds[r.index.postings[posting].kind&kindBits]
}

func (r *Router) rankAt(posting uint32) uint32 { return r.kindOf(posting).rank }

// ofNode appends the candidates of a node: all postings, or those of the runs that
// may hold if the node has many.
func (s *search) ofNode(node uint32, list []candidate) []candidate {
	x := &s.r.index
	first, end, runs := x.span(node)
	if !runs {
		for i := first; i < end; i++ {
			list = append(list, candidate{i, node})
		}
		return list
	}
	s.eachRun(x.postings[first], func(at uint32) {
		for i := at; ; i++ {
			list = append(list, candidate{i, node})
			if x.postings[i].kind&lastOfRun != 0 {
				return
			}
		}
	})
	return list
}

// others lists the rules that are no candidates, in the order they were written.
func (s *search) others(x *Explanation, listed map[uint32]int) {
	r := s.r
	if len(listed) == r.written {
		return
	}
	x.Considered = slices.Grow(x.Considered, r.written-len(listed))
	for _, w := range r.callees() {
		if _, again := listed[w.rule]; again {
			continue
		}
		reason := "it is for other tenants or callers"
		switch {
		case w.nodes == nil:
			reason = "it is not enabled"
		case !slices.ContainsFunc(w.nodes, s.reaches):
			reason = w.taken + s.req.To
		}
		x.Considered = append(x.Considered, Verdict{Rule: r.id(w.rule), Reason: reason})
	}
}

// ruleCallees are a rule's callees.
type ruleCallees struct {
	rule  uint32
	nodes []uint32 // nil for a rule that is not enabled
	taken string   // "it takes calls to …, not to "
}

// listCallees lists the callees of every rule, in the order they were written.
func (r *Router) listCallees() []ruleCallees {
	list := make([]ruleCallees, 0, r.written)
	callees, nodes := make(map[uint32]*written, r.written), make(map[uint32][]uint32, r.written)
	for node := range uint32(r.index.Nodes()) {
		first, end, runs := r.index.span(node)
		if runs {
			first++ // the header
		}
		for i := first; i < end; i++ {
			rule := r.index.postings[i].rule
			w := callees[rule]
			if w == nil {
				w = &written{}
				callees[rule] = w
			}
			if k := r.kindOf(i); node == prefix.Emergency {
				w.service = true
			} else {
				w.add(r.index.Text(node), k.exact)
			}
			nodes[rule] = append(nodes[rule], node)
		}
	}
	for rule := uint32(0); int(rule) < len(r.ids); rule += 1 + uint32(r.ids[rule]) {
		c := ruleCallees{rule: rule, nodes: slices.Compact(nodes[rule])}
		if w := callees[rule]; w != nil {
			c.taken = "it takes calls to " + w.String() + ", not to "
		}
		list = append(list, c)
	}
	return list
}

// reaches reports whether the call's number leads to the node.
func (s *search) reaches(node uint32) bool {
	if node == prefix.Emergency {
		return emergencyCall(s.req)
	}
	for at := s.r.index.Longest(prefix.KeyOf(s.req.To)); ; at = s.r.index.Parent(at) {
		if at == node {
			return true
		}
		if at == prefix.Root {
			return false
		}
	}
}

// written holds the callees of a rule as they were written.
type written struct {
	prefixes, exact []string
	service         bool
}

func (w *written) add(text string, exact bool) {
	list := &w.prefixes
	if exact {
		list = &w.exact
	}
	if !slices.Contains(*list, text) {
		*list = append(*list, text)
	}
}

func (w *written) String() string {
	slices.Sort(w.prefixes)
	slices.Sort(w.exact)
	text := describeNumbers(w.prefixes, w.exact)
	if w.service && text != "" {
		return "the emergency services, " + text
	}
	if w.service {
		return "the emergency services"
	}
	return text
}

// describeCallee names the callees of a node.
func (r *Router) describeCallee(node uint32, exact bool) string {
	switch text := r.index.Text(node); {
	case node == prefix.Emergency:
		return "the emergency services"
	case text == "":
		return "any number"
	case exact:
		return text
	default:
		return text + "…"
	}
}

// verdict says what became of the rule of a candidate.
func (s *search) verdict(c candidate) Verdict {
	r := s.r
	p, k := &r.index.postings[c.posting], r.kindOf(c.posting)
	v := Verdict{Rule: r.id(p.rule)}
	if s.best == int(c.posting) {
		v.Won = true
		v.Reason = "every condition holds, and it ranks first of the rules that match: callee " +
			r.describeCallee(c.node, k.exact) + ", priority " + strconv.Itoa(int(k.priority))
		return v
	}
	s.at = c.node
	if why := s.lost(p); why != lostNothing {
		v.Reason = s.describeLoss(why, c)
	} else if s.forEmergency && !s.isForEmergency(p) {
		v.Reason = "it matches, but is not for emergency calls, which have destinations of their own"
	} else {
		v.Reason = s.outranked(c)
	}
	return v
}

// outranked says why a matching candidate ranks behind the winner.
func (s *search) outranked(c candidate) string {
	r := s.r
	x, w := r.kindOf(c.posting), r.kindOf(uint32(s.best))
	longer := c.node != s.node || w.exact && !x.exact
	why := "it asks for a longer caller prefix"
	switch {
	case w.priority > x.priority && (r.order == PriorityFirst || !longer):
		why = "priority " + strconv.Itoa(int(w.priority)) + " is higher than " + strconv.Itoa(int(x.priority))
	case longer:
		why = "callee " + r.describeCallee(s.node, w.exact) + " is longer than " + r.describeCallee(c.node, x.exact)
		if s.node == prefix.Emergency {
			why = "the emergency services rank before every number"
		}
	}
	return "it matches, but rule " + r.id(r.index.postings[s.best].rule) + " ranks before it: " + why
}
