package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needLetters refuses what a schema before intakeSchema can't keep.
func (t *tx) needLetters() error {
	if t.intake {
		return nil
	}
	return deadletter.ErrNotKept
}

const (
	letterColumns = `l.seq, l.nonce, l.tenant_id, l.source, l.message_id, l.kind, l.code, l.reason, l.bytes, l.state,
	l.at, l.settled_at, l.settled_by, l.job_id, `
	wholeLetter  = letterColumns + "l.body"
	letterNoBody = letterColumns + "substr(l.body, 1, 0)"
)

func scanLetter(s scanner) (l deadletter.Letter, seq int64, err error) {
	var nonce string
	var body []byte
	var size, at, settled int64
	if err := s.Scan(&seq, &nonce, &l.TenantID, &l.Source, &l.MessageID, &l.Kind, &l.Code, &l.Reason, &size, &l.State,
		&at, &settled, &l.SettledBy, &l.JobID, &body); err != nil {
		return l, 0, err
	}
	l.SetBody(body)
	l.ID, l.Bytes, l.At, l.SettledAt = storeform.LetterID(seq, nonce), int(size), storeform.Time(at), storeform.Time(settled)
	return l, seq, nil
}

// Tried implements intake.DeadLetters.
func (d *DB) Tried(ctx context.Context, source, fingerprint string) (tries int, err error) {
	if err := storeform.CheckTry(source, fingerprint); err != nil {
		return 0, err
	}
	err = d.update(ctx, "count a try at a message", func(ctx context.Context, t *tx) error {
		if tries = 1; !t.intake {
			return nil
		}
		if _, err := t.exec(ctx, "DELETE FROM intake_tries WHERE at < @now - ?", storeform.TriesKept.Microseconds()); err != nil {
			return err
		}
		return t.row(ctx, `INSERT INTO intake_tries (source, fingerprint, tries, at) VALUES (?, ?, 1, @now)
			ON CONFLICT (source, fingerprint) DO UPDATE SET tries = intake_tries.tries + 1, at = excluded.at RETURNING tries`,
			source, fingerprint).Scan(&tries)
	})
	return tries, err
}

// Taken implements intake.DeadLetters.
func (d *DB) Taken(ctx context.Context, source, fingerprint string) error {
	if err := storeform.CheckTry(source, fingerprint); err != nil {
		return err
	}
	return d.update(ctx, "forget the tries at a message", func(ctx context.Context, t *tx) error {
		if !t.intake {
			return nil
		}
		return t.forgetTries(ctx, source, fingerprint)
	})
}

func (t *tx) forgetTries(ctx context.Context, source, fingerprint string) error {
	_, err := t.exec(ctx, "DELETE FROM intake_tries WHERE source = ? AND fingerprint = ?", source, fingerprint)
	return err
}

// KeepLetter implements intake.DeadLetters.
func (d *DB) KeepLetter(ctx context.Context, n deadletter.New) (id deadletter.ID, created bool, err error) {
	l, err := storeform.NewLetter(&n)
	if err != nil {
		return "", false, err
	}
	err = d.update(ctx, "keep a dead letter", func(ctx context.Context, t *tx) error {
		if err := t.needLetters(); err != nil {
			return err
		}
		if err := t.forgetTries(ctx, n.Source, n.Fingerprint); err != nil {
			return err
		}
		nonce := storeform.Nonce()
		var seq int64
		err := t.row(ctx, `INSERT INTO dead_letters (nonce, tenant_id, source, fingerprint, message_id, kind, code, reason, body, bytes, state, at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, @now) ON CONFLICT (source, fingerprint) DO NOTHING RETURNING seq`,
			nonce, string(l.TenantID), l.Source, n.Fingerprint, l.MessageID, l.Kind, string(l.Code), l.Reason, l.Body(), l.Bytes, string(l.State)).Scan(&seq)
		if created = err == nil; created {
			l.ID = storeform.LetterID(seq, nonce)
			id = l.ID
			return t.audit(ctx, storeform.LetterLine(deadletter.AuditKept, &l, storeform.System))
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = t.row(ctx, "SELECT seq, nonce FROM dead_letters WHERE source = ? AND fingerprint = ?", l.Source, n.Fingerprint).Scan(&seq, &nonce)
		id = storeform.LetterID(seq, nonce)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return id, created, nil
}

// letter reads one letter, of the tenant's unless that is "".
func (t *tx) letter(ctx context.Context, tenant callmodel.TenantID, id deadletter.ID, lock string) (deadletter.Letter, int64, error) {
	seq, nonce, ok := storeform.ParseLetterID(id)
	if !ok {
		return deadletter.Letter{}, 0, callmodel.ErrNotFound
	}
	l, seq, err := scanLetter(t.row(ctx, "SELECT "+wholeLetter+" FROM dead_letters l WHERE l.seq = ? AND l.nonce = ? "+lock, seq, nonce))
	if errors.Is(err, sql.ErrNoRows) || err == nil && tenant != "" && l.TenantID != tenant {
		return deadletter.Letter{}, 0, callmodel.ErrNotFound
	}
	return l, seq, err
}

// Letter implements recordinghttp.DeadLetters.
func (d *DB) Letter(ctx context.Context, tenant callmodel.TenantID, id deadletter.ID) (deadletter.Letter, error) {
	var l deadletter.Letter
	err := d.view(ctx, "read a dead letter", func(ctx context.Context, t *tx) (err error) {
		if err = t.needLetters(); err == nil {
			l, _, err = t.letter(ctx, tenant, id, "")
		}
		return err
	})
	return l, err
}

// Letters implements recordinghttp.DeadLetters.
func (d *DB) Letters(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error) {
	after, err := storeform.AfterLetter(f.After)
	if err != nil {
		return nil, err
	}
	var all []deadletter.Letter
	err = d.view(ctx, "list dead letters", func(ctx context.Context, t *tx) error {
		all = []deadletter.Letter{}
		if err := t.needLetters(); err != nil {
			return err
		}
		var where condition
		for _, is := range [][2]string{{"l.tenant_id", string(f.TenantID)}, {"l.state", string(f.State)}, {"l.source", f.Source}} {
			if is[1] != "" {
				where.and(is[0]+" = ?", storeform.Text(is[1], deadletter.MaxSource))
			}
		}
		args := append(append([]any{after}, where.args...), storeform.JobsLimit(f.Limit))
		return t.each(ctx, func(s scanner) error {
			l, _, err := scanLetter(s)
			all = append(all, l)
			return err
		}, "SELECT "+letterNoBody+" FROM dead_letters l WHERE l.seq > ?"+where.text()+" ORDER BY l.seq LIMIT ?", args...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// SettleLetter implements recordinghttp.DeadLetters.
func (d *DB) SettleLetter(ctx context.Context, c deadletter.Settle) (deadletter.Letter, error) {
	if err := storeform.CheckSettle(&c); err != nil {
		return deadletter.Letter{}, err
	}
	c.Actor = cmp.Or(c.Actor, storeform.System)
	var l deadletter.Letter
	err := d.update(ctx, "settle a dead letter", func(ctx context.Context, t *tx) error {
		if err := t.needLetters(); err != nil {
			return err
		}
		var seq int64
		var err error
		if l, seq, err = t.letter(ctx, c.TenantID, c.ID, "@forupdate"); err != nil {
			return err
		}
		now, err := t.now(ctx)
		if err != nil {
			return err
		}
		line, done, err := storeform.SettleLetter(&l, &c, now)
		if err != nil || done {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE dead_letters SET state = ?, job_id = ?, settled_at = ?, settled_by = ? WHERE seq = ?",
			string(l.State), string(l.JobID), storeform.Micros(l.SettledAt), l.SettledBy, seq); err != nil {
			return err
		}
		return t.audit(ctx, line)
	})
	if err != nil {
		return deadletter.Letter{}, err
	}
	return l, nil
}
