package ledger

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Queue is the ledger of recording jobs. Its rows are the truth: a broker's
// message only rings the doorbell. All times are the database's, so that a
// machine with a wrong clock can neither steal nor keep a lease.
//
// Every implementation passes storetest.JobQueue.
type Queue interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant,
	// recording id): the id of the first one is returned and created is false.
	// An invalid spec is refused with [FieldErrors].
	Enqueue(ctx context.Context, r Request) (id callmodel.JobID, created bool, err error)
	// Claim leases the most urgent jobs that may run now, highest priority
	// first, then oldest. Jobs whose lease ended are claimed too. None: an
	// empty slice. A job whose lease expired counts as a failed attempt;
	// one that reaches MaxJobAttempts is quarantined instead of claimed.
	Claim(ctx context.Context, r Claim) ([]Lease, error)
	// Extend prolongs the lease by ttl from now. ErrLeaseLost if it is not the
	// newest or has been given up. An expired lease that nobody took over may
	// still be extended, and committed.
	Extend(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Complete commits the result: the job done, the recording on its call,
	// the outbox event and the audit line, in one transaction. ErrLeaseLost if
	// the lease is not the newest; completing twice under the same lease with
	// the same token is a no-op.
	//
	// A result without outputs doesn't take the place of a published one: the
	// job is done with that one, or, if the result is quarantined, set aside
	// with it.
	Complete(ctx context.Context, l Lease, r record.Result) error
	// Publish commits a recording as Complete does, in one transaction, while
	// the job isn't done: it is put back, uncounted, to be claimed again after
	// again has passed, and keeps r in Job.Result. What is published or
	// completed later takes r's place on the call. ErrLeaseLost if the lease is
	// not the newest; publishing twice with the same token is a no-op, whatever
	// has become of the job meanwhile. A result without outputs is refused with
	// [FieldErrors].
	//
	// From then on r stays on the call, with its URL, until another recording
	// takes its place: a job that is quarantined keeps it, and tells nobody but
	// the audit log.
	Publish(ctx context.Context, l Lease, r record.Result, again time.Duration) error
	// Fail ends the attempt. See Failure for the job's fate.
	Fail(ctx context.Context, l Lease, f Failure) error
	// Release gives the job back unharmed, to be claimed at once.
	Release(ctx context.Context, l Lease) error

	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (Job, error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f Filter) ([]Job, error)
	// Retry puts a quarantined job back in the queue, its attempts reset and what
	// it has published kept.
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	// Quarantine sets a queued or running job aside by hand; the worker of a
	// running one meets ErrLeaseLost.
	Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error
	// Stats counts the ledger.
	Stats(ctx context.Context) (Stats, error)
}
