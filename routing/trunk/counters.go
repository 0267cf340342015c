package trunk

import (
	"fmt"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// share is this process among those that decide. An index below 0 isn't known.
type share struct{ index, of int }

// noPlace is the part of a limit that leaves no call to this process.
const noPlace = -1

// part is this process's part of a limit of what the name says, 0 for no limit. Where the
// limit can't be divided some processes have one more each, or one where it is less than
// their number: which ones the name says, the same in all, so that none has those of all
// limits. Without an index the part is at least 1.
func (s share) part(limit int, name string) int32 {
	if limit == 0 {
		return 0
	}
	part, rest := limit/s.of, limit%s.of
	switch {
	case s.index < 0:
		part = max(part, 1)
	case (s.index+int(turn(name)%uint32(s.of)))%s.of < rest:
		part++
	case part == 0:
		part = noPlace
	}
	return int32(part)
}

// turn is a number by the name: FNV-1a, of 32 bits.
func turn(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// allot sets the process's part of the limits of what the name says.
func (l *limit) allot(all routing.Limits, s share, name string) {
	l.concurrent.Store(s.part(all.Concurrent, name))
	l.cps.Store(s.part(all.CPS, name))
}

// none reports whether this process has no part of a limit, as others do.
func (l *limit) none() bool { return l.concurrent.Load() == noPlace || l.cps.Load() == noPlace }

// Share says that this process is number index, from 0, of so many that decide. From now on
// it enforces its part of all limits. Of a limit that is less than their number some have
// one call and the others none: these refuse what others have room for. An index below 0
// isn't known: what can't be divided is left over then, and each takes one call at least,
// which may be more than the limit says. Calls that are over a part that has become smaller
// go on.
func (g *Group) Share(index, of int) {
	g.configuring.Lock()
	defer g.configuring.Unlock()
	now := share{index, max(of, 1)}
	if g.share == now {
		return
	}
	g.share = now
	for _, d := range *g.dests.Load() {
		d.mu.Lock()
		d.limit.allot(d.limits, now, d.id)
		d.mu.Unlock()
	}
	g.allotCounters()
}

// Limit sets the limits of tenants, inbound trunks and rules to those of a rule set. Calls
// that are counted stay so.
func (g *Group) Limit(limits routing.AllLimits) {
	g.configuring.Lock()
	defer g.configuring.Unlock()
	g.counting.Lock()
	g.limits = limits
	g.counting.Unlock()
	g.allotCounters()
}

// allotCounters sets the parts of all that is counted, and forgets what has neither
// limits nor calls any more. It is called with configuring held.
func (g *Group) allotCounters() {
	g.counting.Lock()
	defer g.counting.Unlock()
	for k, c := range g.counters {
		limits, limited := g.limitsOf(k)
		c.mu.Lock()
		c.limit.allot(limits, g.share, k.name)
		idle := c.limit.calls.Load() == 0
		c.mu.Unlock()
		if !limited && idle {
			delete(g.counters, k)
		}
	}
	g.shared = g.share
}

// counterKey names what calls are counted of.
type counterKey struct {
	of   counted
	name string
}

type counted uint8

const (
	ofTenant counted = iota
	ofTrunk
	ofRule
	countedKinds
)

// counter counts the calls of a tenant, an inbound trunk or a rule.
type counter struct {
	mu    sync.Mutex
	limit limit
}

// limitsOf is called with counting held.
func (g *Group) limitsOf(k counterKey) (routing.Limits, bool) {
	var table map[string]routing.Limits
	switch k.of {
	case ofTenant:
		table = g.limits.Tenants
	case ofTrunk:
		table = g.limits.Trunks
	case ofRule:
		l, ok := g.limits.Rules[k.name]
		return l, ok
	case countedKinds:
	}
	l, ok := table[k.name]
	if !ok && k.name != "" {
		l, ok = table[routing.AnyOther]
	}
	return l, ok
}

// counter is that of the key, nil if it has no limits.
func (g *Group) counter(k counterKey) *counter {
	g.counting.RLock()
	c := g.counters[k]
	_, limited := g.limitsOf(k)
	g.counting.RUnlock()
	if c != nil || !limited {
		return c
	}
	g.counting.Lock()
	defer g.counting.Unlock()
	if c = g.counters[k]; c == nil {
		limits, _ := g.limitsOf(k)
		c = &counter{}
		c.limit.allot(limits, g.shared, k.name)
		g.counters[k] = c
	}
	return c
}

// entered is where a call is counted besides its destination; nil where it isn't.
type entered struct {
	by   [countedKinds]*counter
	when int64 // 0 if it is counted nowhere
}

// leave counts the call no more.
func (e *entered) leave() {
	for _, c := range e.by {
		if c != nil {
			c.mu.Lock()
			c.limit.calls.Add(-1)
			c.mu.Unlock()
		}
	}
	*e = entered{}
}

// undo takes the call away as if it had never begun.
func (e *entered) undo() {
	for _, c := range e.by {
		if c != nil {
			c.mu.Lock()
			c.limit.remove(e.when)
			c.mu.Unlock()
		}
	}
}

// Enter counts a call of the tenant that came in by the trunk and that the rule takes, and
// returns a reservation without a destination yet: see [Reservation.At]. trunk and rule may
// be "" where they aren't known. The error is CodeNoCapacity, and says which of the three
// has no room.
func (g *Group) Enter(tenant callmodel.TenantID, trunk, rule string) (Reservation, error) {
	return g.enter(tenant, trunk, rule, false)
}

// EnterAnyway is Enter whatever the limits.
func (g *Group) EnterAnyway(tenant callmodel.TenantID, trunk, rule string) Reservation {
	r, _ := g.enter(tenant, trunk, rule, true)
	return r
}

func (g *Group) enter(tenant callmodel.TenantID, trunk, rule string, anyway bool) (Reservation, error) {
	r := Reservation{g: g}
	for of, name := range [countedKinds]string{ofTenant: string(tenant), ofTrunk: trunk, ofRule: rule} {
		c := g.counter(counterKey{counted(of), name})
		if c == nil {
			continue
		}
		if r.entered.when == 0 {
			r.entered.when = g.now()
			r.begun = r.entered.when
		}
		c.mu.Lock()
		full, none := calls.LeftReason(""), c.limit.none()
		if !anyway {
			full = c.limit.full(r.begun)
		}
		if full == "" {
			c.limit.add(r.begun)
			r.entered.by[of] = c
		}
		c.mu.Unlock()
		if full != "" {
			r.entered.undo()
			return Reservation{}, noRoom(counted(of), name, full, none)
		}
	}
	return r, nil
}

func noRoom(of counted, name string, full calls.LeftReason, none bool) error {
	what := [countedKinds]string{ofTenant: "tenant", ofTrunk: "inbound trunk", ofRule: "rule"}[of]
	why := "has as many calls at once as it may"
	switch {
	case none:
		why = "may have fewer calls than processes decide, and this one has no place for any"
	case full == calls.LeftCPS:
		why = "begins as many calls a second as it may"
	}
	return &callmodel.Error{Code: callmodel.CodeNoCapacity, Message: fmt.Sprintf("the %s %s %s; try again later", what, name, why)}
}

// At takes a place at the destination as well, as [Group.Reserve] does. ok is false if
// there is none; then the reservation is as it was.
func (r Reservation) At(destination string) (_ Reservation, ok bool) {
	return r.at(destination, false)
}

// AtAnyway is At whatever the limits.
func (r Reservation) AtAnyway(destination string) Reservation {
	r, _ = r.at(destination, true)
	return r
}

func (r Reservation) at(destination string, anyway bool) (Reservation, bool) {
	there, ok := r.g.reserve(destination, anyway)
	if !ok {
		return r, false
	}
	if there.dest != nil {
		r.dest, r.begun = there.dest, there.begun
	}
	return r, true
}
