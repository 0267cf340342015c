package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// jobRow is a row of the table jobs.
type jobRow struct {
	ledger.Job

	seq     int64
	nonce   string
	token   int64
	retries int64
	alone   int64 // the token of the lease under which it runs alone
	now     int64 // when the statement ran, where it was asked for
}

const jobColumns = `seq, nonce, queue, priority, state, attempts, retries, token, worker, tenant_id, call_id, recording_id,
	spec, result, last_error, created_at, run_at, lease_until, finished_at`

// kindBefore is the kind of every job in a schema before kindsSchema.
const kindBefore = record.Kind

// columns are those that jobRow.scan reads.
func (t *tx) columns() string {
	switch {
	case t.fair:
		return jobColumns + ", kind, published, reason, suspect, alone, emergency"
	case t.kinds:
		return jobColumns + ", kind, published, reason, 0, 0, 0"
	}
	return jobColumns + ", '" + kindBefore + "', 0, '', 0, 0, 0"
}

func (r *jobRow) scan(s scanner, more ...any) error {
	var spec, result, unique string
	var created, run, lease, finished, published, suspect, emergency int64
	err := s.Scan(append([]any{
		&r.seq, &r.nonce, &r.Queue, &r.Priority, &r.State, &r.Attempts, &r.retries, &r.token, &r.Worker,
		&r.TenantID, &r.CallID, &unique, &spec, &result, &r.LastError, &created, &run, &lease, &finished,
		&r.Kind, &published, &r.Reason, &suspect, &r.alone, &emergency,
	}, more...)...)
	if err != nil {
		return err
	}
	r.ID, r.Key = storeform.JobID(r.seq, r.nonce), storeform.KeyOf(r.Kind, unique)
	r.CreatedAt, r.RunAt = storeform.Time(created), storeform.Time(run)
	r.LeaseUntil, r.FinishedAt = storeform.Time(lease), storeform.Time(finished)
	r.Suspect, r.Emergency = suspect != 0 && r.State != ledger.Done, emergency != 0
	r.Payload, r.Result = storeform.JSON(spec), storeform.JSON(result)
	// Of a job that is done the column says that it may be put back.
	r.Retriable = r.State == ledger.Done && r.Kind != record.Kind && published != 0
	// A program that knows no such column leaves it as it was when it ends the job.
	r.Published = r.State != ledger.Done && (published != 0 || result != "" && storeform.WasPublished(&r.Job))
	return nil
}

// Enqueue implements recordinghttp.Ledger.
func (d *DB) Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error) {
	err = d.update(ctx, "enqueue", func(ctx context.Context, t *tx) error {
		id, created, err = t.enqueue(ctx, &r, cmp.Or(r.Actor, storeform.System), false)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return id, created, nil
}

func (t *tx) enqueue(ctx context.Context, r *ledger.Request, actor string, emergency bool) (callmodel.JobID, bool, error) {
	if err := storeform.CheckJob(r); err != nil {
		return "", false, err
	}
	if !t.kinds && r.Kind != kindBefore {
		return "", false, needKinds(r.Kind)
	}
	nonce := storeform.Nonce()
	unique := storeform.Unique(r.Kind, r.Key)
	columns, values := "", ""
	args := []any{nonce, r.Queue, r.Priority, string(r.TenantID), string(r.CallID), unique, string(r.Payload)}
	if t.kinds {
		columns, values, args = ", kind", ", ?", append(args, r.Kind)
	}
	if t.fair && emergency {
		columns, values = columns+", emergency", values+", 1"
	}
	if column, value, more := t.retains(r.Kind, r.Payload); column != "" {
		columns, values, args = columns+column, values+value, append(args, more...)
	}
	var seq int64
	err := t.row(ctx, `INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at`+columns+`)
		VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, @now, @now`+values+`)
		ON CONFLICT (tenant_id, recording_id) DO NOTHING RETURNING seq`, args...).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) { // there is one already
		err = t.row(ctx, "SELECT seq, nonce FROM jobs WHERE tenant_id = ? AND recording_id = ?",
			string(r.TenantID), unique).Scan(&seq, &nonce)
		return storeform.JobID(seq, nonce), false, err
	}
	if err != nil {
		return "", false, err
	}
	if err := t.ring(ctx, r.Queue); err != nil {
		return "", false, err
	}
	id := storeform.JobID(seq, nonce)
	return id, true, t.audit(ctx, storeform.EnqueuedLine(id, r, actor))
}

// enqueueOwn enqueues the job that records a call itself: only such a job can be an
// emergency call's. A job that somebody has submitted under its key doesn't take it
// away: the call's gets another key then.
func (t *tx) enqueueOwn(ctx context.Context, r *ledger.Request, actor string, emergency bool) error {
	for try := 0; ; try++ {
		own, err := storeform.OwnRecording(r, try)
		if err != nil {
			return err
		}
		id, created, err := t.enqueue(ctx, own, actor, emergency)
		if err != nil || created {
			return err
		}
		have, err := t.job(ctx, id, false)
		if err != nil {
			return err
		}
		if storeform.SameRecording(&have.Job, own) {
			if t.fair && emergency {
				_, err = t.exec(ctx, "UPDATE jobs SET emergency = 1 WHERE seq = ?", have.seq)
			}
			return err
		}
	}
}

// Job implements recordinghttp.Ledger.
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
	query := "SELECT " + t.columns() + ", @now FROM jobs WHERE seq = ? AND nonce = ?"
	if lock {
		query += " @forupdate"
	}
	err := r.scan(t.row(ctx, query, seq, nonce), &r.now)
	if errors.Is(err, sql.ErrNoRows) {
		return r, callmodel.ErrNotFound
	}
	return r, err
}

// Retry implements recordinghttp.Ledger.
func (d *DB) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	return d.update(ctx, "retry a job", func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, id, true)
		if err != nil {
			return err
		}
		state, published, err := storeform.Retry(&r.Job)
		if err != nil {
			return err
		}
		kept, set := "", t.sinceKinds(", published = 0")
		if published {
			kept, set = string(r.Result), t.sinceKinds(", published = 1")
		}
		if _, err := t.exec(ctx, `UPDATE jobs SET state = ?, attempts = 0, retries = retries + 1, result = ?, worker = '', run_at = @now, finished_at = 0`+
			set+t.sinceFair(", due = 1, suspect = 0")+`
			WHERE seq = ?`, string(state), kept, r.seq); err != nil {
			return err
		}
		if err := t.ring(ctx, r.Queue); err != nil {
			return err
		}
		return t.audit(ctx, storeform.RetriedLine(&r.Job, actor))
	})
}

// Quarantine implements recordinghttp.Ledger. A running job's worker loses its lease.
func (d *DB) Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error {
	return d.update(ctx, "quarantine a job", func(ctx context.Context, t *tx) error {
		r, err := t.job(ctx, id, true)
		if err != nil {
			return err
		}
		if _, err := r.State.Next(id, ledger.Quarantine); err != nil {
			return err
		}
		o := storeform.SetAside(r.Kind, reason)
		lines, err := t.setAside(ctx, &r, r.Attempts, actor, &o, "")
		if err != nil {
			return err
		}
		return lines(ctx)
	})
}

// setAside quarantines a locked row, with all but the lines of its outcome,
// which are added by what it returns. What was published stays as it is.
func (t *tx) setAside(ctx context.Context, r *jobRow, attempts int, actor string, o *ledger.Outcome, why ledger.Reason) (func(context.Context) error, error) {
	result, published := o.Result, 0
	if r.Published {
		result, published = r.Result, 1
	}
	set, args := t.sinceFair(", suspect = 0"), []any{attempts, storeform.Text(o.Reason, storeform.MaxText), string(result)}
	if t.kinds {
		set, args = set+", reason = ?, published = ?", append(args, storeform.Reason(why), published)
	}
	if _, err := t.exec(ctx, `UPDATE jobs SET state = 'quarantined', attempts = ?, last_error = ?, result = ?, worker = '', lease_until = 0`+set+`
		WHERE seq = ?`, append(args, r.seq)...); err != nil {
		return nil, err
	}
	if r.Published {
		return func(ctx context.Context) error {
			return t.audit(ctx, storeform.QuarantinedLine(&r.Job, actor, o.Reason))
		}, nil
	}
	w, err := r.effects(o, actor, storeform.Time(r.now), 0)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return t.lines(ctx, &w) }, t.putRecording(ctx, r, storeform.Time(r.now), w.Recording)
}
