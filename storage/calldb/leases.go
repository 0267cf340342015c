package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/ledger"
)

// sweepMost bounds how many expired leases one claim clears up.
const sweepMost = 100

// Claim implements callmodel.JobQueue.
func (d *DB) Claim(ctx context.Context, r callmodel.ClaimRequest) ([]callmodel.Lease, error) {
	if err := ledger.CheckClaim(&r); err != nil {
		return nil, err
	}
	var leases []callmodel.Lease
	err := d.update(ctx, "claim", func(ctx context.Context, t *tx) error {
		leases = make([]callmodel.Lease, 0, r.Limit)
		outcomes, err := t.sweep(ctx)
		if err != nil {
			return err
		}
		if err := t.claim(ctx, &r, &leases); err != nil {
			return err
		}
		for _, o := range outcomes {
			if err := t.lines(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(leases, func(a, b callmodel.Lease) int {
		return cmp.Or(cmp.Compare(b.Job.Priority, a.Job.Priority), cmp.Compare(a.Job.ID, b.Job.ID))
	})
	return leases, nil
}

func (t *tx) claim(ctx context.Context, r *callmodel.ClaimRequest, leases *[]callmodel.Lease) error {
	queue, args := "", []any{}
	switch len(r.Queues) {
	case 0:
	case 1:
		queue, args = " AND queue = ?", append(args, ledger.Text(r.Queues[0], ledger.MaxKey))
	default:
		// Through an expression, so that SQLite walks the jobs by priority and
		// stops at the limit instead of sorting all that wait in these queues.
		queue, args = " AND (queue || '') IN ("+marks(len(r.Queues))+")", pad(clean(r.Queues))
	}
	args = append(args, r.Limit, r.Worker, r.TTL.Microseconds())
	return t.each(ctx, func(s scanner) error {
		var row jobRow
		if err := row.scan(s); err != nil {
			return err
		}
		*leases = append(*leases, callmodel.Lease{Job: row.Job, Token: row.token, Worker: row.Worker, TTL: r.TTL})
		return nil
	}, `WITH due AS MATERIALIZED (
			SELECT seq FROM jobs WHERE state = 'queued' AND run_at <= @now`+queue+`
			ORDER BY priority DESC, seq LIMIT ? @skiplocked)
		UPDATE jobs SET state = 'running', token = token + 1, worker = ?, lease_until = @now + ?
		WHERE seq IN (SELECT seq FROM due) RETURNING `+jobColumns, args...)
}

func clean(queues []string) []string {
	c := make([]string, len(queues))
	for i, q := range queues {
		c[i] = ledger.Text(q, ledger.MaxKey)
	}
	return c
}

// sweep puts the jobs whose lease has ended back, or aside if that was the
// last attempt. The lines of the outcomes are left to the caller, for the end
// of the transaction.
func (t *tx) sweep(ctx context.Context) ([]ledger.Outcome, error) {
	var expired []jobRow
	err := t.each(ctx, func(s scanner) error {
		var r jobRow
		if err := r.scan(s, &r.now); err != nil {
			return err
		}
		expired = append(expired, r)
		return nil
	}, "SELECT "+jobColumns+`, @now FROM jobs WHERE state = 'running' AND lease_until <= @now
		ORDER BY lease_until, seq LIMIT ? @skiplocked`, sweepMost)
	if err != nil {
		return nil, err
	}
	var outcomes []ledger.Outcome
	for i := range expired {
		r := &expired[i]
		cause := ledger.LeaseExpired(r.Worker, r.Attempts+1)
		if r.Attempts+1 >= callmodel.MaxJobAttempts {
			o, err := t.setAside(ctx, r, r.Attempts+1, ledger.System, ledger.Quarantine(cause))
			if err != nil {
				return nil, err
			}
			outcomes = append(outcomes, o)
			continue
		}
		if err := t.putBack(ctx, r, r.Attempts+1, cause, 0); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// putBack queues a locked row again, to run after wait.
func (t *tx) putBack(ctx context.Context, r *jobRow, attempts int, cause string, wait time.Duration) error {
	_, err := t.exec(ctx, `UPDATE jobs SET state = 'queued', attempts = ?, last_error = ?, run_at = @now + ?, worker = '', lease_until = 0
		WHERE seq = ?`, attempts, ledger.Text(cause, ledger.MaxText), max(wait, 0).Microseconds(), r.seq)
	return err
}

// Extend implements callmodel.JobQueue. A lease that has ended but that nobody
// took over can still be extended: no one else has the job.
func (d *DB) Extend(ctx context.Context, l callmodel.Lease, ttl time.Duration) (callmodel.Lease, error) {
	if ttl <= 0 {
		ttl = callmodel.DefaultLeaseTTL
	}
	seq, nonce, ok := ledger.ParseJobID(l.Job.ID)
	if !ok {
		return callmodel.Lease{}, callmodel.ErrLeaseLost
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
		return callmodel.Lease{}, err
	}
	l.TTL, l.Job.LeaseUntil = ttl, ledger.Time(until)
	return l, nil
}

// Complete implements callmodel.JobQueue. A result with the status quarantined
// sets the job aside, what is known of its legs and defects kept.
func (d *DB) Complete(ctx context.Context, l callmodel.Lease, res callmodel.RecordingResult) error {
	if err := ledger.CheckResult(&res); err != nil {
		return err
	}
	if res.Status == callmodel.StatusQuarantined {
		return d.ended(ctx, "complete a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
			o, err := t.setAside(ctx, r, r.Attempts, l.Worker, res)
			if err != nil {
				return err
			}
			return t.lines(ctx, o)
		})
	}
	seq, nonce, ok := ledger.ParseJobID(l.Job.ID)
	if !ok {
		return callmodel.ErrLeaseLost
	}
	result, err := json.Marshal(res)
	if err != nil {
		return d.fail("complete a job", err)
	}
	return d.update(ctx, "complete a job", func(ctx context.Context, t *tx) error {
		r := jobRow{Job: callmodel.Job{ID: l.Job.ID}}
		s := &r.Spec
		var at int64
		err := t.row(ctx, `UPDATE jobs SET state = 'done', result = ?, last_error = '', worker = '', lease_until = 0, finished_at = @now
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running'
			RETURNING tenant_id, call_id, recording_id, retries, finished_at`,
			string(result), seq, nonce, l.Token).Scan(&s.TenantID, &s.CallID, &s.RecordingID, &r.retries, &at)
		if errors.Is(err, sql.ErrNoRows) {
			return t.doneBefore(ctx, l)
		}
		if err != nil {
			return err
		}
		o, err := r.finished(l.Worker, ledger.Time(at), res).Outcome()
		if err != nil {
			return err
		}
		if err := t.putRecording(ctx, s.TenantID, s.CallID, o.Recording); err != nil {
			return err
		}
		return t.lines(ctx, o)
	})
}

// doneBefore tells a repeated completion, which is fine, from a lost lease.
func (t *tx) doneBefore(ctx context.Context, l callmodel.Lease) error {
	r, err := t.job(ctx, l.Job.ID, false)
	if errors.Is(err, callmodel.ErrNotFound) {
		return callmodel.ErrLeaseLost
	}
	if err != nil {
		return err
	}
	if r.State == callmodel.JobDone && r.token == l.Token {
		return nil
	}
	return callmodel.ErrLeaseLost
}

// Fail implements callmodel.JobQueue.
func (d *DB) Fail(ctx context.Context, l callmodel.Lease, f callmodel.Failure) error {
	return d.ended(ctx, "fail a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
		attempts := r.Attempts
		if !f.Uncounted {
			attempts++
		}
		if f.Quarantine || attempts >= callmodel.MaxJobAttempts && !f.Uncounted {
			o, err := t.setAside(ctx, r, attempts, l.Worker, ledger.Quarantine(f.Cause))
			if err != nil {
				return err
			}
			return t.lines(ctx, o)
		}
		return t.putBack(ctx, r, attempts, f.Cause, f.RetryIn)
	})
}

// Release implements callmodel.JobQueue.
func (d *DB) Release(ctx context.Context, l callmodel.Lease) error {
	return d.ended(ctx, "release a job", l, func(ctx context.Context, t *tx, r *jobRow) error {
		return t.putBack(ctx, r, r.Attempts, r.LastError, 0)
	})
}

// ended runs fn on the job's locked row if the lease is still the newest.
func (d *DB) ended(ctx context.Context, op string, l callmodel.Lease, fn func(context.Context, *tx, *jobRow) error) error {
	return d.update(ctx, op, func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, l.Job.ID, true)
		if errors.Is(err, callmodel.ErrNotFound) {
			return callmodel.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		if r.State != callmodel.JobRunning || r.token != l.Token {
			return callmodel.ErrLeaseLost
		}
		return fn(ctx, t, &r)
	})
}
