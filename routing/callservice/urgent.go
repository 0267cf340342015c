package callservice

import (
	"cmp"
	"context"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// CreateUrgent takes a call that goes before all others, as one that a trusted telephone
// server has marked with a priority (RFC 4412). It has the emergency lane: it takes no place
// in the normal one, what is wrong in it is left out, it is decided in memory whatever
// limits say, written to Options.Journal and answered, and stored beside that or by Run. But
// it is no emergency call, and goes where the tenant's rules say: one that none takes is
// rejected, as Created.NoRoute says. An emergency call is taken as such. key may be nil, and
// is honoured as [Service.CreateEmergencyOnce] does.
//
// The rules of a tenant that was not seen before are waited for. The one error is
// CodeUnavailable: the stores don't say what they are.
func (s *Service) CreateUrgent(ctx context.Context, t callmodel.TenantID, req Request, actor string, key *Idempotency) (Created, error) {
	if help, ok := s.Emergency(t, req); ok {
		return s.CreateEmergencyOnce(ctx, t, help, actor, key), nil
	}
	if !s.rules.ready(t) {
		wait, cancel := context.WithTimeout(ctx, s.opts.RequestTimeout)
		defer cancel()
		if err := s.rules.prepare(wait, t); err != nil {
			return Created{}, callmodel.Errorf(callmodel.CodeUnavailable, "the rules of the tenant are not known: %w", err)
		}
	}
	req.urgent = true
	return s.CreateEmergencyOnce(ctx, t, req, actor, key), nil
}

// routeUrgent decides an urgent call of the type by the rules in memory.
func (s *Service) routeUrgent(call *calls.Call, typ calls.Type) (noRoute error) {
	call.Emergency, call.Type = false, cmp.Or(typ, calls.TypeVoice)
	valid := calls.Request{TenantID: call.TenantID, Type: call.Type}
	if valid.Validate() != nil {
		call.Type = calls.TypeVoice
	}
	req := call.Request(call.CreatedAt)
	s.know(call, &req)
	s.recordedAs(call, &req, nil)
	d := calls.Decision{Source: calls.SourceRules}
	err := errors.New("the tenant has no rules")
	if router := s.rules.inMemory(call.TenantID); router != nil {
		err = router.RouteInto(&req, &d)
	}
	s.opts.Decided(&d, err)
	call.Decision = &d
	if err == nil {
		return nil
	}
	d.Destinations = []calls.Destination{}
	call.State, call.EndedAt = calls.Rejected, call.CreatedAt
	return callmodel.Errorf(callmodel.CodeNoRoute, "no rule matches the call; see the explanation")
}
