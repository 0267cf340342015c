package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// jobRow is a row of the table jobs.
type jobRow struct {
	ledger.Job

	result  string // JSON
	seq     int64
	nonce   string
	token   int64
	retries int64
	now     int64 // when the statement ran, where it was asked for
}

const jobColumns = `seq, nonce, queue, priority, state, attempts, retries, token, worker,
	spec, result, last_error, created_at, run_at, lease_until, finished_at`

func (r *jobRow) scan(s scanner, more ...any) error {
	var spec string
	var created, run, lease, finished int64
	err := s.Scan(append([]any{
		&r.seq, &r.nonce, &r.Queue, &r.Priority, &r.State, &r.Attempts, &r.retries, &r.token, &r.Worker,
		&spec, &r.result, &r.LastError, &created, &run, &lease, &finished,
	}, more...)...)
	if err != nil {
		return err
	}
	r.ID = storeform.JobID(r.seq, r.nonce)
	r.CreatedAt, r.RunAt = storeform.Time(created), storeform.Time(run)
	r.LeaseUntil, r.FinishedAt = storeform.Time(lease), storeform.Time(finished)
	if err := json.Unmarshal([]byte(spec), &r.Spec); err != nil {
		return fmt.Errorf("the spec of job %s: %w", r.ID, err)
	}
	if r.result != "" {
		if err := json.Unmarshal([]byte(r.result), &r.Result); err != nil {
			return fmt.Errorf("the result of job %s: %w", r.ID, err)
		}
	}
	return nil
}

// Enqueue implements ledger.Queue.
func (d *DB) Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error) {
	err = d.update(ctx, "enqueue", func(ctx context.Context, t *tx) error {
		id, created, err = t.enqueue(ctx, &r, storeform.System)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return id, created, nil
}

func (t *tx) enqueue(ctx context.Context, r *ledger.Request, actor string) (callmodel.JobID, bool, error) {
	if err := storeform.CheckJob(r); err != nil {
		return "", false, err
	}
	spec, err := json.Marshal(r.Spec)
	if err != nil {
		return "", false, err
	}
	s := &r.Spec
	nonce := storeform.Nonce()
	var seq int64
	err = t.row(ctx, `INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at)
		VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, @now, @now)
		ON CONFLICT (tenant_id, recording_id) DO NOTHING RETURNING seq`,
		nonce, r.Queue, r.Priority, string(s.TenantID), string(s.CallID), string(s.RecordingID), string(spec)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) { // there is one already
		err = t.row(ctx, "SELECT seq, nonce FROM jobs WHERE tenant_id = ? AND recording_id = ?",
			string(s.TenantID), string(s.RecordingID)).Scan(&seq, &nonce)
		return storeform.JobID(seq, nonce), false, err
	}
	if err != nil {
		return "", false, err
	}
	id := storeform.JobID(seq, nonce)
	return id, true, t.audit(ctx, storeform.EnqueuedLine(id, r, actor))
}

// Job implements ledger.Queue.
func (d *DB) Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error) {
	var r jobRow
	err := d.view(ctx, "read a job", func(ctx context.Context, t *tx) (err error) {
		r, err = t.job(ctx, id, false)
		return err
	})
	if err != nil {
		return ledger.Job{}, err
	}
	return r.Job, nil
}

// job reads one job, locked if it is to be changed.
func (t *tx) job(ctx context.Context, id callmodel.JobID, lock bool) (jobRow, error) {
	var r jobRow
	seq, nonce, ok := storeform.ParseJobID(id)
	if !ok {
		return r, callmodel.ErrNotFound
	}
	query := "SELECT " + jobColumns + ", @now FROM jobs WHERE seq = ? AND nonce = ?"
	if lock {
		query += " @forupdate"
	}
	err := r.scan(t.row(ctx, query, seq, nonce), &r.now)
	if errors.Is(err, sql.ErrNoRows) {
		return r, callmodel.ErrNotFound
	}
	return r, err
}

// Jobs implements ledger.Queue.
func (d *DB) Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error) {
	after, err := storeform.AfterJob(f.After)
	if err != nil {
		return nil, err
	}
	where, args := []string{"seq > ?"}, []any{after}
	for _, is := range [][2]string{{"state", string(f.State)}, {"queue", f.Queue}, {"tenant_id", string(f.TenantID)}} {
		if is[1] != "" {
			where, args = append(where, is[0]+" = ?"), append(args, storeform.Text(is[1], storeform.MaxKey))
		}
	}
	args = append(args, storeform.JobsLimit(f.Limit))
	var jobs []ledger.Job
	err = d.view(ctx, "list jobs", func(ctx context.Context, t *tx) error {
		jobs = []ledger.Job{}
		return t.each(ctx, func(s scanner) error {
			var r jobRow
			if err := r.scan(s); err != nil {
				return err
			}
			jobs = append(jobs, r.Job)
			return nil
		}, "SELECT "+jobColumns+" FROM jobs WHERE "+strings.Join(where, " AND ")+" ORDER BY seq LIMIT ?", args...)
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// Retry implements ledger.Queue.
func (d *DB) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	return d.update(ctx, "retry a job", func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, id, true)
		if err != nil {
			return err
		}
		state, err := r.State.Next(id, ledger.Retried)
		if err != nil {
			return err
		}
		kept := ""
		if r.Published() != nil {
			kept = r.result
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = ?, attempts = 0, retries = retries + 1, result = ?, worker = '', run_at = @now
			WHERE seq = ?`, string(state), kept, r.seq); err != nil {
			return err
		}
		return t.audit(ctx, storeform.RetriedLine(r.Spec.TenantID, id, actor))
	})
}

// Quarantine implements ledger.Queue. A running job's worker loses its lease.
func (d *DB) Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error {
	return d.update(ctx, "quarantine a job", func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, id, true)
		if err != nil {
			return err
		}
		if _, err := r.State.Next(id, ledger.Quarantine); err != nil {
			return err
		}
		lines, err := t.setAside(ctx, &r, r.Attempts, actor, storeform.Quarantine(reason))
		if err != nil {
			return err
		}
		return lines(ctx)
	})
}

// setAside quarantines a locked row, with all but the lines of its outcome,
// which are added by what it returns. A published recording stays as it is.
func (t *tx) setAside(ctx context.Context, r *jobRow, attempts int, actor string, res record.Result) (func(context.Context) error, error) {
	published := r.Published() != nil
	result := ""
	switch {
	case published:
		result = r.result
	case len(res.Legs)+len(res.Outputs)+len(res.Defects) > 0:
		b, err := json.Marshal(res)
		if err != nil {
			return nil, err
		}
		result = string(b)
	}
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'quarantined', attempts = ?, last_error = ?, result = ?, worker = '', lease_until = 0
		WHERE seq = ?`, attempts, storeform.Text(res.Reason, storeform.MaxText), result, r.seq); err != nil {
		return nil, err
	}
	if published {
		return func(ctx context.Context) error {
			return t.audit(ctx, storeform.QuarantinedLine(&r.Job, actor, res.Reason))
		}, nil
	}
	o, err := r.finished(actor, storeform.Time(r.now), res).Outcome()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return t.lines(ctx, o) }, t.putRecording(ctx, r.Spec.TenantID, r.Spec.CallID, o.Recording)
}

func (r *jobRow) finished(actor string, at time.Time, res record.Result) storeform.Finished {
	return storeform.Finished{
		Job: r.ID, Tenant: r.Spec.TenantID, Call: r.Spec.CallID, ID: r.Spec.RecordingID,
		Retries: r.retries, Actor: actor, At: at, Result: res,
	}
}

// Stats implements ledger.Queue. OldestQueued counts from when a job
// could run, not from when it was made: it is how long work has waited.
func (d *DB) Stats(ctx context.Context) (ledger.Stats, error) {
	var q ledger.Stats
	err := d.view(ctx, "count jobs", func(ctx context.Context, t *tx) error {
		q = ledger.Stats{}
		err := t.each(ctx, func(s scanner) error {
			var state ledger.State
			var n int64
			if err := s.Scan(&state, &n); err != nil {
				return err
			}
			switch state {
			case ledger.Queued:
				q.Queued = n
			case ledger.Running:
				q.Running = n
			case ledger.Done:
				q.Done = n
			case ledger.Quarantined:
				q.Quarantined = n
			}
			return nil
		}, "SELECT state, count(*) FROM jobs GROUP BY state")
		if err != nil {
			return err
		}
		var waited int64
		if err := t.row(ctx, "SELECT COALESCE(max(@now - run_at), 0) FROM jobs WHERE state = 'queued' AND run_at <= @now").Scan(&waited); err != nil {
			return err
		}
		q.OldestQueued = time.Duration(max(waited, 0)) * time.Microsecond
		return nil
	})
	return q, err
}
