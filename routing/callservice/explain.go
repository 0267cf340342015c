package callservice

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/routing"
)

// Explanation says why a call was, or would be, routed as it was.
type Explanation struct {
	routing.Explanation

	Request calls.Request // what was decided about, numbers normalised
	// Recording and SettingsFrom are a stored call's settings and who said each. A dry run
	// has none: the settings service is asked about calls alone.
	Recording    *calls.RecordingPreference
	SettingsFrom origin.Settings
}

// Explain explains a stored call by the very version of the rules that decided
// it. A CodeNotFound error says that no rules decided it, or that the version is
// not stored.
func (s *Service) Explain(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (Explanation, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (Explanation, error) {
		call, err := s.stores.Call(ctx, t, id)
		if err != nil {
			return Explanation{}, err
		}
		x := Explanation{Request: call.Request(call.CreatedAt), Recording: call.Recording, SettingsFrom: call.SettingsFrom}
		if call.State == calls.Rejected && call.Decision != nil && call.Decision.RuleSet == "" {
			// There were no rules at all.
			x.Explanation = routing.Explanation{Decision: *call.Decision, NoRoute: true, Considered: []routing.Verdict{}}
			return x, nil
		}
		if call.Decision == nil || call.Decision.RuleSet == "" {
			return Explanation{}, callmodel.Errorf(callmodel.CodeNotFound, "call %s was not decided by a rule set", call.ID)
		}
		if e164.EmergencyTest(call.To.Number) {
			asEmergency(&x.Request)
		}
		s.knew(ctx, &call, &x.Request)
		router, err := s.decidedBy(ctx, &call)
		if err != nil {
			return Explanation{}, err
		}
		x.Explanation = router.ExplainLive(&x.Request, nil)
		if x.Request.Emergency && x.Decision.Rule != call.Decision.Rule {
			x.Explanation = router.ExplainEmergency(&x.Request)
		}
		asDecided(&x.Explanation, call.Decision)
		return x, nil
	})
}

// asEmergency has the request decided about as that of an emergency call.
func asEmergency(req *calls.Request) {
	req.Emergency, req.Type, req.Priority = true, calls.TypeEmergency, calls.MaxPriority
}

// decidedBy is the version that decided the call: in service, or stored.
func (s *Service) decidedBy(ctx context.Context, call *calls.Call) (*routing.Router, error) {
	if v := s.rules.table.Versions(call.TenantID); v != nil {
		for _, router := range [2]*routing.Router{v.Active, v.Canary} {
			if router != nil && router.Hash() == call.Decision.RuleSet {
				return router, nil
			}
		}
	}
	for _, t := range []callmodel.TenantID{call.TenantID, s.opts.PlatformTenant} {
		if t == "" {
			continue
		}
		c, err := s.rules.version(ctx, t, call.Decision.RuleSet, nil)
		if err == nil {
			return c.router, nil
		}
		if callmodel.CodeOf(err) != callmodel.CodeNotFound {
			return nil, err
		}
	}
	return nil, callmodel.Errorf(callmodel.CodeNotFound, "the rule set %s that decided call %s is not stored", call.Decision.RuleSet, call.ID)
}

// Try decides and explains what Create would do with the request at the time at,
// zero for now, and stores nothing. A request without an id is decided by the
// active version. Errors are FieldErrors, and CodeNoRoute for a tenant without
// any rules.
func (s *Service) Try(ctx context.Context, t callmodel.TenantID, req Request, at time.Time) (Explanation, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (Explanation, error) {
		call, err := s.newCall(t, &req)
		if err != nil {
			return Explanation{}, err
		}
		if at.IsZero() {
			at = call.CreatedAt
		}
		x := Explanation{Request: call.Request(at)}
		x.Request.CallID = req.ID // none is made for a dry run
		_, byNumber := s.numbering(t).Emergency(req.To, s.emergencyRegions(t, req.From, req.Region)...)
		if byNumber || call.Type == calls.TypeEmergency || e164.EmergencyTest(call.To.Number) {
			asEmergency(&x.Request)
		}
		s.know(nil, &x.Request)
		router, canary, err := s.rules.pick(ctx, &x.Request)
		if err != nil {
			return Explanation{}, err
		}
		if x.Request.Emergency && len(s.opts.EmergencyDestinations) > 0 {
			if x.Explanation = router.ExplainEmergency(&x.Request); x.Err != nil {
				x.Decision, x.NoRoute, x.Err = s.configured(&call), false, nil
			}
			return x, nil
		}
		x.Explanation = router.ExplainLive(&x.Request, s.rules.live(t))
		x.Decision.Canary = canary
		return x, nil
	})
}
