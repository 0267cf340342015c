package calldb

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// tx is one transaction. Every lock on a row is taken before the first line is
// added to the audit log or the outbox: those hold a lock that their readers
// wait for, and a writer that then waited for a row could close a circle.
type tx struct {
	p     *pool
	tx    *sql.Tx
	kinds bool // the schema is kindsSchema or a later one
	fair  bool // it is fairSchema or a later one
	fleet bool // fleetSchema or a later one
	turns bool // turnsSchema or a later one
	terms bool // termsSchema or a later one
	keys  bool // keysSchema or a later one
	// directory: directorySchema or a later one
	directory bool
	reports   bool // reportsSchema or a later one
	retention bool // retentionSchema or a later one
	ruleParts bool // rulePartsSchema or a later one
	intake    bool // intakeSchema or a later one
	webhooks  bool // webhooksSchema or a later one
	promise   bool // promiseSchema or a later one
	defects   bool // defectsSchema or a later one
	keeping   bool // keepingSchema or a later one
	shares    bool // sharesSchema or a later one
	subjects  bool // subjectsSchema or a later one
	listeners *listeners
	secrets   *SecretKeys // nil: secrets are kept as they are
	bells     *bells
	tell      func(queues []string)
	held      []string // queues to tell of once it is committed
}

func (d *DB) newTx(p *pool, t *sql.Tx) *tx {
	at := d.schema.Load()
	return &tx{
		p: p, tx: t, bells: &d.bells, tell: d.tell, listeners: &d.listeners, secrets: d.opts.SecretKeys, kinds: at >= kindsSchema, fair: at >= fairSchema, fleet: at >= fleetSchema, turns: at >= turnsSchema,
		terms: at >= termsSchema, directory: at >= directorySchema, keys: at >= keysSchema,
		reports: at >= reportsSchema, retention: at >= retentionSchema, ruleParts: at >= rulePartsSchema, intake: at >= intakeSchema, webhooks: at >= webhooksSchema,
		promise: at >= promiseSchema, defects: at >= defectsSchema, keeping: at >= keepingSchema, shares: at >= sharesSchema, subjects: at >= subjectsSchema,
	}
}

// sinceKinds is the part of a statement that there are columns for from
// kindsSchema on.
func (t *tx) sinceKinds(part string) string {
	if t.kinds {
		return part
	}
	return ""
}

// sinceFair is the part of a statement that there are columns for from fairSchema on.
func (t *tx) sinceFair(part string) string {
	if t.fair {
		return part
	}
	return ""
}

func (t *tx) exec(ctx context.Context, template string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if s := t.stmt(ctx, template); s != nil { //nolint:sqlclosecheck // the pool keeps it prepared
		res, err = s.ExecContext(ctx, args...)
	} else {
		res, err = t.tx.ExecContext(ctx, t.p.text(template), args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row runs a query of at most one row; sql.ErrNoRows comes from Scan.
func (t *tx) row(ctx context.Context, template string, args ...any) scanner {
	if s := t.stmt(ctx, template); s != nil { //nolint:sqlclosecheck // the pool keeps it prepared
		return s.QueryRowContext(ctx, args...)
	}
	return t.tx.QueryRowContext(ctx, t.p.text(template), args...)
}

// each runs a query and calls scan for every row.
func (t *tx) each(ctx context.Context, scan func(scanner) error, template string, args ...any) error {
	var rows *sql.Rows
	var err error
	if s := t.stmt(ctx, template); s != nil { //nolint:sqlclosecheck // the pool keeps it prepared
		rows, err = s.QueryContext(ctx, args...)
	} else {
		rows, err = t.tx.QueryContext(ctx, t.p.text(template), args...)
	}
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// eachOnce is each for a statement of many forms, of which none is to be kept.
func (t *tx) eachOnce(ctx context.Context, scan func(scanner) error, template string, args ...any) error {
	rows, err := t.tx.QueryContext(ctx, t.p.d.translate(template), args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

func eachRow(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close() //nolint:errcheck // rows.Err tells what went wrong
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// stmt is the prepared statement for the template; nil where the driver keeps
// its own, or when it is still to be prepared.
func (t *tx) stmt(ctx context.Context, template string) *sql.Stmt {
	if !t.p.d.prepare {
		return nil
	}
	if s := t.p.prepared(t.p.text(template)); s != nil {
		return t.tx.StmtContext(ctx, s)
	}
	return nil
}

type scanner interface{ Scan(dest ...any) error }

// update runs fn in a transaction that writes, again if the database asks for
// it. fn may run several times: it must set its results anew each time.
func (d *DB) update(ctx context.Context, op string, fn func(context.Context, *tx) error) error {
	return d.bounded(ctx, op, func(ctx context.Context) error { return d.transact(ctx, op, fn) })
}

// transact does what update says.
func (d *DB) transact(ctx context.Context, op string, fn func(context.Context, *tx) error) error {
	err := d.use(ctx)
	if err != nil {
		return err
	}
	d.lookAtListeners(ctx)
	for try := 0; ; try++ {
		if d.dialect.group {
			err = d.group.do(ctx, fn)
		} else {
			err = d.once(ctx, d.write, fn)
		}
		if err == nil || try >= d.dialect.retries || d.dialect.classify(err) != faultRetry {
			break
		}
		if !pause(ctx, time.Duration(1+rand.IntN(10<<min(try, 4)))*time.Millisecond) { //nolint:gosec // jitter needs no secrecy
			break
		}
	}
	return d.fail(op, err)
}

func (d *DB) once(ctx context.Context, p *pool, fn func(context.Context, *tx) error) error {
	t, err := p.begin(ctx)
	if err != nil {
		return err
	}
	own := d.newTx(p, t)
	if err := fn(ctx, own); err != nil {
		return errors.Join(err, rolledBack(t))
	}
	if err := t.Commit(); err != nil {
		return err
	}
	if len(own.held) > 0 {
		d.bells.hold(own.held, d.tell)
	}
	return nil
}

// rolledBack undoes t. That it was undone already is no news.
func rolledBack(t *sql.Tx) error {
	if err := t.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// view runs fn on a consistent view of the database. It writes nothing.
func (d *DB) view(ctx context.Context, op string, fn func(context.Context, *tx) error) error {
	return d.bounded(ctx, op, func(ctx context.Context) error {
		if err := d.use(ctx); err != nil {
			return err
		}
		return d.fail(op, d.once(ctx, d.read, fn))
	})
}

// bounded runs do within Options.Timeout.
func (d *DB) bounded(ctx context.Context, op string, do func(context.Context) error) error {
	own, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	err := do(own)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: %s: %s: the database did not answer within %v: %w", d.name, op, d.opts.Timeout, err)
	}
	return err
}

// use checks the schema of a database that was opened without, until it is fit. A
// schema before the newest is looked at every time, so that its statements are
// given up as soon as it has been migrated, whoever does that.
func (d *DB) use(ctx context.Context) error {
	if d.usable.Load() {
		if d.schema.Load() >= newestSchema {
			return nil
		}
		_, err := d.schemaVersion(ctx)
		return err
	}
	if err := d.CheckSchema(ctx); err != nil {
		return err
	}
	d.usable.Store(true)
	return nil
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
