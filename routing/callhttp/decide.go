package callhttp

import (
	"context"
	"errors"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// place is what a call that is being created holds at its first destination.
type place struct {
	trunk.Reservation

	key   trunk.Key
	taken bool // the call is stored
}

// settle holds the place for a call that was stored, and gives it back if it
// was not.
func (p *place) settle() {
	if p.taken {
		p.Hold(p.key)
	} else {
		p.Cancel()
	}
}

// route decides where the call goes and sets its state. A call that no rule
// takes is rejected, and noRoute says why: it is stored and answered like any.
func (h *Handler) route(ctx context.Context, call *calls.Call) (p *place, noRoute, err error) {
	req := call.Request(call.CreatedAt)
	d, reserved, err := h.decide(ctx, &req)
	h.opts.Decided(&d, err)
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
		return p, err, nil
	}
	return p, nil, err
}

// decide asks the decision service, if there is one, and the rules if it has
// no answer.
func (h *Handler) decide(ctx context.Context, req *calls.Request) (calls.Decision, trunk.Reservation, error) {
	fallback := ""
	if h.opts.Decider != nil {
		// For the limits of the destinations that the answer names.
		_ = h.rules.prepare(ctx, req.TenantID)
		d, err := h.opts.Decider.Decide(ctx, req)
		if err == nil {
			return h.withRoom(req, d)
		}
		if callmodel.CodeOf(err) == callmodel.CodeNoRoute {
			return calls.Decision{Source: calls.SourceDecider}, trunk.Reservation{}, err
		}
		fallback = "error"
		if f, ok := errors.AsType[*routing.FallbackError](err); ok {
			fallback = f.Reason
		}
		h.opts.Logger.WarnContext(ctx, "the decision service has no answer; the rules decide", "tenant", req.TenantID, "call", req.CallID, "reason", fallback, "error", err)
	}
	d, r, err := h.byRules(ctx, req)
	d.Fallback = fallback
	return d, r, err
}

// maxReserve bounds how often a destination may fill up between the decision
// and the reservation: each time it is left out of the next.
const maxReserve = 64

func (h *Handler) byRules(ctx context.Context, req *calls.Request) (calls.Decision, trunk.Reservation, error) {
	d := calls.Decision{Source: calls.SourceRules}
	router, canary, err := h.rules.pick(ctx, req)
	if err != nil {
		return d, trunk.Reservation{}, err
	}
	g := h.rules.group(req.TenantID)
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
		if r, ok := g.Reserve(d.Destinations[0].ID); ok {
			return d, r, nil
		}
	}
	return d, trunk.Reservation{}, routing.ErrNoCapacity
}

// withRoom takes the destinations out of the service's answer that the rules
// know and that have no room. Their health is left to the service.
func (h *Handler) withRoom(req *calls.Request, d calls.Decision) (calls.Decision, trunk.Reservation, error) {
	g := h.rules.group(req.TenantID)
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
		if r, ok := g.Reserve(d.Destinations[0].ID); ok {
			return d, r, nil
		}
	}
	return d, trunk.Reservation{}, routing.ErrNoCapacity
}

// holdEmergency counts an emergency call, whatever the limits.
func (h *Handler) holdEmergency(c *calls.Call) {
	g := h.rules.group(c.TenantID)
	if g == nil || c.Decision == nil || len(c.Decision.Destinations) == 0 {
		return
	}
	g.ReserveAnyway(c.Decision.Destinations[0].ID).Hold(trunk.Key{Tenant: c.TenantID, Call: c.ID})
}

// asDecided makes the explanation of a stored call tell of the moment too:
// which destinations were left out then, and where the others stood.
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
