package memdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// PlaceHold implements recordinghttp.Keeper.
func (s *Store) PlaceHold(ctx context.Context, hold retention.Hold, actor string) (retention.Hold, error) {
	if err := ctx.Err(); err != nil {
		return retention.Hold{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := storeform.NewHold(&hold, actor, s.clock())
	if err != nil {
		return retention.Hold{}, err
	}
	s.holds = append(s.holds, &h)
	slices.SortFunc(s.holds, func(a, b *retention.Hold) int { return cmp.Compare(a.ID, b.ID) })
	s.line(storeform.HoldLine(retention.AuditHoldPlaced, &h))
	return h, nil
}

func (s *Store) hold(t callmodel.TenantID, id retention.HoldID) (*retention.Hold, error) {
	for _, h := range s.holds {
		if h.ID == id && h.TenantID == t {
			return h, nil
		}
	}
	return nil, callmodel.ErrNotFound
}

// Hold implements recordinghttp.Keeper.
func (s *Store) Hold(ctx context.Context, t callmodel.TenantID, id retention.HoldID) (retention.Hold, error) {
	if err := ctx.Err(); err != nil {
		return retention.Hold{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.hold(t, id)
	if err != nil {
		return retention.Hold{}, err
	}
	return *h, nil
}

// LiftHold implements recordinghttp.Keeper.
func (s *Store) LiftHold(ctx context.Context, l retention.Lift) (retention.Hold, error) {
	if err := cmp.Or(ctx.Err(), l.Validate()); err != nil {
		return retention.Hold{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.hold(l.TenantID, l.ID)
	if err != nil {
		return retention.Hold{}, err
	}
	if err := storeform.LiftHold(h, &l, s.clock()); err != nil {
		return retention.Hold{}, err
	}
	s.line(storeform.HoldLine(retention.AuditHoldLifted, h))
	return *h, nil
}

// Holds implements recordinghttp.Keeper.
func (s *Store) Holds(ctx context.Context, f retention.HoldFilter) ([]retention.Hold, error) {
	if err := cmp.Or(ctx.Err(), f.Validate()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []retention.Hold{}
	for _, h := range s.holds {
		if h.TenantID == f.TenantID && h.ID > f.After && (f.Scope == "" || h.Scope == f.Scope) && (f.Subject == "" || h.Subject == f.Subject) &&
			(f.Lifted || !h.Lifted()) && len(list) < storeform.HoldsLimit(f.Limit) {
			list = append(list, *h)
		}
	}
	return list, nil
}

// HeldBy implements lifecycle.Holds.
func (s *Store) HeldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heldBy(r), nil
}

func (s *Store) heldBy(r retention.Recording) *retention.HeldError {
	c := s.calls[callKey{r.TenantID, r.CallID}]
	var unsure *retention.HeldError
	for _, h := range s.holds {
		if h.TenantID != r.TenantID || h.Lifted() {
			continue
		}
		on := false
		switch h.Scope {
		case retention.HoldTenant:
			on = true
		case retention.HoldRecording:
			on = h.Subject == string(r.RecordingID)
		case retention.HoldCall:
			on = h.Subject == string(r.CallID)
		case retention.HoldUser, retention.HoldNumber:
			if c == nil {
				unsure = cmp.Or(unsure, &retention.HeldError{Hold: *h, Unsure: true})
				continue
			}
			ids, numbers := storeform.Parties(&c.Call)
			on = h.Scope == retention.HoldUser && slices.Contains(ids, h.Subject) || h.Scope == retention.HoldNumber && slices.Contains(numbers, h.Subject)
		}
		if on {
			return &retention.HeldError{Hold: *h}
		}
	}
	return unsure
}
