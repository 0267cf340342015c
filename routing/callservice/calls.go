package callservice

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/trunk"
)

// Call is one call with its recordings' URLs. ErrNotFound for another tenant's
// just as for none.
func (s *Service) Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error) {
	if waits, ok := s.later.call(trunk.Key{Tenant: t, Call: id}); ok {
		return waits, nil // the stores don't have it yet, or not all of it
	}
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
