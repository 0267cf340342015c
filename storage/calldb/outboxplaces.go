package calldb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// needReaders refuses what a schema before intakeSchema can't keep.
func (t *tx) needReaders() error {
	if t.intake {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: the schema keeps no readers of the outbox yet: run \"switchtape migrate up\"")
}

func scanPlace(s scanner) (p outbox.Place, err error) {
	var left int64
	if err := s.Scan(&p.Through, &p.Holder, &left); err != nil {
		return p, err
	}
	if p.Held = time.Duration(left) * time.Microsecond; p.Holder == "" || left <= 0 {
		p.Holder, p.Held = "", 0
	}
	return p, nil
}

const placeColumns = "through, holder, holder_until - @now"

// OutboxPlace implements publish.Outbox.
func (d *DB) OutboxPlace(ctx context.Context, name string) (p outbox.Place, err error) {
	err = d.view(ctx, "see how far the outbox was read", func(ctx context.Context, t *tx) error {
		if err := t.needReaders(); err != nil {
			return err
		}
		p, err = scanPlace(t.row(ctx, "SELECT "+placeColumns+" FROM outbox_readers WHERE name = ?", storeform.Text(name, storeform.MaxKey)))
		if errors.Is(err, sql.ErrNoRows) {
			p, err = outbox.Place{}, nil
		}
		if err != nil {
			return err
		}
		var more int64
		err = t.row(ctx, "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE id > ? LIMIT 1) AS more", p.Through).Scan(&more)
		p.More = more > 0
		return err
	})
	return p, err
}

// TakeOutbox implements publish.Outbox.
func (d *DB) TakeOutbox(ctx context.Context, r outbox.Reader) (p outbox.Place, err error) {
	if err := storeform.CheckReader(&r); err != nil {
		return p, err
	}
	err = d.update(ctx, "read the outbox", func(ctx context.Context, t *tx) error {
		if err := t.needReaders(); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO outbox_readers (name, through, holder, holder_until, read_at) VALUES (?, 0, ?, @now + ?, @now)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, holder_until = excluded.holder_until, read_at = excluded.read_at
			WHERE outbox_readers.holder IN ('', excluded.holder) OR outbox_readers.holder_until <= @now`,
			r.Name, r.Holder, r.TTL.Microseconds()); err != nil {
			return err
		}
		p, err = scanPlace(t.row(ctx, "SELECT "+placeColumns+" FROM outbox_readers WHERE name = ?", r.Name))
		return err
	})
	return p, err
}

// AdvanceOutbox implements publish.Outbox.
func (d *DB) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	if err := storeform.CheckReader(&r); err != nil {
		return err
	}
	return d.update(ctx, "note how far the outbox was read", func(ctx context.Context, t *tx) error {
		if err := t.needReaders(); err != nil {
			return err
		}
		// One whose time is over goes on, unless somebody else has begun.
		n, err := t.exec(ctx, `UPDATE outbox_readers SET through = CASE WHEN through > ? THEN through ELSE ? END, holder_until = @now + ?, read_at = @now
			WHERE name = ? AND holder = ?`, through, through, r.TTL.Microseconds(), r.Name, r.Holder)
		if err == nil && n == 0 {
			err = callmodel.ErrLeaseLost
		}
		return err
	})
}

// LeaveOutbox implements publish.Outbox.
func (d *DB) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	if err := storeform.CheckReader(&r); err != nil {
		return err
	}
	return d.update(ctx, "leave the outbox", func(ctx context.Context, t *tx) error {
		if !t.intake {
			return nil
		}
		_, err := t.exec(ctx, "UPDATE outbox_readers SET holder = '', holder_until = 0, read_at = @now WHERE name = ? AND holder = ?", r.Name, r.Holder)
		return err
	})
}
