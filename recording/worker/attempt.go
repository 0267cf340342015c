package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// work runs one job to whatever end it comes to.
func (w *Worker) work(ctx context.Context, l ledger.Lease) {
	start := time.Now() //nolint:forbidigo // a stopwatch for the report; media time is frames
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beat sync.WaitGroup
	beating, stopBeat := context.WithCancel(own)
	beat.Go(func() { w.heartbeat(beating, l, cancel) })

	result, err := w.attempt(own, l, start)
	outcome := Done
	if err == nil {
		outcome, err = w.commit(own, l, &result, time.Since(start))
	}
	stopBeat()
	beat.Wait()

	r := Report{Job: l.Job, Result: result, Err: err, Outcome: outcome}
	if err != nil {
		// Which error came first depends on who noticed; the cause is the truth.
		if cause := context.Cause(own); cause != nil {
			err = cause
		}
		r.Outcome = w.settle(context.WithoutCancel(ctx), l, err, time.Since(start))
		r.Err = err
	}
	r.Elapsed = time.Since(start)
	w.report(ctx, r)
}

// attempt makes the recording, and turns a panic of a codec or stage into an
// error that counts, so that a poisonous recording can't take the others along.
func (w *Worker) attempt(ctx context.Context, l ledger.Lease, start time.Time) (result record.Result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.opts.JobTimeout, errTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	result, err = w.process.Process(ctx, l.Job.Spec, w.accepts(l, start))
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = fmt.Errorf("%w after %v", errTimeout, w.opts.JobTimeout)
	}
	return result, err
}

var errTimeout = errors.New("the attempt timed out")

// age is how long the job had been in the ledger when it was claimed. All
// three times are the database's.
func age(l ledger.Lease) time.Duration {
	return l.Job.LeaseUntil.Add(-l.TTL).Sub(l.Job.CreatedAt)
}

// heartbeat prolongs the lease until ctx ends, and stops the job when the
// lease is lost. While the ledger doesn't answer the job goes on: the token
// will tell at the commit whether it was in vain.
func (w *Worker) heartbeat(ctx context.Context, l ledger.Lease, stop context.CancelCauseFunc) {
	tick := time.NewTicker(max(w.opts.LeaseTTL/3, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next, err := w.queue.Extend(ctx, l, w.opts.LeaseTTL)
		switch {
		case err == nil:
			l = next
		case errors.Is(err, callmodel.ErrLeaseLost):
			stop(callmodel.ErrLeaseLost)
			return
		case ctx.Err() == nil:
			w.opts.Logger.WarnContext(ctx, "the heartbeat failed; the job goes on", "job", l.Job.ID, "error", err)
		}
	}
}

// commit puts the result in the ledger, and says what that makes of the job. It
// changes r to what is on the call then.
func (w *Worker) commit(ctx context.Context, l ledger.Lease, r *record.Result, elapsed time.Duration) (Outcome, error) {
	if w.keeps(ctx, l, r) {
		*r = *l.Job.Published()
	}
	switch {
	case r.Status == record.StatusQuarantined:
		return Quarantined, callmodel.Permanent(fmt.Errorf("the recording can't be made: %s%s", r.Reason, describe(r.Defects)))
	case l.Job.Published() == nil && r.Made() && r.Has(record.DefectLegGrowing) && w.follows(age(l)):
		again := w.followIn(age(l) + elapsed)
		return Published, w.persist(ctx, l, func() error { return w.queue.Publish(ctx, l, *r, again) })
	}
	return Done, w.persist(ctx, l, func() error { return w.queue.Complete(ctx, l, *r) })
}

// persist repeats a commit while the ledger is down. The objects are in the
// bucket by now: only the loss of the lease, or the worker's own end, lets go of
// a finished recording, and then another attempt finds the same objects there.
func (w *Worker) persist(ctx context.Context, l ledger.Lease, commit func() error) error {
	for try := 0; ; try++ {
		err := commit()
		if err == nil || errors.Is(err, callmodel.ErrLeaseLost) || callmodel.CodeOf(err) != callmodel.CodeUnavailable {
			return err
		}
		w.opts.Logger.ErrorContext(ctx, "committing a finished recording failed; trying again", "job", l.Job.ID, "error", err)
		t := time.NewTimer(jitter(min(w.opts.Poll<<min(try, 10), 10*time.Second)))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

func describe(defects []record.Defect) string {
	var b strings.Builder
	for _, d := range defects {
		fmt.Fprintf(&b, "; %s", d.Code)
		if d.Leg != "" {
			fmt.Fprintf(&b, " (leg %s)", d.Leg)
		}
		if d.Detail != "" {
			fmt.Fprintf(&b, ": %s", d.Detail)
		}
	}
	return b.String()
}

// settle tells the ledger of an attempt that came to nothing.
func (w *Worker) settle(ctx context.Context, l ledger.Lease, cause error, elapsed time.Duration) Outcome {
	switch {
	case errors.Is(cause, callmodel.ErrLeaseLost):
		return Lost
	case errors.Is(cause, errDraining):
		w.release(ctx, l)
		return Released
	}
	f := ledger.FailureOf(w.fate(l, cause, elapsed), jitter(w.opts.RetryBase<<(2*min(l.Job.Attempts, 5))))
	out := Failed
	switch {
	case f.Quarantine || !f.Uncounted && l.Job.Attempts+1 >= ledger.MaxAttempts:
		f.Quarantine, out = true, Quarantined
	case f.Uncounted:
		out = Waiting
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.LeaseTTL)
	defer cancel()
	if err := w.queue.Fail(ctx, l, f); err != nil {
		// The lease will end by itself, and the job be claimed again.
		w.opts.Logger.WarnContext(ctx, "the ledger couldn't be told of a failure", "job", l.Job.ID, "error", err)
		if errors.Is(err, callmodel.ErrLeaseLost) {
			return Lost
		}
	}
	return out
}

// fate marks errors that aren't the recording's own. What is waited for may
// come any moment while the job is fresh, and hardly after long: waits grow
// with the job's age.
func (w *Worker) fate(l ledger.Lease, err error, elapsed time.Duration) error {
	old := age(l) + elapsed
	var notReady *recording.LegsNotReadyError
	var later *callmodel.RetryAfterError
	switch {
	case errors.As(err, &notReady) && l.Job.Published() != nil:
		return callmodel.RetryAfter(err, w.followIn(old))
	case errors.As(err, &notReady):
		wait := min(max(old/4, 100*time.Millisecond), 5*time.Second)
		return callmodel.RetryAfter(err, max(min(wait, w.opts.MissingLegWait-old), time.Millisecond))
	case errors.As(err, &later) && later.After == 0:
		return callmodel.RetryAfter(err, jitter(min(max(old/2, time.Second), time.Minute)))
	}
	return err
}

func (w *Worker) release(ctx context.Context, l ledger.Lease) {
	ctx, cancel := context.WithTimeout(ctx, w.opts.LeaseTTL)
	defer cancel()
	if err := w.queue.Release(ctx, l); err != nil {
		w.opts.Logger.WarnContext(ctx, "a job couldn't be released; its lease will end by itself", "job", l.Job.ID, "error", err)
	}
}

func (w *Worker) report(ctx context.Context, r Report) {
	attrs := []any{
		"job", r.Job.ID, "tenant", r.Job.Spec.TenantID, "call", r.Job.Spec.CallID, "outcome", r.Outcome,
		"attempt", r.Job.Attempts + 1, "elapsed", r.Elapsed,
	}
	switch r.Outcome {
	case Done:
		w.opts.Logger.InfoContext(ctx, "recording finished", append(attrs, "status", r.Result.Status, "defects", len(r.Result.Defects))...)
	case Published:
		w.opts.Logger.InfoContext(ctx, "recording published, with a leg that is still being written; a later version may follow",
			append(attrs, "status", r.Result.Status, "defects", len(r.Result.Defects), "url", r.Result.URL())...)
	case Waiting, Released:
		level := slog.LevelInfo
		if r.Err != nil && r.Err.Error() == r.Job.LastError {
			level = slog.LevelDebug // a job may wait often, and for one thing
		}
		w.opts.Logger.Log(ctx, level, "recording waits", append(attrs, "reason", r.Err)...)
	default:
		w.opts.Logger.ErrorContext(ctx, "recording failed", append(attrs, "error", r.Err)...)
	}
	w.opts.Finished(r)
}
