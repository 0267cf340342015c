package calldb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/seals"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// sealedAtOnce bounds a seal's lines.
const sealedAtOnce = 1000

// SealAudit seals the lines of the audit log that aren't yet, at most 1000, and returns
// the seal; nil if there are none, or another process was faster. more says that there
// are more lines. Writers of lines don't wait for it.
func (d *DB) SealAudit(ctx context.Context) (seal *seals.Seal, more bool, err error) {
	const op = "seal the audit log"
	var last *seals.Seal
	var lines []seals.Line
	err = d.viewLines(ctx, op, func(ctx context.Context, t *tx) error {
		last, lines = nil, nil
		if !t.keys {
			return nil
		}
		if last, err = t.seal(ctx, "ORDER BY seq DESC LIMIT 1"); err != nil {
			return err
		}
		from := int64(0)
		if last != nil {
			from = last.ToID
		}
		lines, err = t.auditLines(ctx, "id > ? ORDER BY id LIMIT ?", from, sealedAtOnce)
		return err
	})
	if err != nil || len(lines) == 0 {
		return nil, false, err
	}
	next := seals.Next(last, lines)
	err = d.update(ctx, op, func(ctx context.Context, t *tx) error {
		seal = nil
		var at int64
		// Of those who are at it together one is the first, and the others did it in vain.
		err := t.row(ctx, `INSERT INTO audit_seals (seq, from_id, to_id, lines, digests, lines_sha, previous, hash, sealed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, @now) ON CONFLICT (seq) DO NOTHING RETURNING sealed_at`,
			next.Seq, next.FromID, next.ToID, next.Lines, next.Digests, next.LinesSHA, next.Previous, next.Hash).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		next.SealedAt = storeform.Time(at)
		seal = &next
		return err
	})
	return seal, len(lines) == sealedAtOnce, err
}

// seal is the first seal of a query; nil if there is none.
func (t *tx) seal(ctx context.Context, where string, args ...any) (*seals.Seal, error) {
	var s seals.Seal
	var sealed, pruned int64
	err := t.row(ctx, "SELECT seq, from_id, to_id, lines, digests, lines_sha, previous, hash, sealed_at, pruned_at FROM audit_seals "+where, args...).
		Scan(&s.Seq, &s.FromID, &s.ToID, &s.Lines, &s.Digests, &s.LinesSHA, &s.Previous, &s.Hash, &sealed, &pruned)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // it is said so above
	}
	s.SealedAt, s.PrunedAt = storeform.Time(sealed), storeform.Time(pruned)
	return &s, err
}

func (t *tx) auditLines(ctx context.Context, where string, args ...any) ([]seals.Line, error) {
	var lines []seals.Line
	return lines, t.each(ctx, func(s scanner) error {
		var l seals.Line
		err := s.Scan(&l.ID, &l.TenantID, &l.AtMicros, &l.Actor, &l.Action, &l.Subject, &l.Detail)
		lines = append(lines, l)
		return err
	}, "SELECT id, tenant_id, at, actor, action, subject, detail FROM audit WHERE "+where, args...)
}

// maxFaults bounds the faults that a report lists.
const maxFaults = 1000

// VerifyAudit looks at every seal of the audit log and at the lines of each that wasn't
// pruned. head, if it isn't "", is the hash of a seal that there was, as the service's
// log told: that it is missing is a fault, by which it is known that the end was cut off.
// The error is of the database alone: what is wrong of the log is in the report.
func (d *DB) VerifyAudit(ctx context.Context, head string) (seals.Report, error) {
	r := seals.Report{Faults: []seals.Fault{}}
	add := func(faults []seals.Fault) {
		room := max(maxFaults-len(r.Faults), 0)
		r.Faults = append(r.Faults, faults[:min(room, len(faults))]...)
		r.More += int64(len(faults) - min(room, len(faults)))
	}
	var before *seals.Seal
	found := head == ""
	for {
		s, lines, err := d.sealAndLines(ctx, before)
		if err != nil {
			return r, err
		}
		if s == nil {
			break
		}
		r.Seals++
		r.Head, found = s.Hash, found || s.Hash == head
		add(s.CheckChain(before))
		if s.PrunedAt.IsZero() {
			r.Lines += int64(len(lines))
			add(s.Compare(lines))
		} else {
			r.Pruned += int64(s.Lines)
			for i := range lines {
				add([]seals.Fault{{Kind: seals.Inserted, Seal: s.Seq, LineID: lines[i].ID, Detail: "the lines of its place were pruned"}})
			}
		}
		s.Digests = nil
		before = s
	}
	if !found {
		add([]seals.Fault{{Kind: seals.Cut, Seal: r.Seals + 1, Detail: "there is no seal with the hash " + head + ": the end of the log was cut off, or made anew"}})
	}
	err := d.view(ctx, "count the lines that aren't sealed", func(ctx context.Context, t *tx) error {
		from := int64(0)
		if before != nil {
			from = before.ToID
		}
		// No line has such an id, and no seal has its place.
		early, err := t.auditLines(ctx, "id <= 0 ORDER BY id LIMIT ?", maxFaults)
		if err != nil {
			return err
		}
		for i := range early {
			add([]seals.Fault{{Kind: seals.Inserted, LineID: early[i].ID, Detail: "lines have ids from 1"}})
		}
		return t.row(ctx, "SELECT count(*) FROM audit WHERE id > ?", from).Scan(&r.Unsealed)
	})
	return r, err
}

// sealAndLines is the seal behind the one before, and the lines of its place. They are
// looked at once more if they don't fit: pruning may have come between.
func (d *DB) sealAndLines(ctx context.Context, before *seals.Seal) (s *seals.Seal, lines []seals.Line, err error) {
	after := int64(0)
	if before != nil {
		after = before.Seq
	}
	for range 2 {
		err = d.view(ctx, "verify the audit log", func(ctx context.Context, t *tx) error {
			s, lines = nil, nil
			if !t.keys {
				return nil
			}
			if s, err = t.seal(ctx, "WHERE seq > ? ORDER BY seq LIMIT 1", after); err != nil || s == nil {
				return err
			}
			lines, err = t.auditLines(ctx, "id > ? AND id <= ? ORDER BY id", s.FromID, s.ToID)
			return err
		})
		if err != nil || s == nil || !s.PrunedAt.IsZero() || s.Compare(lines) == nil {
			break
		}
	}
	return s, lines, err
}

// PruneAudit takes out the lines that were sealed before the time, a seal's at a time,
// and returns how many. Their seals stay, and so do the newest seal's lines. Lines that
// aren't as they were sealed are evidence, and end it with CodeConflict. actor is who it
// is for, in the audit log of tenant.
func (d *DB) PruneAudit(ctx context.Context, before time.Time, tenant callmodel.TenantID, actor string) (pruned int64, err error) {
	for {
		done := false
		n := int64(0)
		err = d.update(ctx, "prune the audit log", func(ctx context.Context, t *tx) error {
			n, done = 0, true
			if !t.keys {
				return nil
			}
			s, err := t.seal(ctx, `WHERE pruned_at = 0 AND sealed_at < ? AND seq < (SELECT max(seq) FROM audit_seals) ORDER BY seq LIMIT 1 @forupdate`, storeform.Micros(before))
			if err != nil || s == nil {
				return err
			}
			lines, err := t.auditLines(ctx, "id > ? AND id <= ? ORDER BY id", s.FromID, s.ToID)
			if err != nil {
				return err
			}
			if faults := slices.Concat(s.Compare(lines), sealItself(s)); faults != nil {
				return callmodel.Errorf(callmodel.CodeConflict, "calldb: %s; the lines are kept as evidence: see \"switchtape audit verify\"", faults[0])
			}
			if _, err := t.exec(ctx, "UPDATE audit_seals SET pruned_at = @now, digests = ? WHERE seq = ?", []byte{}, s.Seq); err != nil {
				return err
			}
			if n, err = t.exec(ctx, "DELETE FROM audit WHERE id > ? AND id <= ?", s.FromID, s.ToID); err != nil {
				return err
			}
			done = false
			return t.audit(ctx, callmodel.AuditEvent{
				TenantID: tenant, Actor: actor, Action: callmodel.AuditPruned, Subject: strconv.FormatInt(s.Seq, 10),
				Detail: map[string]string{"lines": strconv.FormatInt(n, 10), "to_id": strconv.FormatInt(s.ToID, 10), "hash": s.Hash},
			})
		})
		pruned += n
		if err != nil || done {
			return pruned, err
		}
	}
}

// sealItself is what is wrong with a seal, whatever stands before it.
func sealItself(s *seals.Seal) []seals.Fault {
	return s.CheckChain(&seals.Seal{Seq: s.Seq - 1, ToID: s.FromID, Hash: s.Previous})
}
