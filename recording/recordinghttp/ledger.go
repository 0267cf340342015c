package recordinghttp

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// Ledger is where jobs are kept, and who did what. *calldb.DB and *memdb.Store are
// ledgers: every one passes storetest.Jobs and storetest.AuditLog. A call returns
// soon after its context ends.
type Ledger interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant, kind, key):
	// the id of the first one is returned and created is false. An invalid request
	// is refused with FieldErrors.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	// Retry puts a job back in the queue that was quarantined, or that is done and
	// of which more can come, as of a recording that is absent or has defects, or that
	// is ledger.Job.Retriable: its attempts are reset, and what it has made stays published. CodeConflict for any
	// other.
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	// Quarantine sets a queued or running job aside by hand; the worker of a
	// running one meets ErrLeaseLost.
	Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error
	// Queues lists the queues that jobs wait or run in, those first whose jobs have
	// waited longest.
	Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error)
	// Fleet lists the living processes.
	Fleet(ctx context.Context) ([]ledger.Presence, error)
	// Move puts jobs that wait or are set aside into another queue, and returns which it
	// has moved. CodeNotFound moves none.
	Move(ctx context.Context, ids []callmodel.JobID, to, actor string) ([]callmodel.JobID, error)
	// Audit adds a line to the audit log.
	Audit(ctx context.Context, e callmodel.AuditEvent) error
}

// timedLedger is a ledger each of whose calls has a deadline.
type timedLedger struct {
	l       Ledger
	timeout time.Duration
}

// ask makes one call, within its deadline.
func (t *timedLedger) ask(ctx context.Context, call func(context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	err := call(timed)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the ledger did not answer within %v: %w", t.timeout, err)
	}
	return err
}

func (t *timedLedger) Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		id, created, err = t.l.Enqueue(ctx, r)
		return err
	})
	return id, created, err
}

func (t *timedLedger) Job(ctx context.Context, id callmodel.JobID) (j ledger.Job, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		j, err = t.l.Job(ctx, id)
		return err
	})
	return j, err
}

func (t *timedLedger) Jobs(ctx context.Context, f ledger.Filter) (jobs []ledger.Job, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		jobs, err = t.l.Jobs(ctx, f)
		return err
	})
	return jobs, err
}

func (t *timedLedger) Retry(ctx context.Context, id callmodel.JobID, actor string) error {
	return t.ask(ctx, func(ctx context.Context) error { return t.l.Retry(ctx, id, actor) })
}

func (t *timedLedger) Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error {
	return t.ask(ctx, func(ctx context.Context) error { return t.l.Quarantine(ctx, id, actor, reason) })
}

func (t *timedLedger) Queues(ctx context.Context, f ledger.QueueFilter) (queues []ledger.QueueState, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		queues, err = t.l.Queues(ctx, f)
		return err
	})
	return queues, err
}

func (t *timedLedger) Fleet(ctx context.Context) (there []ledger.Presence, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		there, err = t.l.Fleet(ctx)
		return err
	})
	return there, err
}

func (t *timedLedger) Move(ctx context.Context, ids []callmodel.JobID, to, actor string) (moved []callmodel.JobID, err error) {
	err = t.ask(ctx, func(ctx context.Context) error {
		moved, err = t.l.Move(ctx, ids, to, actor)
		return err
	})
	return moved, err
}

func (t *timedLedger) Audit(ctx context.Context, e callmodel.AuditEvent) error {
	return t.ask(ctx, func(ctx context.Context) error { return t.l.Audit(ctx, e) })
}
