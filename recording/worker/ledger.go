package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// Ledger is where jobs are kept, by what a worker needs of it. Its rows are the
// truth: a broker's message only rings the doorbell. All times are the database's,
// so that a machine with a wrong clock can neither steal nor keep a lease.
//
// A call returns soon after its context ends; what it was to change may be changed
// then or not. *calldb.DB and *memdb.Store are ledgers: every one passes
// storetest.Jobs.
type Ledger interface {
	// Claim leases jobs that may run now. The own recordings of emergency calls come
	// first. Of the others the fresh ones, enqueued within ledger.FreshFor, leave one in
	// ledger.BacklogShare to the older ones while there are both; in each of the two the
	// tenants take turns, and a tenant's job with the highest priority comes first, then
	// the oldest. None: an empty slice.
	//
	// A claim that says LeaveExpired touches no lease that has ended.
	//
	// A job whose lease expired is a suspect, for it may be what crashed its worker.
	// Unless the claim says NoSuspects, one that may run now is leased before all
	// others, by itself, the one with the fewest failed attempts first. It is to run
	// with nothing beside it in its process: see ledger.Claim.InFlight. Only the
	// expiry of a lease that says Alone counts as a failed attempt; a job that
	// reaches ledger.MaxAttempts is quarantined instead of claimed. A job is no
	// suspect any more once a run of it has come to an end, be it by Complete,
	// Publish or Fail.
	Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error)
	// Extend prolongs the lease by ttl from now. ErrLeaseLost if it is not the
	// newest or has been given up. An expired lease that nobody took over may
	// still be extended, and committed. A lease with Alone set notes that from now
	// on nothing runs beside the suspect.
	Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error)
	// Complete commits the outcome: the job done, its result, its effects and the
	// audit line, in one transaction. ErrLeaseLost if the lease is not the newest;
	// completing twice under the same lease with the same token is a no-op.
	//
	// An empty outcome doesn't take the place of a published result: the job is
	// done with that one, or, if it is to be quarantined, set aside with it.
	Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error
	// Publish commits a result as Complete does, in one transaction, while the job
	// isn't done: it is put back, uncounted, to be claimed again after again has
	// passed, and keeps the result in Job.Result. What is published or completed
	// later takes its place. ErrLeaseLost if the lease is not the newest;
	// publishing twice with the same token is a no-op, whatever has become of the
	// job meanwhile. An outcome that is empty, or that has no event for the outbox,
	// is refused with FieldErrors.
	//
	// From then on the result stays in use until another one takes its place: a job
	// that is quarantined keeps it, and tells nobody but the audit log.
	Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error
	// Fail ends the attempt. ledger.Failure says what becomes of the job.
	Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error
	// Release gives the job back unharmed, to be claimed at once. A suspect stays one.
	Release(ctx context.Context, l ledger.Lease) error
}

// timedLedger is a ledger each of whose calls has a deadline, and that knows since
// when none was answered.
type timedLedger struct {
	l       Ledger
	timeout time.Duration
	long    time.Duration // a silence in which leases may end

	mu       sync.Mutex
	answered bool      // once
	since    time.Time // when the first call was begun that was not answered since the last answer; zero if there is none
	last     error     // what the last one of them came to
	back     time.Time // when it last answered after it had been silent for long
}

// settleTime is how long a ledger that is back is left to those who have something for it:
// recordings that they have finished meanwhile. Their leases may have ended, so that others
// would make them again. They ask at least every commitPause.
const settleTime = 3 * time.Second

// settling is how long jobs whose leases have ended are still to be left to those who have
// them.
func (t *timedLedger) settling() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wasSilent() {
		return settleTime
	}
	return max(t.back.Add(settleTime).Sub(now()), 0)
}

func (t *timedLedger) wasSilent() bool {
	return t.last != nil && !t.since.IsZero() && now().Sub(t.since) >= t.long
}

// silent reports whether the last call came to nothing.
func (t *timedLedger) silent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last != nil
}

func now() time.Time { return time.Now() } //nolint:forbidigo // a stopwatch for health; what is recorded knows no clock

func (t *timedLedger) unanswered() (time.Duration, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var silent time.Duration
	if !t.since.IsZero() {
		silent = now().Sub(t.since)
	}
	switch {
	case t.answered:
		return silent, t.last
	case t.last != nil:
		return silent, fmt.Errorf("%w: %w", ErrNoAnswerYet, t.last)
	}
	return silent, ErrNoAnswerYet
}

// ask makes one call, within its deadline.
func (t *timedLedger) ask(ctx context.Context, what string, call func(context.Context) error) error {
	t.mu.Lock()
	if t.since.IsZero() {
		t.since = now()
	}
	t.mu.Unlock()
	timed, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	err := call(timed)
	if err != nil && timed.Err() != nil && ctx.Err() == nil && !errors.Is(err, callmodel.ErrLeaseLost) {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the ledger did not answer within %v when it was to %s: %w", t.timeout, what, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil || errors.Is(err, callmodel.ErrLeaseLost):
		if t.wasSilent() {
			t.back = now()
		}
		t.answered, t.since, t.last = true, time.Time{}, nil
	case ctx.Err() == nil: // else it was the caller who gave up
		t.last = err
	}
	return err
}

func (t *timedLedger) Claim(ctx context.Context, r ledger.Claim) (leases []ledger.Lease, err error) {
	err = t.ask(ctx, "claim jobs", func(ctx context.Context) error {
		leases, err = t.l.Claim(ctx, r)
		return err
	})
	return leases, err
}

func (t *timedLedger) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (longer ledger.Lease, err error) {
	err = t.ask(ctx, "extend a lease", func(ctx context.Context) error {
		longer, err = t.l.Extend(ctx, l, ttl)
		return err
	})
	return longer, err
}

func (t *timedLedger) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	return t.ask(ctx, "complete a job", func(ctx context.Context) error { return t.l.Complete(ctx, l, o) })
}

func (t *timedLedger) Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error {
	return t.ask(ctx, "publish a recording", func(ctx context.Context) error { return t.l.Publish(ctx, l, o, again) })
}

func (t *timedLedger) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	return t.ask(ctx, "fail a job", func(ctx context.Context) error { return t.l.Fail(ctx, l, f) })
}

func (t *timedLedger) Release(ctx context.Context, l ledger.Lease) error {
	return t.ask(ctx, "release a job", func(ctx context.Context) error { return t.l.Release(ctx, l) })
}
