package calldb

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needShares refuses what a schema before sharesSchema can't keep.
func (t *tx) needShares() error {
	if t.shares {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: the schema keeps no shares yet: run \"switchtape migrate up\"")
}

const shareColumns = `id, tenant_id, job_id, call_id, recording_id, output, codec, from_us, to_us, description, expires_at,
	max_openings, openings, last_opened_at, created_at, created_by, revoked_at, revoked_by`

// scanShare reads a share, without its state, and what more columns there are.
func scanShare(s scanner, more ...any) (h shares.Share, err error) {
	var from, to, expires, last, created, revoked int64
	err = s.Scan(append([]any{
		&h.ID, &h.TenantID, &h.JobID, &h.CallID, &h.RecordingID, &h.Output, &h.Codec, &from, &to, &h.Description, &expires,
		&h.MaxOpenings, &h.Openings, &last, &created, &h.CreatedBy, &revoked, &h.RevokedBy,
	}, more...)...)
	h.From, h.To = time.Duration(from)*time.Microsecond, time.Duration(to)*time.Microsecond
	h.ExpiresAt, h.LastOpenedAt, h.CreatedAt, h.RevokedAt = storeform.Time(expires), storeform.Time(last), storeform.Time(created), storeform.Time(revoked)
	if errors.Is(err, sql.ErrNoRows) {
		err = callmodel.ErrNotFound
	}
	return h, err
}

// CreateShare implements sharehttp.Store.
func (d *DB) CreateShare(ctx context.Context, n shares.New) (made shares.Share, err error) {
	if err := n.Validate(); err != nil {
		return made, err
	}
	err = d.update(ctx, "create a share", func(ctx context.Context, t *tx) error {
		if err := t.needShares(); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if err := t.forgetShares(ctx, now.Add(-shares.KeepEnded)); err != nil {
			return err
		}
		var open int
		if err := t.row(ctx, "SELECT count(*) FROM recording_shares WHERE tenant_id = ? AND job_id = ? AND revoked_at = 0 AND expires_at > ?",
			string(n.TenantID), string(n.JobID), storeform.Micros(now)).Scan(&open); err != nil {
			return err
		}
		if open >= shares.MaxOpen {
			return storeform.TooManyShares(n.JobID)
		}
		made = storeform.NewShare(&n, now)
		if _, err := t.exec(ctx, `INSERT INTO recording_shares (id, tenant_id, token_sha256, job_id, call_id, recording_id, output, codec, from_us, to_us,
			description, expires_at, max_openings, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			made.ID, string(made.TenantID), n.Hash, string(made.JobID), string(made.CallID), string(made.RecordingID), made.Output, made.Codec,
			made.From.Microseconds(), made.To.Microseconds(), made.Description, storeform.Micros(made.ExpiresAt), made.MaxOpenings,
			storeform.Micros(made.CreatedAt), made.CreatedBy); err != nil {
			return err
		}
		return t.audit(ctx, storeform.ShareLine(shares.AuditCreated, &made, made.CreatedBy, nil))
	})
	if err != nil {
		return shares.Share{}, err
	}
	return made, nil
}

// forgetShares forgets some shares that had expired then, and who has opened them.
func (t *tx) forgetShares(ctx context.Context, before time.Time) error {
	var ids []string
	if err := t.each(ctx, func(s scanner) error {
		var id string
		err := s.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM recording_shares WHERE expires_at < ? ORDER BY expires_at, id LIMIT ? @skiplocked", storeform.Micros(before), shares.ForgetAtOnce); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.exec(ctx, "DELETE FROM share_openings WHERE share_id = ?", id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM recording_shares WHERE id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) share(ctx context.Context, tenant callmodel.TenantID, id, lock string) (shares.Share, error) {
	if err := t.needShares(); err != nil {
		return shares.Share{}, err
	}
	if !callmodel.ValidID(string(tenant)) || !callmodel.ValidID(id) {
		return shares.Share{}, callmodel.ErrNotFound
	}
	return scanShare(t.row(ctx, "SELECT "+shareColumns+" FROM recording_shares WHERE tenant_id = ? AND id = ? "+lock, string(tenant), id))
}

// Share implements sharehttp.Store.
func (d *DB) Share(ctx context.Context, tenant callmodel.TenantID, id string) (s shares.Share, err error) {
	err = d.view(ctx, "read a share", func(ctx context.Context, t *tx) error {
		if s, err = t.share(ctx, tenant, id, ""); err != nil {
			return err
		}
		now, err := t.now(ctx)
		s = s.At(now)
		return err
	})
	return s, err
}

// Shares implements sharehttp.Store.
func (d *DB) Shares(ctx context.Context, tenant callmodel.TenantID, f shares.Filter) (all []shares.Share, err error) {
	err = d.view(ctx, "list the shares", func(ctx context.Context, t *tx) error {
		all = []shares.Share{}
		if err := t.needShares(); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		var where condition
		if f.JobID != "" {
			where.and("job_id = ?", storeform.Text(string(f.JobID), storeform.MaxKey))
		}
		args := append([]any{storeform.Text(string(tenant), storeform.MaxKey), storeform.Text(f.After, storeform.MaxKey)}, where.args...)
		return t.each(ctx, func(s scanner) error {
			one, err := scanShare(s)
			all = append(all, one.At(now))
			return err
		}, "SELECT "+shareColumns+" FROM recording_shares WHERE tenant_id = ? AND id > ?"+where.text()+" ORDER BY id LIMIT ?",
			append(args, storeform.JobsLimit(f.Limit))...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// RevokeShare implements sharehttp.Store.
func (d *DB) RevokeShare(ctx context.Context, tenant callmodel.TenantID, id, actor string) (s shares.Share, err error) {
	err = d.update(ctx, "revoke a share", func(ctx context.Context, t *tx) error {
		if s, err = t.share(ctx, tenant, id, "@forupdate"); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		if !s.RevokedAt.IsZero() {
			s = s.At(now)
			return nil
		}
		s.RevokedAt, s.RevokedBy = now, storeform.Text(actor, storeform.MaxText)
		if _, err := t.exec(ctx, "UPDATE recording_shares SET revoked_at = ?, revoked_by = ? WHERE id = ?", storeform.Micros(now), s.RevokedBy, s.ID); err != nil {
			return err
		}
		s = s.At(now)
		return t.audit(ctx, storeform.ShareLine(shares.AuditRevoked, &s, s.RevokedBy, nil))
	})
	return s, err
}

// byHash is the share whose token has that hash.
func (t *tx) byHash(ctx context.Context, hash, lock string) (shares.Share, error) {
	if err := t.needShares(); err != nil {
		return shares.Share{}, err
	}
	var kept string
	s, err := scanShare(t.row(ctx, "SELECT "+shareColumns+", token_sha256 FROM recording_shares WHERE token_sha256 = ? "+lock,
		storeform.Text(hash, storeform.MaxKey)), &kept)
	if err == nil && subtle.ConstantTimeCompare([]byte(kept), []byte(hash)) != 1 {
		err = callmodel.ErrNotFound
	}
	return s, err
}

// FindShare implements sharehttp.Store.
func (d *DB) FindShare(ctx context.Context, hash string) (s shares.Share, err error) {
	err = d.view(ctx, "find a share", func(ctx context.Context, t *tx) error {
		if s, err = t.byHash(ctx, hash, ""); err != nil {
			return err
		}
		now, err := t.now(ctx)
		s = s.At(now)
		return err
	})
	return s, err
}

// OpenShare implements sharehttp.Store.
func (d *DB) OpenShare(ctx context.Context, o shares.Opening) (opened shares.Opened, err error) {
	client := storeform.Text(o.Client, storeform.MaxClient)
	err = d.update(ctx, "open a share", func(ctx context.Context, t *tx) error {
		s, err := t.byHash(ctx, o.Hash, "@forupdate")
		if err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		s = s.At(now)
		opened = shares.Opened{Share: s}
		if s.State == shares.Revoked || s.State == shares.Expired {
			return &shares.EndedError{ID: s.ID, State: s.State}
		}
		var last int64
		err = t.row(ctx, "SELECT last_at FROM share_openings WHERE share_id = ? AND client = ?", s.ID, client).Scan(&last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if seen := storeform.Time(last); storeform.GoesOn(seen, now) {
			if now.Sub(seen) >= shares.SeenWithin {
				_, err = t.exec(ctx, "UPDATE share_openings SET last_at = ? WHERE share_id = ? AND client = ?", storeform.Micros(now), s.ID, client)
				return err
			}
			return nil
		}
		if s.State == shares.UsedUp {
			return &shares.EndedError{ID: s.ID, State: s.State}
		}
		s.Openings, s.LastOpenedAt = s.Openings+1, now
		opened = shares.Opened{Share: s, Fresh: true}
		if _, err := t.exec(ctx, `INSERT INTO share_openings (share_id, client, opened_at, last_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (share_id, client) DO UPDATE SET opened_at = excluded.opened_at, last_at = excluded.last_at`,
			s.ID, client, storeform.Micros(now), storeform.Micros(now)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE recording_shares SET openings = ?, last_opened_at = ? WHERE id = ?", s.Openings, storeform.Micros(now), s.ID); err != nil {
			return err
		}
		return t.audit(ctx, storeform.OpenedLine(&s, &o))
	})
	return opened, err
}
