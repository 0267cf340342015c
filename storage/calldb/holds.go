package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needKeeping refuses what a schema before keepingSchema can't keep.
func (t *tx) needKeeping() error {
	if t.keeping {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: legal holds and deletions need version %d of the schema: run \"switchtape migrate up\"", keepingSchema)
}

// clock is the database's clock, in microseconds since 1970 UTC.
func (t *tx) clock(ctx context.Context) (now int64, err error) {
	err = t.row(ctx, "SELECT @now").Scan(&now)
	return now, err
}

const holdColumns = "id, tenant_id, scope, subject, reason, placed_at, placed_by, lifted_at, lifted_by, lift_reason"

func scanHold(s scanner) (h retention.Hold, err error) {
	var placed, lifted int64
	err = s.Scan(&h.ID, &h.TenantID, &h.Scope, &h.Subject, &h.Reason, &placed, &h.PlacedBy, &lifted, &h.LiftedBy, &h.LiftReason)
	h.PlacedAt, h.LiftedAt = storeform.Time(placed), storeform.Time(lifted)
	return h, err
}

// PlaceHold implements recordinghttp.Keeper.
func (d *DB) PlaceHold(ctx context.Context, hold retention.Hold, actor string) (h retention.Hold, err error) {
	err = d.update(ctx, "place a legal hold", func(ctx context.Context, t *tx) error {
		if err := t.needKeeping(); err != nil {
			return err
		}
		now, err := t.clock(ctx)
		if err != nil {
			return err
		}
		var last string
		if err := t.row(ctx, "SELECT COALESCE(max(id), '') FROM legal_holds WHERE tenant_id = ?", storeform.Text(string(hold.TenantID), storeform.MaxKey)).Scan(&last); err != nil {
			return err
		}
		if h, err = storeform.NewHold(&hold, actor, storeform.Time(now), retention.HoldID(last)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO legal_holds (id, tenant_id, scope, subject, reason, placed_at, placed_by) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			string(h.ID), string(h.TenantID), string(h.Scope), h.Subject, h.Reason, now, h.PlacedBy); err != nil {
			return err
		}
		known, erased, err := t.heldKnown(ctx, &h)
		if err != nil {
			return err
		}
		h.Warning = storeform.WarnOfHold(&h, known, erased)
		return t.audit(ctx, storeform.HoldLine(retention.AuditHoldPlaced, &h))
	})
	if err != nil {
		return retention.Hold{}, err
	}
	return h, nil
}

// heldKnown reports whether what the hold is on is, or was, there, and whether it is a
// recording that was deleted.
func (t *tx) heldKnown(ctx context.Context, h *retention.Hold) (known, erased bool, err error) {
	var gone int64
	switch h.Scope {
	case retention.HoldRecording:
		err = t.row(ctx, "SELECT erased FROM jobs WHERE tenant_id = ? AND recording_id = ?", string(h.TenantID), h.Subject).Scan(&gone)
	case retention.HoldCall:
		err = t.row(ctx, "SELECT 0 FROM calls WHERE tenant_id = ? AND id = ?", string(h.TenantID), h.Subject).Scan(&gone)
	case retention.HoldUser:
		err = t.row(ctx, "SELECT 0 FROM directory WHERE kind = ? AND tenant_id = ? AND id = ? AND version > 0", storeform.KindUser, string(h.TenantID), h.Subject).Scan(&gone)
	case retention.HoldNumber, retention.HoldTenant:
		return true, false, nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, gone == 1, err
}

// hadNumber is a user under a hold who has or had one of the numbers; "" for none.
func (t *tx) hadNumber(ctx context.Context, tenant callmodel.TenantID, numbers []string) (subject string, err error) {
	if len(numbers) == 0 {
		return "", nil
	}
	var has []string
	args := []any{string(tenant)}
	for i := range mostNumbers {
		text, err := json.Marshal(numbers[min(i, len(numbers)-1)]) // as the user's JSON has it
		if err != nil {
			return "", err
		}
		has, args = append(has, "@find(v.doc, ?) > 0"), append(args, string(text))
	}
	err = t.each(ctx, func(s scanner) error {
		var id, doc string
		if err := s.Scan(&id, &doc); err != nil {
			return err
		}
		if subject == "" && storeform.HasNumber(doc, numbers) {
			subject = id
		}
		return nil
	}, `SELECT h.subject, v.doc FROM legal_holds AS h JOIN directory_versions AS v ON v.kind = 'user' AND v.tenant_id = h.tenant_id AND v.id = h.subject
		WHERE h.tenant_id = ? AND h.lifted_at = 0 AND h.scope = 'user' AND (`+strings.Join(has, " OR ")+") ORDER BY h.id", args...)
	return subject, err
}

// mostNumbers is how many numbers a call has: a caller's and a callee's, each also as it
// was given.
const mostNumbers = 4

// hold reads one hold, locked if it is to be changed.
func (t *tx) hold(ctx context.Context, tenant callmodel.TenantID, id retention.HoldID, lock string) (retention.Hold, error) {
	if err := t.needKeeping(); err != nil {
		return retention.Hold{}, err
	}
	if storeform.CheckKey("id", string(id)) != nil {
		return retention.Hold{}, callmodel.ErrNotFound
	}
	h, err := scanHold(t.row(ctx, "SELECT "+holdColumns+" FROM legal_holds WHERE id = ? AND tenant_id = ?"+lock, string(id), storeform.Text(string(tenant), storeform.MaxKey)))
	if errors.Is(err, sql.ErrNoRows) {
		return retention.Hold{}, callmodel.ErrNotFound
	}
	return h, err
}

// Hold implements recordinghttp.Keeper.
func (d *DB) Hold(ctx context.Context, tenant callmodel.TenantID, id retention.HoldID) (h retention.Hold, err error) {
	err = d.view(ctx, "read a legal hold", func(ctx context.Context, t *tx) error {
		h, err = t.hold(ctx, tenant, id, "")
		return err
	})
	return h, err
}

// LiftHold implements recordinghttp.Keeper.
func (d *DB) LiftHold(ctx context.Context, l retention.Lift) (h retention.Hold, err error) {
	if err := l.Validate(); err != nil {
		return h, err
	}
	err = d.update(ctx, "lift a legal hold", func(ctx context.Context, t *tx) error {
		if h, err = t.hold(ctx, l.TenantID, l.ID, " @forupdate"); err != nil {
			return err
		}
		now, err := t.clock(ctx)
		if err != nil {
			return err
		}
		if err := storeform.LiftHold(&h, &l, storeform.Time(now)); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE legal_holds SET lifted_at = ?, lifted_by = ?, lift_reason = ? WHERE id = ?", now, h.LiftedBy, h.LiftReason, string(h.ID)); err != nil {
			return err
		}
		return t.audit(ctx, storeform.HoldLine(retention.AuditHoldLifted, &h))
	})
	if err != nil {
		return retention.Hold{}, err
	}
	return h, nil
}

// Holds implements recordinghttp.Keeper.
func (d *DB) Holds(ctx context.Context, f retention.HoldFilter) (list []retention.Hold, err error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	which, args := "tenant_id = ? AND id > ?", []any{storeform.Text(string(f.TenantID), storeform.MaxKey), storeform.Text(string(f.After), storeform.MaxKey)}
	if f.Scope != "" {
		which, args = which+" AND scope = ?", append(args, string(f.Scope))
	}
	if f.Subject != "" {
		which, args = which+" AND subject = ?", append(args, storeform.Text(f.Subject, storeform.MaxKey))
	}
	if !f.Lifted {
		which += " AND lifted_at = 0"
	}
	err = d.view(ctx, "list legal holds", func(ctx context.Context, t *tx) error {
		list = []retention.Hold{}
		if err := t.needKeeping(); err != nil {
			return err
		}
		return t.each(ctx, func(s scanner) error {
			h, err := scanHold(s)
			list = append(list, h)
			return err
		}, "SELECT "+holdColumns+" FROM legal_holds WHERE "+which+" ORDER BY id LIMIT ?", append(args, storeform.HoldsLimit(f.Limit))...)
	})
	return list, err
}

// HoldsInForce counts the legal holds that aren't lifted, of all tenants, by their index.
func (d *DB) HoldsInForce(ctx context.Context) (n int64, err error) {
	err = d.view(ctx, "count legal holds", func(ctx context.Context, t *tx) error {
		if !t.keeping {
			n = 0
			return nil
		}
		return t.row(ctx, "SELECT count(*) FROM legal_holds WHERE lifted_at = 0").Scan(&n)
	})
	return n, err
}

// HeldBy implements lifecycle.Holds.
func (d *DB) HeldBy(ctx context.Context, r retention.Recording) (held *retention.HeldError, err error) {
	err = d.view(ctx, "look for legal holds", func(ctx context.Context, t *tx) error {
		held, err = t.heldBy(ctx, r)
		return err
	})
	return held, err
}

// heldBy is the first hold that is on the recording; nil for none. Without a recording's
// id it is that on the call.
func (t *tx) heldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error) {
	if !t.keeping {
		return nil, nil //nolint:nilnil // none is no fault
	}
	const now = "SELECT " + holdColumns + " FROM legal_holds WHERE tenant_id = ? AND lifted_at = 0"
	first := func(which string, args ...any) (*retention.HeldError, error) {
		h, err := scanHold(t.row(ctx, now+which+" ORDER BY id LIMIT 1", append([]any{string(r.TenantID)}, args...)...))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil //nolint:nilnil // as above
		}
		if err != nil {
			return nil, err
		}
		return &retention.HeldError{Hold: h}, nil
	}
	// Most tenants have none.
	if one, err := first(""); one == nil || err != nil {
		return nil, err
	}
	held, err := first(" AND (scope = 'tenant' OR scope = 'recording' AND subject = ? OR scope = 'call' AND subject = ?)", string(r.RecordingID), string(r.CallID))
	if held != nil || err != nil {
		return held, err
	}
	var doc string
	err = t.row(ctx, "SELECT doc FROM calls WHERE tenant_id = ? AND id = ?", string(r.TenantID), string(r.CallID)).Scan(&doc)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var c calls.Call
	if err != nil || json.Unmarshal([]byte(doc), &c) != nil {
		if held, err = first(" AND scope IN ('user', 'number')"); held != nil {
			held.Unsure = true
		}
		return held, err
	}
	ids, numbers := storeform.Parties(&c)
	var which []string
	var args []any
	for _, of := range []struct {
		scope    retention.HoldScope
		subjects []string
	}{{retention.HoldUser, ids}, {retention.HoldNumber, numbers}} {
		if len(of.subjects) > 0 {
			which = append(which, "scope = '"+string(of.scope)+"' AND subject IN ("+marks(mostNumbers)+")")
			for i := range mostNumbers {
				args = append(args, of.subjects[min(i, len(of.subjects)-1)])
			}
		}
	}
	if len(which) > 0 {
		if held, err = first(" AND ("+strings.Join(which, " OR ")+")", args...); held != nil || err != nil {
			return held, err
		}
	}
	user, err := t.hadNumber(ctx, r.TenantID, storeform.Strangers(&c))
	if user == "" || err != nil {
		return nil, err
	}
	return first(" AND scope = 'user' AND subject = ?", user)
}
