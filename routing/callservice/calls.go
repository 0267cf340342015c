package callservice

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Call is one call with its recordings' URLs. ErrNotFound for another tenant's
// just as for none.
func (s *Service) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error) {
	return inLane(ctx, s, s.opts.RequestTimeout, func(ctx context.Context) (calls.Call, error) {
		return s.stores.Call(ctx, t, id)
	})
}

// Calls is a page of the tenant's calls, newest first. The filter's number is as
// [Service.Normalize] gives it.
func (s *Service) Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error) {
	return inLane(ctx, s, s.opts.RequestTimeout, func(ctx context.Context) (calls.Page, error) {
		return s.stores.Calls(ctx, t, f)
	})
}

// Event moves the call by what happened to it, and returns it as it is then. An
// event without a time happened now. The same event again changes nothing.
// Errors are FieldErrors, CodeConflict for a move that the call can't make, and
// ErrNotFound.
func (s *Service) Event(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string) (calls.Call, error) {
	return inLane(ctx, s, s.opts.RequestTimeout, func(ctx context.Context) (calls.Call, error) {
		if ev.At.IsZero() {
			ev.At = s.opts.Now().UTC()
		}
		call, err := s.stores.AppendEvent(ctx, t, id, ev, actor, s.opts.DefaultOutputs)
		if err != nil {
			return calls.Call{}, err
		}
		s.trunks.observe(&call, ev.Cause, s.opts.PlatformTenant)
		if ev.Type == calls.EventEnded {
			s.opts.JobEnqueued()
		}
		return call, nil
	})
}

// Events lists the call's events in the order they were applied.
func (s *Service) Events(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error) {
	return inLane(ctx, s, s.opts.RequestTimeout, func(ctx context.Context) ([]calls.Event, error) {
		return s.stores.CallEvents(ctx, t, id)
	})
}

// AuditEvents lists the tenant's lines of the audit log with an id greater than
// after, ascending, at most limit.
func (s *Service) AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error) {
	return inLane(ctx, s, s.opts.RequestTimeout, func(ctx context.Context) ([]callmodel.AuditEvent, error) {
		return s.stores.AuditEvents(ctx, t, after, limit)
	})
}

// AccessDenied leaves a line in the audit log of the principal's tenant: it asked
// for what it may not have. A line that can't be stored is logged.
func (s *Service) AccessDenied(ctx context.Context, p callmodel.Principal, what string) {
	e := callmodel.AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: callmodel.AuditAccessDenied, Subject: what}
	if err := s.stores.Audit(ctx, e); err != nil {
		s.opts.Logger.ErrorContext(ctx, "an audit line could not be stored", "tenant", p.TenantID, "action", e.Action, "subject", what, "error", err)
	}
}
