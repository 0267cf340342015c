package routing

import (
	"math"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/predicate"
)

// kind is what postings ask and how they rank, but for the callee and the
// tenant. A million rules have a few kinds.
type kind struct {
	rank     uint32 // among the postings of one node; the highest wins
	from     uint32 // index in Router.callers plus one, 0 for any
	extra    uint32 // index in Router.extras plus one, 0 for none
	priority int16
	fromLen  uint8 // of the callers' prefixes, for the rank
	exact    bool  // the callee must be the prefix and no more
	types    uint8 // bits; 0 for any
	dirs     uint8 // bits; 0 for any
	prioMin  uint8
	prioMax  uint8
}

// The rank in bits, the highest first: exact, priority, caller; with
// priority-first, the priority stands before the rest.
const (
	fromBits     = 5
	priorityBits = 11
)

func (k *kind) setRank(o Order) {
	exact, priority := uint32(0), uint32(int(k.priority)+MaxRulePriority)
	if k.exact {
		exact = 1
	}
	if o == PriorityFirst {
		k.rank = priority<<(fromBits+1) | exact<<fromBits | uint32(k.fromLen)
		return
	}
	k.rank = exact<<(priorityBits+fromBits) | priority<<fromBits | uint32(k.fromLen)
}

// extra is the conditions that few rules have.
type extra struct {
	tenants  map[callmodel.TenantID]bool // of rules for many tenants; nil for any
	trunks   []string
	metadata []metadataTerm
	any, all []string // capabilities
	from     int64    // Unix nanoseconds
	until    int64
	window   *calendar.Window // nil for always
	pred     *predicate.Predicate
}

// metadataTerm asks for one of the values, or, without any, for the key to be
// there or not.
type metadataTerm struct {
	key    string
	values []string
	absent bool
}

// always and never bound the validity of rules that are not bounded.
const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// bound is an instant that a validity is bounded by, in nanoseconds. What they
// can't count is so far away that it is no bound.
func bound(s string, without int64) int64 {
	t, err := instant(s)
	if s == "" || err != nil {
		return without
	}
	if y := t.Year(); y < minNanoYear || y > maxNanoYear {
		if y < minNanoYear {
			return always
		}
		return never
	}
	return t.UnixNano()
}

const (
	minNanoYear = 1678
	maxNanoYear = 2261
)

func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < minNanoYear:
		return always
	case y > maxNanoYear:
		return never - 1
	}
	return t.UnixNano()
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
	lostTrunk
	lostCapability
	lostMetadata
	lostValidity
	lostWindow
	lostExpr
	lostExprError
)

// search is one decision on its way.
type search struct {
	r      *Router
	req    *calls.Request
	tenant uint32 // interned, 0 for one that no rule names; see who
	known  bool   // tenant is
	best   int    // posting, -1 for none
	at     uint32 // the node at hand
	node   uint32 // where best stands
	rank   uint32 // of best
	probe  probe
}

// who is the call's tenant as rules know it, looked up when the first is met
// that is for some tenants only.
func (s *search) who() uint32 {
	if !s.known {
		s.known, s.tenant = true, s.r.tenants[s.req.TenantID]
	}
	return s.tenant
}

// lost checks the conditions of a posting whose callee prefix holds, cheapest first.
func (s *search) lost(p *posting) loss {
	k := &s.r.kinds[p.kind&kindBits]
	req := s.req
	switch {
	case p.tenant() != 0 && p.tenant() != s.who():
		return lostTenant
	case k.exact && len(req.To) != s.r.index.Len(s.at):
		return lostTo
	case k.types != 0 && k.types&typeBit(req.Type) == 0:
		return lostType
	case k.dirs != 0 && k.dirs&directionBit(req.Direction) == 0:
		return lostDirection
	case req.Priority < int(k.prioMin) || req.Priority > int(k.prioMax):
		return lostCallPriority
	case k.from != 0 && !s.calledBy(&s.r.callers[k.from-1]):
		return lostFrom
	case k.extra != 0:
		return s.r.lostExtra(&s.r.extras[k.extra-1], req)
	}
	return lostNothing
}

func (s *search) calledBy(c *callers) bool {
	v := s.probe.caller(s.req.From, c.length)
	return v != 0 && c.has(v)
}

func (r *Router) lostExtra(x *extra, req *calls.Request) loss {
	switch {
	case x.tenants != nil && !x.tenants[req.TenantID]:
		return lostTenant
	case len(x.trunks) > 0 && !slices.Contains(x.trunks, req.Trunk):
		return lostTrunk
	case !x.capable(req.Capabilities):
		return lostCapability
	case len(x.metadata) > 0 && x.lostTerm(req.Metadata) != nil:
		return lostMetadata
	}
	if x.from != always || x.until != never {
		if at := nanos(req.At); req.At.IsZero() || at < x.from || at >= x.until {
			return lostValidity
		}
	}
	if x.window != nil && (req.At.IsZero() || !x.window.Open(req.At)) {
		return lostWindow
	}
	if x.pred != nil {
		holds, err := x.pred.Holds(req)
		if err != nil {
			r.exprErrors.Add(1)
			return lostExprError
		}
		if !holds {
			return lostExpr
		}
	}
	return lostNothing
}

func (x *extra) capable(offered []string) bool {
	for _, c := range x.all {
		if !slices.Contains(offered, c) {
			return false
		}
	}
	return len(x.any) == 0 || slices.ContainsFunc(x.any, func(c string) bool { return slices.Contains(offered, c) })
}

// lostTerm is the first term that doesn't hold, nil for none.
func (x *extra) lostTerm(m map[string]string) *metadataTerm {
	for i := range x.metadata {
		t := &x.metadata[i]
		value, ok := m[t.key]
		if ok == t.absent || t.values != nil && !slices.Contains(t.values, value) {
			return t
		}
	}
	return nil
}
