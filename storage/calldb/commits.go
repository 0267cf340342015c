package calldb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Complete implements worker.Ledger.
func (d *DB) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	const op = "complete a job"
	if err := storeform.CheckOutcome(&o); err != nil {
		return err
	}
	if o.Quarantine {
		return d.ended(ctx, op, l, func(ctx context.Context, t *tx, r *jobRow) error {
			lines, err := t.setAside(ctx, r, r.Attempts, l.Worker, &o, "")
			if err != nil {
				return err
			}
			return lines(ctx)
		})
	}
	c, err := newCommit(l, o)
	if err != nil {
		return err
	}
	return d.update(ctx, op, func(ctx context.Context, t *tx) error {
		c := c
		if o.Empty {
			if err := t.keepPublished(ctx, &c); err != nil {
				return err
			}
		}
		committed, err := t.commit(ctx, &c, `UPDATE jobs SET state = 'done', result = ?, last_error = '', worker = '', lease_until = 0, finished_at = @now`+
			t.sinceKinds(", reason = '', published = "+retriable(&c))+t.sinceFair(", suspect = 0")+`
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running'
			RETURNING tenant_id, call_id, recording_id, retries, finished_at`)
		if err != nil || committed {
			return err
		}
		return t.doneBefore(ctx, l)
	})
}

// retriable is the column published of a job that ends so. A recording says itself whether
// more can come of it.
func retriable(c *commit) string {
	if c.outcome.Retriable && c.lease.Job.Kind != record.Kind {
		return "1"
	}
	return "0"
}

// Publish implements worker.Ledger.
func (d *DB) Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error {
	if err := storeform.CheckPublished(&o); err != nil {
		return err
	}
	key, err := storeform.PublishedKey(&o, l.Job.ID, l.Token)
	if err != nil {
		return err
	}
	c, err := newCommit(l, o)
	if err != nil {
		return err
	}
	c.again, c.token = min(max(again, 0), storeform.MaxAgain), l.Token
	return d.update(ctx, "publish a result", func(ctx context.Context, t *tx) error {
		committed, err := t.commit(ctx, &c, `UPDATE jobs SET state = 'queued', result = ?, last_error = '', worker = '', lease_until = 0, run_at = @now + ?`+
			t.sinceKinds(", reason = '', published = 1")+t.sinceFair(", suspect = 0, due = "+dueAfter(c.again))+`
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running'
			RETURNING tenant_id, call_id, recording_id, retries, run_at`, c.again.Microseconds())
		if err != nil || committed {
			return err
		}
		return t.publishedBefore(ctx, key)
	})
}

// commit is an outcome on its way to the database.
type commit struct {
	lease   ledger.Lease
	seq     int64
	nonce   string
	outcome ledger.Outcome
	token   int64         // the lease's, if the job goes on
	again   time.Duration // after which it does
}

func newCommit(l ledger.Lease, o ledger.Outcome) (commit, error) {
	c := commit{lease: l, outcome: o}
	var ok bool
	if c.seq, c.nonce, ok = storeform.ParseJobID(l.Job.ID); !ok {
		return c, callmodel.ErrLeaseLost
	}
	return c, nil
}

// commit moves the job's row by update, and writes what the outcome leaves beside
// it. It reports false if the lease isn't the newest, or not running any more.
func (t *tx) commit(ctx context.Context, c *commit, update string, more ...any) (bool, error) {
	r := jobRow{Job: ledger.Job{ID: c.lease.Job.ID}}
	var at int64
	var unique string
	kind := c.lease.Job.Kind
	args := append(append([]any{string(c.outcome.Result)}, more...), c.seq, c.nonce, c.lease.Token)
	into := []any{&r.TenantID, &r.CallID, &unique, &r.retries, &at}
	if t.kinds {
		update, into = update+", kind", append(into, &kind)
	}
	err := t.row(ctx, update, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !t.kinds {
		kind = kindBefore
	}
	r.Kind, r.Key = kind, storeform.KeyOf(kind, unique)
	w, err := r.effects(&c.outcome, c.lease.Worker, storeform.Time(at-c.again.Microseconds()), c.token)
	if err != nil {
		return false, err
	}
	if err := t.putRecording(ctx, &r, storeform.Time(at-c.again.Microseconds()), w.Recording); err != nil {
		return false, err
	}
	return true, t.lines(ctx, &w)
}

// effects is what the outcome leaves beside the row.
func (r *jobRow) effects(o *ledger.Outcome, actor string, at time.Time, token int64) (storeform.Written, error) {
	return storeform.Effects(o, r.Kind, ledger.Commit{
		JobID: r.ID, TenantID: r.TenantID, CallID: r.CallID, Key: r.Key, At: at, Retries: r.retries, Token: token,
	}, actor)
}

// keepPublished puts the published result, if there is one, in the place of an
// outcome that has none.
func (t *tx) keepPublished(ctx context.Context, c *commit) error {
	r, err := t.job(ctx, c.lease.Job.ID, true)
	if errors.Is(err, callmodel.ErrNotFound) {
		return callmodel.ErrLeaseLost
	}
	if err != nil {
		return err
	}
	if r.Published {
		c.outcome, err = storeform.Published(&r.Job)
	}
	return err
}

// doneBefore tells a repeated completion, which is fine, from a lost lease.
func (t *tx) doneBefore(ctx context.Context, l ledger.Lease) error {
	r, err := t.job(ctx, l.Job.ID, false)
	if errors.Is(err, callmodel.ErrNotFound) {
		return callmodel.ErrLeaseLost
	}
	if err != nil {
		return err
	}
	if r.State == ledger.Done && r.token == l.Token {
		return nil
	}
	return callmodel.ErrLeaseLost
}

// publishedBefore tells a repeated publication, which is fine, from a lost lease.
func (t *tx) publishedBefore(ctx context.Context, eventKey string) error {
	var n int64
	err := t.row(ctx, "SELECT count(*) FROM outbox WHERE event_key = ?", eventKey).Scan(&n)
	if err == nil && n == 0 {
		return callmodel.ErrLeaseLost
	}
	return err
}
