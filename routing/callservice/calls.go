package callservice

import (
	"context"
	"time"

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
	return inLane(ctx, s, turn{t, urgencyLook}, s.opts.RequestTimeout, func(ctx context.Context) (calls.Call, error) {
		return s.stores.Call(ctx, t, id)
	})
}

// Calls is a page of the tenant's calls, newest first. The filter's number is as
// [Service.Normalize] gives it.
func (s *Service) Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (calls.Page, error) {
		return s.stores.Calls(ctx, t, f)
	})
}

// The export of calls: the size of a page, and how often and after what time one is
// asked for again when the lane is full.
const (
	exportPage  = 500
	exportTries = 100
	exportPause = 100 * time.Millisecond
)

// EveryCall gives fn the tenant's calls that the filter selects, newest first, a page
// at a time, whatever the filter's limit. Calls that are made meanwhile are left out.
// Each page takes its own place in the normal lane, and waits some seconds for one: an
// export takes little of what calls need. It ends with the error of fn.
func (s *Service) EveryCall(ctx context.Context, t callmodel.TenantID, f calls.Filter, fn func([]calls.Call) error) error {
	f.Limit = exportPage
	for {
		page, err := s.patientCalls(ctx, t, f)
		if err != nil {
			return err
		}
		if err := fn(page.Calls); err != nil {
			return err
		}
		if f.Before = page.Next; f.Before == "" {
			return nil
		}
	}
}

func (s *Service) patientCalls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (page calls.Page, err error) {
	for range exportTries {
		page, err = s.Calls(ctx, t, f)
		if callmodel.CodeOf(err) != callmodel.CodeOverloaded {
			return page, err
		}
		wait := time.NewTimer(exportPause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return page, ctx.Err()
		case <-wait.C:
		}
	}
	return page, err
}

// Events lists the call's events in the order they were applied.
func (s *Service) Events(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) ([]calls.Event, error) {
		return s.stores.CallEvents(ctx, t, id)
	})
}

// AuditAbout lists the tenant's lines of the audit log that are about one of the subjects,
// with an id greater than after, ascending, at most limit: see [AuditLog].
func (s *Service) AuditAbout(ctx context.Context, t callmodel.TenantID, subjects []string, after int64, limit int) ([]callmodel.AuditEvent, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) ([]callmodel.AuditEvent, error) {
		return s.stores.AuditAbout(ctx, t, subjects, after, limit)
	})
}

// AuditEvents lists the tenant's lines of the audit log with an id greater than
// after, ascending, at most limit.
func (s *Service) AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) ([]callmodel.AuditEvent, error) {
		return s.stores.AuditEvents(ctx, t, after, limit)
	})
}
