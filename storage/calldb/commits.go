package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Complete implements ledger.Queue. A result with the status quarantined
// sets the job aside, what is known of its legs and defects kept.
func (d *DB) Complete(ctx context.Context, l ledger.Lease, res record.Result) error {
	const op = "complete a job"
	if err := storeform.CheckResult(&res); err != nil {
		return err
	}
	if res.Status == record.StatusQuarantined {
		return d.ended(ctx, op, l, func(ctx context.Context, t *tx, r *jobRow) error {
			lines, err := t.setAside(ctx, r, r.Attempts, l.Worker, res)
			if err != nil {
				return err
			}
			return lines(ctx)
		})
	}
	c, err := newCommit(l, res)
	if err != nil {
		return d.fail(op, err)
	}
	return d.update(ctx, op, func(ctx context.Context, t *tx) error {
		c := c
		if len(res.Outputs) == 0 {
			if err := t.keepPublished(ctx, &c); err != nil {
				return err
			}
		}
		done, err := t.commit(ctx, &c, `UPDATE jobs SET state = 'done', result = ?, last_error = '', worker = '', lease_until = 0, finished_at = @now
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running'
			RETURNING tenant_id, call_id, recording_id, retries, finished_at`)
		if err != nil || done {
			return err
		}
		return t.doneBefore(ctx, l)
	})
}

// Publish implements ledger.Queue.
func (d *DB) Publish(ctx context.Context, l ledger.Lease, res record.Result, again time.Duration) error {
	const op = "publish a recording"
	if err := storeform.CheckPublished(&res); err != nil {
		return err
	}
	c, err := newCommit(l, res)
	if err != nil {
		return d.fail(op, err)
	}
	c.again, c.published = min(max(again, 0), storeform.MaxAgain), l.Token
	return d.update(ctx, op, func(ctx context.Context, t *tx) error {
		c := c
		done, err := t.commit(ctx, &c, `UPDATE jobs SET state = 'queued', result = ?, last_error = '', worker = '', lease_until = 0, run_at = @now + ?
			WHERE seq = ? AND nonce = ? AND token = ? AND state = 'running'
			RETURNING tenant_id, call_id, recording_id, retries, run_at`, c.again.Microseconds())
		if err != nil || done {
			return err
		}
		return t.publishedBefore(ctx, l)
	})
}

// commit is a result on its way to the storeform.
type commit struct {
	lease     ledger.Lease
	seq       int64
	nonce     string
	result    record.Result
	doc       string        // the result as JSON
	published int64         // the token, if the job goes on
	again     time.Duration // after which it does
}

func newCommit(l ledger.Lease, res record.Result) (commit, error) {
	c := commit{lease: l, result: res}
	var ok bool
	if c.seq, c.nonce, ok = storeform.ParseJobID(l.Job.ID); !ok {
		return c, callmodel.ErrLeaseLost
	}
	b, err := json.Marshal(res)
	c.doc = string(b)
	return c, err
}

// commit moves the job's row by update, and writes the recording and its lines.
// It reports false if the lease isn't the newest, or not running any more.
func (t *tx) commit(ctx context.Context, c *commit, update string, more ...any) (bool, error) {
	r := jobRow{Job: ledger.Job{ID: c.lease.Job.ID}}
	s := &r.Spec
	var at int64
	args := append(append([]any{c.doc}, more...), c.seq, c.nonce, c.lease.Token)
	err := t.row(ctx, update, args...).Scan(&s.TenantID, &s.CallID, &s.RecordingID, &r.retries, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f := r.finished(c.lease.Worker, storeform.Time(at-c.again.Microseconds()), c.result)
	f.Published = c.published
	o, err := f.Outcome()
	if err != nil {
		return false, err
	}
	if err := t.putRecording(ctx, s.TenantID, s.CallID, o.Recording); err != nil {
		return false, err
	}
	return true, t.lines(ctx, o)
}

// keepPublished puts the published recording, if there is one, in the place of
// a result that has none.
func (t *tx) keepPublished(ctx context.Context, c *commit) error {
	r, err := t.job(ctx, c.lease.Job.ID, true)
	if errors.Is(err, callmodel.ErrNotFound) {
		return callmodel.ErrLeaseLost
	}
	if err != nil {
		return err
	}
	if p := r.Published(); p != nil {
		c.result, c.doc = *p, r.result
	}
	return nil
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
func (t *tx) publishedBefore(ctx context.Context, l ledger.Lease) error {
	var n int64
	err := t.row(ctx, "SELECT count(*) FROM outbox WHERE event_key = ?", storeform.PublishedKey(l.Job.ID, l.Token)).Scan(&n)
	if err == nil && n == 0 {
		return callmodel.ErrLeaseLost
	}
	return err
}
