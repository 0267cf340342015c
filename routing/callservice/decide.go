package callservice

import (
	"context"
	"errors"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// place is what a call that is being created has reserved at its first destination.
type place struct {
	trunk.Reservation

	key    trunk.Key
	stored bool // the call is stored
}

// holdIfStored holds the place for a call that was stored, and gives it back if
// the call was not.
func (p *place) holdIfStored() {
	if p.stored {
		p.Hold(p.key)
	} else {
		p.Cancel()
	}
}

// route decides where the call goes and sets its state, and how it is recorded. A call
// that no rule takes is rejected, and noRoute says why: it is stored and answered like
// any.
func (s *Service) route(ctx context.Context, call *calls.Call) (p *place, noRoute, err error) {
	req := call.Request(call.CreatedAt)
	s.know(call, &req)
	var d calls.Decision
	var reserved trunk.Reservation
	deciding, span := tracing.Start(ctx, s.opts.Tracer, decideCall)
	if e164.EmergencyTest(call.To.Number) {
		d, err = s.decideTest(deciding, call)
	} else {
		d, reserved, err = s.decide(deciding, &req)
	}
	span.Set("switchtape.source", string(d.Source))
	span.End(err)
	s.opts.Decided(&d, err)
	if errors.Is(err, routing.ErrNoRoute) {
		err = callmodel.Errorf(callmodel.CodeNoRoute, "no rule matches the call; see the explanation")
	}
	if d.Destinations == nil {
		d.Destinations = []calls.Destination{}
	}
	p = &place{Reservation: reserved, key: trunk.Key{Tenant: call.TenantID, Call: call.ID}}
	call.Decision, call.State = &d, calls.Routed
	if callmodel.CodeOf(err) == callmodel.CodeNoRoute {
		call.State, call.EndedAt = calls.Rejected, call.CreatedAt
		if d.Reject != nil {
			cause := *d.Reject
			call.Cause = &cause
		}
		s.recordedAs(call, &req, nil)
		return p, err, nil
	}
	if err == nil {
		s.recordedAs(call, &req, s.settingsAtStart(ctx, call))
	}
	return p, nil, err
}

// decide asks the decision service, if there is one, and the rules if it has
// no answer.
func (s *Service) decide(ctx context.Context, req *calls.Request) (calls.Decision, trunk.Reservation, error) {
	fallback := ""
	if s.opts.Decider != nil {
		// For the limits of the destinations that the answer names.
		_ = s.rules.prepare(ctx, req.TenantID)
		asking, span := tracing.Start(ctx, s.opts.Tracer, askDecider)
		d, err := s.opts.Decider.Decide(asking, req)
		span.End(err)
		d.PostDial, d.Params = req.ToPostDial, req.ToParams
		if err == nil {
			return s.withRoom(req, d)
		}
		if callmodel.CodeOf(err) == callmodel.CodeNoRoute {
			return calls.Decision{Source: calls.SourceDecider}, trunk.Reservation{}, err
		}
		fallback = "error"
		if f, ok := errors.AsType[*routing.FallbackError](err); ok {
			fallback = f.Reason
		}
		s.opts.Logger.WarnContext(ctx, "the decision service has no answer; the rules decide",
			"tenant", req.TenantID, "call", req.CallID, "reason", fallback, "error", err)
	}
	d, r, err := s.byRules(ctx, req)
	d.Fallback = fallback
	return d, r, err
}

// decideTest is the decision about a test call to the emergency services: that of the
// emergency call that it stands for. It has no place reserved, and no decision service is
// asked about it, as none is about that.
func (s *Service) decideTest(ctx context.Context, call *calls.Call) (calls.Decision, error) {
	if err := s.rules.prepare(ctx, call.TenantID); err != nil && len(s.opts.EmergencyDestinations) == 0 {
		return calls.Decision{Source: calls.SourceRules}, err
	}
	d, ok := s.emergencyRules(call)
	if !ok {
		d = s.configured(call)
	}
	if len(d.Destinations) == 0 {
		return d, routing.ErrNoRoute
	}
	return d, nil
}

// maxReserve bounds how often a destination may fill up between the decision
// and the reservation: each time it is left out of the next.
const maxReserve = 64

func (s *Service) byRules(ctx context.Context, req *calls.Request) (calls.Decision, trunk.Reservation, error) {
	d := calls.Decision{Source: calls.SourceRules}
	router, canary, err := s.rules.pick(ctx, req)
	if err != nil {
		return d, trunk.Reservation{}, err
	}
	g := s.rules.group(req.TenantID)
	if g == nil { // the rules were taken out of service just now
		err := router.RouteInto(req, &d)
		d.Canary = canary
		return d, trunk.Reservation{}, err
	}
	for range maxReserve {
		err := router.RouteLive(req, g, &d)
		d.Canary = canary
		if err != nil {
			return d, trunk.Reservation{}, err
		}
		r, ok, err := s.reserve(g, req, &d)
		if ok || err != nil {
			return d, r, err
		}
	}
	return d, trunk.Reservation{}, routing.ErrNoCapacity
}

// reserve takes the call's places: with its tenant, its inbound trunk, its rule and its
// first destination. ok is false if the destination has none any more. The error says
// which of the others has none.
func (*Service) reserve(g *trunk.Group, req *calls.Request, d *calls.Decision) (trunk.Reservation, bool, error) {
	r, err := g.Enter(req.TenantID, req.Trunk, d.Rule)
	if err != nil {
		return trunk.Reservation{}, false, err
	}
	placed, ok := r.At(d.Destinations[0].ID)
	if !ok {
		r.Cancel()
	}
	return placed, ok, nil
}

// withRoom takes the destinations without room out of the decision service's
// answer. Only those that the rules know have limits, and their health is that
// service's to judge.
func (s *Service) withRoom(req *calls.Request, d calls.Decision) (calls.Decision, trunk.Reservation, error) {
	g := s.rules.group(req.TenantID)
	if g == nil {
		return d, trunk.Reservation{}, nil
	}
	d.Destinations = slices.Clone(d.Destinations) // a cached answer is shared
	for len(d.Destinations) > 0 {
		d.Destinations = slices.DeleteFunc(d.Destinations, func(x calls.Destination) bool {
			full := g.Status(x.ID).Full
			if full != "" {
				d.LeftOut = append(d.LeftOut, calls.LeftOut{ID: x.ID, Reason: full})
			}
			return full != ""
		})
		if len(d.Destinations) == 0 {
			break
		}
		r, ok, err := s.reserve(g, req, &d)
		if ok || err != nil {
			return d, r, err
		}
	}
	return d, trunk.Reservation{}, routing.ErrNoCapacity
}

// holdEmergency counts an emergency call, whatever the limits.
func (s *Service) holdEmergency(c *calls.Call) {
	g := s.rules.group(c.TenantID)
	if g == nil || c.Decision == nil || len(c.Decision.Destinations) == 0 {
		return
	}
	g.EnterAnyway(c.TenantID, c.Trunk, c.Decision.Rule).AtAnyway(c.Decision.Destinations[0].ID).Hold(trunk.Key{Tenant: c.TenantID, Call: c.ID})
}

// asDecided puts into the explanation of a stored call what its decision says of
// the moment: which destinations were left out, and where the others stood.
func asDecided(x *routing.Explanation, d *calls.Decision) {
	x.Decision = *d
	for i := range x.Destinations {
		v := &x.Destinations[i]
		left := slices.IndexFunc(d.LeftOut, func(l calls.LeftOut) bool { return l.ID == v.ID })
		at := slices.IndexFunc(d.Destinations, func(l calls.Destination) bool { return l.ID == v.ID })
		switch {
		case left >= 0 && v.Position > 0:
			v.Position, v.Reason = 0, "left out when the call was routed: "+string(d.LeftOut[left].Reason)
		case at >= 0 && v.Position != at+1:
			v.Position = at + 1
		}
	}
}
