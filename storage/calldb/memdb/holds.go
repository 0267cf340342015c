package memdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// PlaceHold implements recordinghttp.Keeper.
func (s *Store) PlaceHold(ctx context.Context, hold retention.Hold, actor string) (retention.Hold, error) {
	if err := ctx.Err(); err != nil {
		return retention.Hold{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var last retention.HoldID
	for _, h := range s.holds {
		if h.TenantID == hold.TenantID {
			last = max(last, h.ID)
		}
	}
	h, err := storeform.NewHold(&hold, actor, s.clock(), last)
	if err != nil {
		return retention.Hold{}, err
	}
	kept := h
	s.holds = append(s.holds, &kept)
	slices.SortFunc(s.holds, func(a, b *retention.Hold) int { return cmp.Compare(a.ID, b.ID) })
	s.line(storeform.HoldLine(retention.AuditHoldPlaced, &h))
	known, erased := s.heldKnown(&h)
	h.Warning = storeform.WarnOfHold(&h, known, erased)
	return h, nil
}

// heldKnown reports whether what the hold is on is, or was, there, and whether it is a
// recording that was deleted.
func (s *Store) heldKnown(h *retention.Hold) (known, erased bool) {
	switch h.Scope {
	case retention.HoldRecording:
		for _, j := range s.jobs {
			if j.TenantID == h.TenantID && j.Kind == record.Kind && j.Key == h.Subject {
				return true, j.erased
			}
		}
	case retention.HoldCall:
		known = s.calls[callKey{h.TenantID, callmodel.CallID(h.Subject)}] != nil
	case retention.HoldUser:
		known = s.users.entries[entryKey{storeform.KindUser, h.TenantID, users.ID(h.Subject)}] != nil
	case retention.HoldNumber, retention.HoldTenant:
	}
	return known, erased
}

// hadNumber reports whether the user has or had one of the numbers.
func (s *Store) hadNumber(t callmodel.TenantID, id users.ID, numbers []string) bool {
	e := s.users.entries[entryKey{storeform.KindUser, t, id}]
	return e != nil && slices.ContainsFunc(e.history, func(v storeform.Entry) bool { return storeform.HasNumber(v.Doc, numbers) })
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
			on = h.Scope == retention.HoldUser && (slices.Contains(ids, h.Subject) || s.hadNumber(h.TenantID, users.ID(h.Subject), storeform.Strangers(&c.Call))) || h.Scope == retention.HoldNumber && slices.Contains(numbers, h.Subject)
		}
		if on {
			return &retention.HeldError{Hold: *h}
		}
	}
	return unsure
}
