package callservice

import (
	"cmp"
	"context"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/routing/trunk"
)

// sosURN is where an emergency call goes that names no number (RFC 5031 section 4.2).
const sosURN = "urn:service:sos"

// Emergency reports whether the tenant's request is an emergency call, by its number
// in any region that it may have been dialled in, or by its type in any case of its
// letters, whatever else is wrong with it. The request it returns has a callee:
// "urn:service:sos" if it named none.
func (s *Service) Emergency(t callmodel.TenantID, req Request) (Request, bool) {
	if _, ok := s.numbering(t).Emergency(req.To, s.emergencyRegions(t, req.From, req.Region)...); ok {
		return req, true
	}
	if strings.EqualFold(string(req.Type), string(calls.TypeEmergency)) {
		req.To = cmp.Or(req.To, sosURN)
		return req, true
	}
	return req, false
}

// CreateEmergency takes an emergency call. It can't fail: what is wrong in the
// request is left out, and what can't be stored now is stored by Run. The call
// takes no place in the normal lane, and is decided by the active version of the
// rules or goes to Options.EmergencyDestinations. It is written to Options.Journal
// before it is answered, and the stores are not waited for. They are for
// Options.EmergencyWait at most, when the journal can't be written, when they have
// to be asked for the tenant's rules, and for an id of the caller's own: one that
// is known to be taken is replaced. The call that is returned has the id that counts.
func (s *Service) CreateEmergency(ctx context.Context, t callmodel.TenantID, req Request, actor string) calls.Call {
	return s.newEmergency(ctx, t, &req, actor, nil).Call
}

// newEmergency makes an emergency call and answers it. key may be nil.
func (s *Service) newEmergency(ctx context.Context, t callmodel.TenantID, req *Request, actor string, key *Idempotency) Created {
	begun := s.opts.Now()
	call := s.emergencyCall(t, req)
	var noRoute error
	if req.urgent {
		noRoute = s.routeUrgent(&call, req.Type)
	} else {
		s.routeEmergency(ctx, &call)
	}
	a := &accepted{
		key: trunk.Key{Tenant: t, Call: call.ID}, actor: actor, alias: s.newCallID(),
		create: &calls.NewCall{Call: call, Actor: actor},
	}
	if key != nil {
		a.encode = func(n *calls.NewCall) {
			answer, err := key.encode(&Created{Call: n.Call, NoRoute: noRoute})
			if err != nil {
				s.opts.Logger.ErrorContext(ctx, "the answer to an emergency call's idempotency key can't be kept", "tenant", t, "call", n.Call.ID, "error", err)
				return
			}
			n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = key.Key, key.RequestSHA256, answer.StatusCode, answer.Body
		}
		a.encode(a.create)
	}
	made := s.take(ctx, a, call.ID == req.ID)
	s.holdEmergency(&made.Call)
	s.opts.EmergencyTaken(made.Call.ID, s.opts.Now().Sub(begun))
	created := Created{Call: made.Call, NoRoute: noRoute}
	if key != nil && key.Encode != nil && made.Response != nil {
		created.Answer = &calls.StoredResponse{StatusCode: made.StatusCode, Body: made.Response}
	}
	return created
}

// emergencyCall is the call without what is wrong in it.
func (s *Service) emergencyCall(t callmodel.TenantID, req *Request) calls.Call {
	call := calls.Call{
		ID: req.ID, TenantID: t, State: calls.Routed, Type: calls.TypeEmergency,
		Priority: calls.MaxPriority, To: s.emergencyParty(t, req), From: s.emergencyCaller(t, req.From, req.Region),
		Emergency: true, Recording: req.Recording, CreatedAt: s.opts.Now().UTC(),
	}
	if rec := call.Recording; rec != nil &&
		(rec.Validate() != nil || len(rec.Outputs) > 0 && s.opts.CheckOutputs(rec.Outputs) != nil) {
		call.Recording = &calls.RecordingPreference{Enabled: rec.Enabled} // as the platform does by default
	}
	call.SettingsFrom = settle(call.Recording, nil, nil, nil, nil).from
	if callmodel.ValidID(req.Host) {
		call.Host = req.Host
	}
	valid := calls.Request{TenantID: t, Type: call.Type}
	valid.Direction = req.Direction
	if valid.Validate() == nil {
		call.Direction = req.Direction
	}
	valid.Direction, valid.Metadata = "", req.Metadata
	if valid.Validate() == nil {
		call.Metadata = req.Metadata
	}
	valid.Metadata, valid.Trunk = nil, req.Trunk
	if valid.Validate() == nil {
		call.Trunk = req.Trunk
	}
	valid.Trunk, valid.Capabilities = "", req.Capabilities
	if valid.Validate() == nil {
		call.Capabilities = req.Capabilities
	}
	if !callmodel.ValidID(string(call.ID)) {
		call.ID = s.newCallID()
	}
	return call
}

// emergencyParty is the number as far as it can be made out.
func (s *Service) emergencyParty(t callmodel.TenantID, req *Request) calls.Party {
	raw, numbering, regions := req.To, s.numbering(t), s.emergencyRegions(t, req.From, req.Region)
	if n, ok := numbering.Emergency(raw, regions...); ok {
		return party(&n, raw)
	}
	for _, region := range regions {
		if n, err := numbering.Parse(raw, region); err == nil {
			return party(&n, raw)
		}
	}
	return calls.Party{Number: asKept(raw)}
}

// emergencyCaller is the caller of an emergency call, in the first region in which
// the number can be read.
func (s *Service) emergencyCaller(t callmodel.TenantID, raw, region string) calls.Party {
	if normalize.Withheld(raw) {
		return calls.Party{Number: calls.AnonymousCaller, Raw: asKept(raw)}
	}
	for _, region := range s.emergencyRegions(t, raw, region) {
		if n, err := s.numbering(t).Parse(raw, region); err == nil {
			return party(&n, raw)
		}
	}
	return calls.Party{Number: asKept(raw), AsGiven: raw != ""}
}

// routeEmergency takes the rules in memory, else the configured destinations. Where
// such are configured, only rules that are for emergency calls come before them.
// The rules of a tenant that was not seen before are waited for, within the
// budget.
func (s *Service) routeEmergency(ctx context.Context, call *calls.Call) {
	if !s.rules.ready(call.TenantID) {
		s.rulesInTime(ctx, call.TenantID)
	}
	if d, ok := s.emergencyRules(call); ok {
		call.Decision = &d
		s.opts.Decided(&d, nil)
		return
	}
	d := s.configured(call)
	if len(d.Destinations) == 0 {
		d.Fallback, call.Cause = calls.FallbackNoRoute, calls.EmergencyNoRoute()
		s.opts.Logger.ErrorContext(ctx, "an emergency call has no destination: no rule takes it and none is configured",
			"tenant", call.TenantID, "call", call.ID, "to", shown(call.To.Number))
	}
	call.Decision = &d
	s.opts.Decided(&d, nil)
}

// emergencyRules is the decision of the rules in memory about an emergency call, or about
// a test call as if it were one; false if there is none.
func (s *Service) emergencyRules(call *calls.Call) (calls.Decision, bool) {
	router := s.rules.inMemory(call.TenantID)
	if router == nil {
		return calls.Decision{}, false
	}
	req := call.Request(call.CreatedAt)
	asEmergency(&req)
	route := router.Route
	if len(s.opts.EmergencyDestinations) > 0 {
		route = router.RouteEmergency
	}
	d, err := route(&req)
	return d, err == nil
}

// configured is the decision for the configured destinations of emergency calls.
func (s *Service) configured(call *calls.Call) calls.Decision {
	d := calls.Decision{
		Source: calls.SourceEmergency, Destinations: []calls.Destination{}, PostDial: call.To.PostDial, Params: call.To.Params,
	}
	for _, dest := range s.opts.EmergencyDestinations {
		dest.Number = cmp.Or(dest.Number, call.To.Number)
		d.Destinations = append(d.Destinations, dest)
	}
	return d
}
