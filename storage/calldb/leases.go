package calldb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

const (
	// sweepMost bounds how many expired leases one claim clears up.
	sweepMost = 100
	// wakeMost bounds how many jobs one claim lets into the line.
	wakeMost = 500
)

// Claim implements worker.Ledger.
func (d *DB) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	if err := storeform.CheckClaim(&r); err != nil {
		return nil, err
	}
	var leases []ledger.Lease
	var turn storeform.Turn
	err := d.update(ctx, "claim", func(ctx context.Context, t *tx) error {
		leases, turn = make([]ledger.Lease, 0, r.Limit), d.turns.Turn()
		there, err := t.claimable(ctx, &r)
		if err != nil {
			return err
		}
		there.expired = there.expired && !r.LeaveExpired
		var lines []func(context.Context) error
		if there.expired || there.ripe {
			if lines, err = t.sweep(ctx, &there); err != nil {
				return err
			}
			if there, err = t.claimable(ctx, &r); err != nil {
				return err
			}
		}
		if err := t.claim(ctx, &r, &there, &turn, &leases); err != nil {
			return err
		}
		for _, add := range lines {
			if err := add(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(leases) > 0 {
		d.turns.Set(turn)
	}
	slices.SortFunc(leases, storeform.Urgent)
	return leases, nil
}

// claim leases a suspect, or else what is in line: see takeTurns. turn is whose turn it
// is, and then whose it is next.
func (t *tx) claim(ctx context.Context, r *ledger.Claim, there *claimable, turn *storeform.Turn, leases *[]ledger.Lease) error {
	if t.turns {
		return t.takeTurns(ctx, r, there, turn, leases)
	}
	which, args := oneOf("queue", r.Queues)
	switch {
	case t.kinds:
		kind, kinds := oneOf("kind", r.Kinds)
		which, args = kind+which, append(kinds, args...)
	case len(r.Kinds) > 0 && !slices.Contains(r.Kinds, kindBefore):
		return nil // there can be none
	}
	if t.fair && !r.NoSuspects {
		if err := t.leaseSuspect(ctx, r, leases); err != nil || len(*leases) > 0 {
			return err
		}
	}
	return t.lease(ctx, r, leases, "", "SELECT seq FROM jobs WHERE state = 'queued' AND run_at <= @now"+t.sinceFair(" AND due = 1")+which+`
		ORDER BY priority DESC, seq LIMIT ? @skiplocked`, append(args, r.Limit)...)
}

// leaseSuspect takes the suspect whose turn it is, if there is one.
func (t *tx) leaseSuspect(ctx context.Context, r *ledger.Claim, leases *[]ledger.Lease) error {
	which, args := ofThese(r)
	alone := "0"
	if r.InFlight == 0 {
		alone = "token + 1"
	}
	return t.lease(ctx, r, leases, ", alone = "+alone, "SELECT seq FROM jobs WHERE state = 'queued' AND suspect = 1 AND run_at <= @now"+which+`
		ORDER BY attempts, run_at LIMIT 1 @skiplocked`, args...)
}

// lease takes the jobs that the query selects.
func (t *tx) lease(ctx context.Context, r *ledger.Claim, leases *[]ledger.Lease, set, query string, args ...any) error {
	return t.each(ctx, func(s scanner) error {
		var row jobRow
		if err := row.scan(s); err != nil {
			return err
		}
		*leases = append(*leases, ledger.Lease{
			Job: row.Job, Token: row.token, Worker: row.Worker, TTL: r.TTL, Alone: row.Suspect && row.alone == row.token,
		})
		return nil
	}, "WITH due AS MATERIALIZED ("+query+`)
		UPDATE jobs SET state = 'running', token = token + 1, worker = ?, lease_until = @now + ?`+set+`
		WHERE seq IN (SELECT seq FROM due) RETURNING `+t.columns(), append(args, r.Worker, r.TTL.Microseconds())...)
}

// oneOf is the condition that the column is one of the names, and its arguments;
// none for no names.
func oneOf(column string, names []string) (string, []any) {
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return " AND " + column + " = ?", []any{storeform.Text(names[0], storeform.MaxKey)}
	default:
		return amongThem(column, names)
	}
}

// amongThem is oneOf through an expression, so that SQLite walks an index of the few
// rows, or of the jobs by priority up to the limit, instead of all that wait under these
// names.
func amongThem(column string, names []string) (string, []any) {
	if len(names) == 0 {
		return "", nil
	}
	return " AND (" + column + " || '') IN (" + marks(len(names)) + ")", pad(clean(names))
}

// ofThese is the condition that the claim asks for a job, and its arguments, for
// statements that walk an index of few rows.
func ofThese(r *ledger.Claim) (string, []any) {
	kind, kinds := amongThem("kind", r.Kinds)
	queue, queues := amongThem("queue", r.Queues)
	return kind + queue, append(kinds, queues...)
}

func clean(names []string) []string {
	c := make([]string, len(names))
	for i, q := range names {
		c[i] = storeform.Text(q, storeform.MaxKey)
	}
	return c
}

// sweep puts the jobs whose lease has ended back, or aside if that was the
// last attempt, and lets those whose time has come into the line, where there are any.
// The lines of the outcomes are left to the caller, to be added at the end of the
// transaction.
func (t *tx) sweep(ctx context.Context, there *claimable) ([]func(context.Context) error, error) {
	var lines []func(context.Context) error
	if there.expired {
		var err error
		if lines, err = t.sweepExpired(ctx); err != nil {
			return nil, err
		}
	}
	if there.ripe {
		return lines, t.wake(ctx)
	}
	return lines, nil
}

func (t *tx) sweepExpired(ctx context.Context) ([]func(context.Context) error, error) {
	var expired []jobRow
	err := t.each(ctx, func(s scanner) error {
		var r jobRow
		if err := r.scan(s, &r.now); err != nil {
			return err
		}
		expired = append(expired, r)
		return nil
	}, "SELECT "+t.columns()+`, @now FROM jobs WHERE state = 'running' AND lease_until <= @now
		ORDER BY lease_until, seq LIMIT ? @skiplocked`, sweepMost)
	if err != nil {
		return nil, err
	}
	var lines []func(context.Context) error
	for i := range expired {
		r := &expired[i]
		if t.fair && !r.convicts() {
			if err := t.suspect(ctx, r); err != nil {
				return nil, err
			}
			continue
		}
		cause := storeform.LeaseExpired(r.Worker, r.Attempts+1)
		if r.Attempts+1 >= ledger.MaxAttempts {
			o := storeform.SetAside(r.Kind, cause)
			add, err := t.setAside(ctx, r, r.Attempts+1, storeform.System, &o, ledger.Crashed)
			if err != nil {
				return nil, err
			}
			lines = append(lines, add)
			continue
		}
		if err := t.putBack(ctx, r, r.Attempts+1, ledger.Failure{Cause: cause}, r.Suspect); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// convicts reports whether the end of the job's lease is its own doing: nothing ran
// beside it.
func (r *jobRow) convicts() bool { return r.Suspect && r.alone == r.token }

// suspect queues a locked row whose lease has ended, to be run alone.
func (t *tx) suspect(ctx context.Context, r *jobRow) error {
	_, err := t.exec(ctx, `UPDATE jobs SET state = 'queued', suspect = 1, due = 0, last_error = ?, run_at = @now, worker = '', lease_until = 0, reason = ''
		WHERE seq = ?`, storeform.Suspected(r.Worker), r.seq)
	return err
}

// wake lets jobs into the line that have waited for their time.
func (t *tx) wake(ctx context.Context) error {
	if !t.fair {
		return nil
	}
	which := "state = 'queued' AND due = 0 AND suspect = 0"
	if t.turns {
		which = waits
	}
	_, err := t.exec(ctx, `WITH ripe AS MATERIALIZED (
			SELECT seq FROM jobs WHERE `+which+` AND run_at <= @now
			ORDER BY run_at LIMIT ? @skiplocked)
		UPDATE jobs SET due = 1 WHERE seq IN (SELECT seq FROM ripe)`, wakeMost)
	return err
}

// dueAfter is the column due of a job that is put back for that long.
func dueAfter(wait time.Duration) string {
	if wait > 0 {
		return "0"
	}
	return "1"
}

// putBack queues a locked row again, for the cause, to run when f says, alone if it
// is still suspected.
func (t *tx) putBack(ctx context.Context, r *jobRow, attempts int, f ledger.Failure, suspected bool) error {
	set, args := t.sinceFair(", suspect = 0, due = "+dueAfter(f.RetryIn)), []any{attempts, storeform.Text(f.Cause, storeform.MaxText), max(f.RetryIn, 0).Microseconds()}
	if suspected {
		set = ", suspect = 1, due = 0"
	}
	if t.kinds {
		set, args = set+", reason = ?", append(args, storeform.Reason(f.Reason))
	}
	_, err := t.exec(ctx, `UPDATE jobs SET state = 'queued', attempts = ?, last_error = ?, run_at = @now + ?, worker = '', lease_until = 0`+set+`
		WHERE seq = ?`, append(args, r.seq)...)
	if err != nil || f.RetryIn > 0 {
		return err
	}
	return t.ring(ctx, r.Queue)
}

// Extend implements worker.Ledger. A lease that has ended but that nobody
// took over can still be extended: no one else has the job.
func (d *DB) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error) {
	if ttl <= 0 {
		ttl = ledger.DefaultLeaseTTL
	}
	seq, nonce, ok := storeform.ParseJobID(l.Job.ID)
	if !ok {
		return ledger.Lease{}, callmodel.ErrLeaseLost
	}
	var until int64
	err := d.update(ctx, "extend a lease", func(ctx context.Context, t *tx) error {
		alone := ""
		if l.Alone {
			alone = t.sinceFair(", alone = token")
		}
		err := t.row(ctx, `UPDATE jobs SET lease_until = @now + ?`+alone+`
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running' RETURNING lease_until`,
			ttl.Microseconds(), seq, nonce, l.Token).Scan(&until)
		if errors.Is(err, sql.ErrNoRows) {
			return callmodel.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return ledger.Lease{}, err
	}
	l.TTL, l.Job.LeaseUntil = ttl, storeform.Time(until)
	return l, nil
}

// Fail implements worker.Ledger.
func (d *DB) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	return d.ended(ctx, "fail a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
		attempts := r.Attempts
		if !f.Uncounted {
			attempts++
		}
		if f.Quarantine || attempts >= ledger.MaxAttempts && !f.Uncounted {
			o := storeform.SetAside(r.Kind, f.Cause)
			lines, err := t.setAside(ctx, r, attempts, l.Worker, &o, f.Reason)
			if err != nil {
				return err
			}
			return lines(ctx)
		}
		return t.putBack(ctx, r, attempts, f, false)
	})
}

// Release implements worker.Ledger.
func (d *DB) Release(ctx context.Context, l ledger.Lease) error {
	return d.ended(ctx, "release a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
		return t.putBack(ctx, r, r.Attempts, ledger.Failure{Cause: r.LastError, Reason: r.Reason}, r.Suspect)
	})
}

// ended runs fn on the job's locked row if the lease is still the newest.
func (d *DB) ended(ctx context.Context, op string, l ledger.Lease, fn func(context.Context, *tx, *jobRow) error) error {
	return d.update(ctx, op, func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, l.Job.ID, true)
		if errors.Is(err, callmodel.ErrNotFound) {
			return callmodel.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		if r.State != ledger.Running || r.token != l.Token {
			return callmodel.ErrLeaseLost
		}
		return fn(ctx, t, &r)
	})
}
