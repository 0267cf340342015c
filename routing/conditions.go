package routing

import (
	"math"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/predicate"
)

// kind is what a posting asks and how it ranks, callee and tenant aside. A million
// rules have a few kinds.
type kind struct {
	rank     uint32 // among the postings of one node; the highest wins
	from     uint32 // index in Router.callers plus one, 0 for any
	extra    uint32 // index in Router.extras plus one, 0 for none
	priority int16
	fromLen  uint8 // of the callers' prefixes, for the rank
	exact    bool  // the callee must be the prefix and no more
	rejects  bool  // it refuses calls, which emergency calls never are
	types    uint8 // bits; 0 for any
	dirs     uint8 // bits; 0 for any
	prioMin  uint8
	prioMax  uint8
}

// The bits of a rank, the highest first: exact, priority, caller. With
// priority-first the priority comes first.
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
	user     *userTerm
	callee   *userTerm
	pred     *predicate.Predicate
	not      *exclusions
}

// metadataTerm asks for one of the values. Without values it asks for the key to be
// there, or to be absent.
type metadataTerm struct {
	key    string
	values []string
	absent bool
}

// always and never are the bounds of a validity without bounds.
const (
	always = math.MinInt64
	never  = math.MaxInt64
)

// bound returns a bound of a validity in Unix nanoseconds, and without for none. An
// instant that is too far away for nanoseconds is no bound.
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

// nanos returns t in Unix nanoseconds, or a bound for what they can't count.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y < minNanoYear:
		return always
	case y > maxNanoYear:
		return never - 1
	}
	return t.UnixNano()
}

// loss names the first condition of a rule that doesn't hold.
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
	lostUsersOfEmergency
	lostRejectOfEmergency
	lostUser
	lostCallee
	lostValidity
	lostWindow
	lostNot
	lostExpr
	lostExprError
)

// search is the state of one decision.
type search struct {
	r          *Router
	req        *calls.Request
	tenant     uint32 // its number, 0 for a tenant that no rule names; see tenantNumber
	known      bool   // whether tenant is set
	best       int    // posting, -1 for none
	at         uint32 // the current node
	node       uint32 // the node of best
	rank       uint32 // of best
	callerKeys callerKeys
	// forEmergency leaves out the rules that are not for emergency calls.
	forEmergency bool
}

// tenantNumber returns the number of the call's tenant. It is looked up when a
// decision meets the first rule that is for some tenants only.
func (s *search) tenantNumber() uint32 {
	if !s.known {
		s.known, s.tenant = true, s.r.tenants[s.req.TenantID]
	}
	return s.tenant
}

// lost returns the first condition of a posting that doesn't hold, the cheapest
// first. Its callee prefix holds.
func (s *search) lost(p *posting) loss {
	k := &s.r.kinds[p.kind&kindBits]
	req := s.req
	switch {
	case p.tenant() != 0 && p.tenant() != s.tenantNumber():
		return lostTenant
	case k.exact && len(req.To) != s.r.index.Len(s.at):
		return lostTo
	case k.types != 0 && k.types&typeBit(req.Type) == 0:
		return lostType
	case k.dirs != 0 && k.dirs&directionBit(req.Direction) == 0:
		return lostDirection
	case req.Priority < int(k.prioMin) || req.Priority > int(k.prioMax):
		return lostCallPriority
	case k.rejects && (emergencyCall(req) || e164.Emergency("", req.To)):
		return lostRejectOfEmergency
	case k.from != 0 && !s.calledBy(&s.r.callers[k.from-1]):
		return lostFrom
	case k.extra != 0:
		return s.r.lostExtra(&s.r.extras[k.extra-1], req)
	}
	return lostNothing
}

// calledBy reports whether the call's caller is one of c.
func (s *search) calledBy(c *callers) bool {
	v := s.callerKeys.caller(s.req, c.length)
	return v != 0 && c.has(v)
}

// lostExtra returns the first of the rarer conditions that doesn't hold.
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
	if why := x.lostUsers(req); why != lostNothing {
		return why
	}
	if x.from != always || x.until != never {
		if at := nanos(req.At); req.At.IsZero() || at < x.from || at >= x.until {
			return lostValidity
		}
	}
	if x.window != nil && (req.At.IsZero() || !x.window.Open(req.At)) {
		return lostWindow
	}
	if x.not != nil && x.not.holds(r, req) != "" {
		return lostNot
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

// capable reports whether the offered capabilities are enough.
func (x *extra) capable(offered []string) bool {
	for _, c := range x.all {
		if !slices.Contains(offered, c) {
			return false
		}
	}
	return len(x.any) == 0 || slices.ContainsFunc(x.any, func(c string) bool { return slices.Contains(offered, c) })
}

// lostTerm returns the first term that doesn't hold, nil for none.
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
