package memdb

import (
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// share is a share with what isn't shown of it.
type share struct {
	shares.Share

	hash string
	last map[string]time.Time // when each client asked for it last
}

// CreateShare implements sharehttp.Store.
func (s *Store) CreateShare(ctx context.Context, n shares.New) (shares.Share, error) {
	if err := cmp.Or(ctx.Err(), n.Validate()); err != nil {
		return shares.Share{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, open, gone := s.clock(), 0, 0
	s.shares = slices.DeleteFunc(s.shares, func(h *share) bool {
		old := gone < shares.ForgetAtOnce && h.ExpiresAt.Before(now.Add(-shares.KeepEnded))
		if old {
			gone++
		}
		return old
	})
	for _, h := range s.shares {
		if h.TenantID == n.TenantID && h.JobID == n.JobID && h.RevokedAt.IsZero() && h.ExpiresAt.After(now) {
			open++
		}
	}
	if open >= shares.MaxOpen {
		return shares.Share{}, storeform.TooManyShares(n.JobID)
	}
	made := storeform.NewShare(&n, now)
	s.shares = append(s.shares, &share{Share: made, hash: n.Hash, last: map[string]time.Time{}})
	slices.SortFunc(s.shares, func(a, b *share) int { return strings.Compare(a.ID, b.ID) })
	s.line(storeform.ShareLine(shares.AuditCreated, &made, made.CreatedBy, nil))
	return made, nil
}

// share is the tenant's share of that id; nil if there is none.
func (s *Store) share(t callmodel.TenantID, id string) *share {
	for _, h := range s.shares {
		if h.TenantID == t && h.ID == id {
			return h
		}
	}
	return nil
}

// Share implements sharehttp.Store.
func (s *Store) Share(ctx context.Context, t callmodel.TenantID, id string) (shares.Share, error) {
	if err := ctx.Err(); err != nil {
		return shares.Share{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.share(t, id)
	if h == nil {
		return shares.Share{}, callmodel.ErrNotFound
	}
	return h.At(s.clock()), nil
}

// Shares implements sharehttp.Store.
func (s *Store) Shares(ctx context.Context, t callmodel.TenantID, f shares.Filter) ([]shares.Share, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []shares.Share{}
	for _, h := range s.shares {
		if h.TenantID == t && h.ID > f.After && (f.JobID == "" || h.JobID == f.JobID) && len(all) < storeform.JobsLimit(f.Limit) {
			all = append(all, h.At(s.clock()))
		}
	}
	return all, nil
}

// RevokeShare implements sharehttp.Store.
func (s *Store) RevokeShare(ctx context.Context, t callmodel.TenantID, id, actor string) (shares.Share, error) {
	if err := ctx.Err(); err != nil {
		return shares.Share{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.share(t, id)
	if h == nil {
		return shares.Share{}, callmodel.ErrNotFound
	}
	if h.RevokedAt.IsZero() {
		h.RevokedAt, h.RevokedBy = s.clock(), storeform.Text(actor, storeform.MaxText)
		s.line(storeform.ShareLine(shares.AuditRevoked, &h.Share, h.RevokedBy, nil))
	}
	return h.At(s.clock()), nil
}

// byHash is the share whose token has that hash; nil if there is none.
func (s *Store) byHash(hash string) *share {
	for _, h := range s.shares {
		if subtle.ConstantTimeCompare([]byte(h.hash), []byte(hash)) == 1 {
			return h
		}
	}
	return nil
}

// FindShare implements sharehttp.Store.
func (s *Store) FindShare(ctx context.Context, hash string) (shares.Share, error) {
	if err := ctx.Err(); err != nil {
		return shares.Share{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byHash(hash)
	if h == nil {
		return shares.Share{}, callmodel.ErrNotFound
	}
	return h.At(s.clock()), nil
}

// OpenShare implements sharehttp.Store.
func (s *Store) OpenShare(ctx context.Context, o shares.Opening) (shares.Opened, error) {
	if err := ctx.Err(); err != nil {
		return shares.Opened{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byHash(o.Hash)
	if h == nil {
		return shares.Opened{}, callmodel.ErrNotFound
	}
	now, client := s.clock(), storeform.Text(o.Client, storeform.MaxClient)
	shown := h.At(now)
	ended := &shares.EndedError{ID: h.ID, State: shown.State}
	switch last := h.last[client]; {
	case shown.State == shares.Revoked || shown.State == shares.Expired:
		return shares.Opened{Share: shown}, ended
	case storeform.GoesOn(last, now):
		if now.Sub(last) >= shares.SeenWithin {
			h.last[client] = now
		}
		return shares.Opened{Share: shown}, nil
	case shown.State == shares.UsedUp:
		return shares.Opened{Share: shown}, ended
	}
	h.last[client] = now
	h.Openings, h.LastOpenedAt = h.Openings+1, now
	shown.Openings, shown.LastOpenedAt = h.Openings, now
	s.line(storeform.OpenedLine(&h.Share, &o))
	return shares.Opened{Share: shown, Fresh: true}, nil
}
