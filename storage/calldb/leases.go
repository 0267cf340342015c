package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// sweepMost bounds how many expired leases one claim clears up.
const sweepMost = 100

// Claim implements worker.Ledger.
func (d *DB) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	if err := storeform.CheckClaim(&r); err != nil {
		return nil, err
	}
	var leases []ledger.Lease
	err := d.update(ctx, "claim", func(ctx context.Context, t *tx) error {
		leases = make([]ledger.Lease, 0, r.Limit)
		lines, err := t.sweep(ctx)
		if err != nil {
			return err
		}
		if err := t.claim(ctx, &r, &leases); err != nil {
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
	slices.SortFunc(leases, func(a, b ledger.Lease) int {
		return cmp.Or(cmp.Compare(b.Job.Priority, a.Job.Priority), cmp.Compare(a.Job.ID, b.Job.ID))
	})
	return leases, nil
}

func (t *tx) claim(ctx context.Context, r *ledger.Claim, leases *[]ledger.Lease) error {
	which, args := oneOf("queue", r.Queues)
	switch {
	case t.kinds:
		kind, kinds := oneOf("kind", r.Kinds)
		which, args = kind+which, append(kinds, args...)
	case len(r.Kinds) > 0 && !slices.Contains(r.Kinds, kindBefore):
		return nil // there can be none
	}
	args = append(args, r.Limit, r.Worker, r.TTL.Microseconds())
	return t.each(ctx, func(s scanner) error {
		var row jobRow
		if err := row.scan(s); err != nil {
			return err
		}
		*leases = append(*leases, ledger.Lease{Job: row.Job, Token: row.token, Worker: row.Worker, TTL: r.TTL})
		return nil
	}, `WITH due AS MATERIALIZED (
			SELECT seq FROM jobs WHERE state = 'queued' AND run_at <= @now`+which+`
			ORDER BY priority DESC, seq LIMIT ? @skiplocked)
		UPDATE jobs SET state = 'running', token = token + 1, worker = ?, lease_until = @now + ?
		WHERE seq IN (SELECT seq FROM due) RETURNING `+t.columns(), args...)
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
		// Through an expression, so that SQLite walks the jobs by priority and
		// stops at the limit instead of sorting all that wait under these names.
		return " AND (" + column + " || '') IN (" + marks(len(names)) + ")", pad(clean(names))
	}
}

func clean(names []string) []string {
	c := make([]string, len(names))
	for i, q := range names {
		c[i] = storeform.Text(q, storeform.MaxKey)
	}
	return c
}

// sweep puts the jobs whose lease has ended back, or aside if that was the
// last attempt. The lines of the outcomes are left to the caller, to be added
// at the end of the transaction.
func (t *tx) sweep(ctx context.Context) ([]func(context.Context) error, error) {
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
		cause := storeform.LeaseExpired(r.Worker, r.Attempts+1)
		if r.Attempts+1 >= ledger.MaxAttempts {
			o := storeform.SetAside(r.Kind, cause)
			add, err := t.setAside(ctx, r, r.Attempts+1, storeform.System, &o, "")
			if err != nil {
				return nil, err
			}
			lines = append(lines, add)
			continue
		}
		if err := t.putBack(ctx, r, r.Attempts+1, ledger.Failure{Cause: cause}); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// putBack queues a locked row again, for the cause, to run when f says.
func (t *tx) putBack(ctx context.Context, r *jobRow, attempts int, f ledger.Failure) error {
	set, args := "", []any{attempts, storeform.Text(f.Cause, storeform.MaxText), max(f.RetryIn, 0).Microseconds()}
	if t.kinds {
		set, args = ", reason = ?", append(args, storeform.Reason(f.Reason))
	}
	_, err := t.exec(ctx, `UPDATE jobs SET state = 'queued', attempts = ?, last_error = ?, run_at = @now + ?, worker = '', lease_until = 0`+set+`
		WHERE seq = ?`, append(args, r.seq)...)
	return err
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
		err := t.row(ctx, `UPDATE jobs SET lease_until = @now + ?
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
		return t.putBack(ctx, r, attempts, f)
	})
}

// Release implements worker.Ledger.
func (d *DB) Release(ctx context.Context, l ledger.Lease) error {
	return d.ended(ctx, "release a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
		return t.putBack(ctx, r, r.Attempts, ledger.Failure{Cause: r.LastError, Reason: r.Reason})
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
