package calldb

import (
	"context"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Present says that the process is there, and strikes off those that have long been
// silent. On a schema before fleetSchema it is not kept.
func (d *DB) Present(ctx context.Context, p ledger.Presence) error {
	if err := storeform.CheckPresence(&p); err != nil {
		return err
	}
	return d.update(ctx, "note a process", func(ctx context.Context, t *tx) error {
		if !t.fleet {
			return nil
		}
		var isNew bool
		var lazy string
		if err := t.row(ctx, `INSERT INTO fleet (role, name, queues, kinds, since, seen_at) VALUES (?, ?, ?, ?, @now, @now)
			ON CONFLICT (role, name) DO UPDATE SET queues = excluded.queues, kinds = excluded.kinds, seen_at = excluded.seen_at
			RETURNING since = seen_at, @lazily`,
			string(p.Role), p.Name, storeform.Names(p.Queues), storeform.Names(p.Kinds)).Scan(&isNew, &lazy); err != nil || !isNew {
			return err
		}
		// Who comes strikes off those that have gone without a word.
		_, err := t.exec(ctx, `DELETE FROM fleet WHERE (role, name) IN (
			SELECT role, name FROM fleet WHERE seen_at < @now - ? @skiplocked)`, storeform.ForgetPresence.Microseconds())
		return err
	})
}

// Gone strikes a process off that has ended.
func (d *DB) Gone(ctx context.Context, p ledger.Presence) error {
	return d.update(ctx, "strike a process off", func(ctx context.Context, t *tx) error {
		if !t.fleet {
			return nil
		}
		_, err := t.exec(ctx, "DELETE FROM fleet WHERE role = ? AND name = ?", string(p.Role), storeform.Text(p.Name, storeform.MaxKey))
		return err
	})
}

// Fleet lists the processes that were seen within ledger.PresenceTTL.
func (d *DB) Fleet(ctx context.Context) ([]ledger.Presence, error) {
	var there []ledger.Presence
	err := d.view(ctx, "list the processes", func(ctx context.Context, t *tx) (err error) {
		there, err = t.there(ctx)
		return err
	})
	return there, err
}

func (t *tx) there(ctx context.Context) ([]ledger.Presence, error) {
	there := []ledger.Presence{}
	if !t.fleet {
		return there, nil
	}
	return there, t.each(ctx, func(s scanner) error {
		var p ledger.Presence
		var queues, kinds string
		var since, seen int64
		if err := s.Scan(&p.Role, &p.Name, &queues, &kinds, &since, &seen); err != nil {
			return err
		}
		p.Queues, p.Kinds, p.Since, p.Seen = storeform.ParseNames(queues), storeform.ParseNames(kinds), storeform.Time(since), storeform.Time(seen)
		there = append(there, p)
		return nil
	}, "SELECT role, name, queues, kinds, since, seen_at FROM fleet WHERE seen_at > @now - ? ORDER BY role, name", ledger.PresenceTTL.Microseconds())
}

// Queues lists the queues that jobs wait or run in, those first whose jobs have
// waited longest. On a schema before fleetSchema, where
// nobody says what it serves, every queue is taken to be served.
func (d *DB) Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error) {
	var queues []ledger.QueueState
	err := d.view(ctx, "list the queues", func(ctx context.Context, t *tx) error {
		var err error
		if queues, err = t.queues(ctx, &f); err != nil {
			return err
		}
		running, err := t.running(ctx, &f, &queues)
		if err != nil {
			return err
		}
		there, err := t.there(ctx)
		if !t.fleet {
			there = []ledger.Presence{{Role: ledger.RoleWorker}}
		}
		queues = storeform.Serve(queues, running, there)
		queues = queues[:min(len(queues), storeform.QueuesLimit(f.Limit))]
		return err
	})
	if err != nil {
		return nil, err
	}
	return queues, nil
}

// kindColumn is a job's kind in any schema.
func (t *tx) kindColumn() string {
	if t.kinds {
		return "kind"
	}
	return "'" + kindBefore + "'"
}

// queues are those with jobs that wait, by how long.
func (t *tx) queues(ctx context.Context, f *ledger.QueueFilter) ([]ledger.QueueState, error) {
	queues := []ledger.QueueState{}
	where, args := "state = 'queued'", []any{}
	if f.TenantID != "" {
		where, args = where+" AND tenant_id = ?", append(args, storeform.Text(string(f.TenantID), storeform.MaxKey))
	}
	err := t.each(ctx, func(s scanner) error {
		var q ledger.QueueState
		var first, now int64
		if err := s.Scan(&q.Kind, &q.Queue, &q.Queued, &q.Due, &first, &now); err != nil {
			return err
		}
		q.Oldest = time.Duration(max(now-first, 0)) * time.Microsecond
		queues = append(queues, q)
		return nil
	}, "SELECT "+t.kindColumn()+` AS job_kind, queue, count(*), sum(CASE WHEN run_at <= @now THEN 1 ELSE 0 END), min(run_at), @now
		FROM jobs WHERE `+where+" GROUP BY job_kind, queue ORDER BY min(run_at) LIMIT ?", append(args, storeform.QueuesLimit(f.Limit))...)
	return queues, err
}

// running are the queues of which a job runs. It counts the tenant's in the queues,
// and adds those that nothing waits in.
func (t *tx) running(ctx context.Context, f *ledger.QueueFilter, queues *[]ledger.QueueState) (map[storeform.InUse]bool, error) {
	inUse := map[storeform.InUse]bool{}
	return inUse, t.each(ctx, func(s scanner) error {
		var q ledger.QueueState
		var tenant callmodel.TenantID
		if err := s.Scan(&q.Kind, &q.Queue, &tenant, &q.Running); err != nil {
			return err
		}
		inUse[storeform.InUse{Kind: q.Kind, Queue: q.Queue}] = true
		if f.TenantID != "" && f.TenantID != tenant {
			return nil
		}
		at := slices.IndexFunc(*queues, func(o ledger.QueueState) bool { return o.Kind == q.Kind && o.Queue == q.Queue })
		if at < 0 {
			*queues = append(*queues, q)
			return nil
		}
		(*queues)[at].Running += q.Running
		return nil
	}, "SELECT "+t.kindColumn()+" AS job_kind, queue, tenant_id, count(*) FROM jobs WHERE state = 'running' GROUP BY job_kind, queue, tenant_id")
}

// Move puts the jobs that wait, or are set aside, into the queue to, and returns
// which it has moved: those that run, that are done or there already stay.
// ErrNotFound if there is no such job, and then nothing is moved.
func (d *DB) Move(ctx context.Context, ids []callmodel.JobID, to, actor string) ([]callmodel.JobID, error) {
	if err := storeform.CheckQueue(to); err != nil {
		return nil, err
	}
	ids = slices.Clone(ids)
	slices.Sort(ids) // everybody locks them in this order
	ids = slices.Compact(ids)
	var moved []callmodel.JobID
	err := d.update(ctx, "move jobs", func(ctx context.Context, t *tx) error {
		moved = []callmodel.JobID{}
		var lines []callmodel.AuditEvent
		for _, id := range ids {
			r, err := t.job(ctx, id, true)
			if err != nil {
				return callmodel.Errorf(callmodel.CodeOf(err), "job %s: %w", id, err)
			}
			if !storeform.Movable(&r.Job, to) {
				continue
			}
			if _, err := t.exec(ctx, "UPDATE jobs SET queue = ? WHERE seq = ?", to, r.seq); err != nil {
				return err
			}
			moved, lines = append(moved, id), append(lines, storeform.MovedLine(&r.Job, to, actor))
		}
		if len(moved) > 0 {
			if err := t.ring(ctx, to); err != nil {
				return err
			}
		}
		for _, l := range lines {
			if err := t.audit(ctx, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}
