package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// task is a leased job, with what its payload and its published result say.
type task struct {
	ledger.Lease

	spec      record.Spec
	published *record.Result // nil if there is none
	started   time.Time      // when the attempt was begun
}

// decode reads the job. One that can't be read never will: it fails alone.
func decode(l ledger.Lease, start time.Time) (*task, error) {
	t := &task{Lease: l, started: start}
	var err error
	if t.spec, err = record.SpecOf(&l.Job); err == nil {
		t.published, err = record.PublishedBy(&l.Job)
	}
	if err != nil {
		err = callmodel.Permanent(fmt.Errorf("%w: %w", errUndecodable, err))
	}
	return t, err
}

var errUndecodable = errors.New("the job can't be read")

// elapsed is how long the attempt has taken so far.
func (t *task) elapsed() time.Duration { return time.Since(t.started) }

// work runs one job, of that bucket, to whatever end it comes to.
func (w *Worker) work(ctx context.Context, l ledger.Lease, bucket string) {
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beat sync.WaitGroup
	beating, stopBeat := context.WithCancel(own)
	beat.Go(func() { w.heartbeat(beating, l, cancel) })

	t, err := decode(l, now())
	var result record.Result
	var abandoned bool
	if err == nil {
		result, abandoned, err = w.bounded(own, t)
	}
	switch {
	case err != nil: // its cause is asked for below
	case result.Made():
		w.gate.stored(bucket, l.Job.ID, t.started)
	default:
		_ = w.gate.failed(bucket, l.Job.ID, nil)
	}
	outcome := Done
	if err == nil {
		outcome, err = w.commit(own, t, &result)
	}
	stopBeat()
	beat.Wait()

	r := Report{Job: l.Job, Result: result, Err: err, Outcome: outcome, Abandoned: abandoned}
	if err != nil {
		// Which error came first depends on who noticed; the cause is the truth.
		if cause := context.Cause(own); cause != nil {
			err = cause
		}
		err = w.gate.failed(bucket, l.Job.ID, err)
		r.Outcome = w.giveUp(context.WithoutCancel(ctx), t, err)
		r.Err = err
	}
	r.Elapsed = t.elapsed()
	w.report(ctx, r)
}

// attempt makes the recording, and turns a panic of a codec or stage into an
// error that counts, so that a poisonous recording can't take the others along.
func (w *Worker) attempt(ctx context.Context, t *task) (result record.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.make(ctx, t)
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
		next, err := w.ledger.Extend(ctx, l, w.opts.LeaseTTL)
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
func (w *Worker) commit(ctx context.Context, t *task, r *record.Result) (Outcome, error) {
	kept := w.keeps(ctx, t, r)
	if kept {
		*r = *t.published
	}
	awaited := !kept && incomplete(r) && (r.Made() || noAudio(r)) && w.follows(age(t.Lease))
	switch {
	case !awaited:
	case !t.isNew(r), noAudio(r) && !w.tellsAbsence(t, r):
		return Waiting, lacking(r)
	default:
		return w.publish(ctx, t, r)
	}
	if r.Status == record.StatusQuarantined {
		return Quarantined, callmodel.Permanent(fmt.Errorf("the recording can't be made: %s%s", r.Reason, describe(r.Defects)))
	}
	o, err := record.Outcome(*r)
	if err != nil {
		return Failed, err
	}
	return Done, w.untilAnswered(ctx, t, func() error { return w.ledger.Complete(ctx, t.Lease, o) })
}

// publish puts the result in the ledger, and the job back to be followed.
func (w *Worker) publish(ctx context.Context, t *task, r *record.Result) (Outcome, error) {
	o, err := record.Outcome(*r)
	if err != nil {
		return Failed, err
	}
	o.Empty = false // that there is nothing so far is told, too
	old := age(t.Lease) + t.elapsed()
	again := w.look(&w.late, w.followIn(old), w.opts.FollowGrowing-old)
	defer w.remind(again)
	return Published, w.untilAnswered(ctx, t, func() error { return w.ledger.Publish(ctx, t.Lease, o, again) })
}

// untilAnswered repeats a commit while the ledger is down. The objects are in the
// bucket by now: only the loss of the lease, or the worker's own end, lets go of
// a finished recording, and then another attempt finds the same objects there.
func (w *Worker) untilAnswered(ctx context.Context, t *task, commit func() error) error {
	for try := 0; ; try++ {
		err := commit()
		if err == nil || errors.Is(err, callmodel.ErrLeaseLost) || callmodel.CodeOf(err) != callmodel.CodeUnavailable {
			return err
		}
		w.opts.Logger.ErrorContext(ctx, "committing a finished recording failed; trying again", "job", t.Job.ID, "error", err)
		timer := time.NewTimer(jitter(min(w.opts.Poll<<min(try, 10), 10*time.Second)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
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

// giveUp tells the ledger of an attempt that came to nothing.
func (w *Worker) giveUp(ctx context.Context, t *task, cause error) Outcome {
	switch {
	case errors.Is(cause, callmodel.ErrLeaseLost):
		return Lost
	case errors.Is(cause, errDraining):
		w.release(ctx, t.Lease, time.Until(w.drained))
		return Released
	}
	f := w.failure(t, cause)
	out := Failed
	switch {
	case f.Quarantine || !f.Uncounted && t.Job.Attempts+1 >= ledger.MaxAttempts:
		f.Quarantine, out = true, Quarantined
	case f.Uncounted:
		out = Waiting
	}
	if out != Quarantined {
		defer w.remind(f.RetryIn + w.leaveToOthers(t, f.Reason))
	}
	if err := w.ledger.Fail(ctx, t.Lease, f); err != nil {
		// The lease will end by itself, and the job be claimed again.
		w.opts.Logger.WarnContext(ctx, "the ledger couldn't be told of a failure", "job", t.Job.ID, "error", err)
		if errors.Is(err, callmodel.ErrLeaseLost) {
			return Lost
		}
	}
	return out
}

// failure is what becomes of a job by the error of its attempt. What is waited for
// may come any moment while the job is fresh, and hardly after long: waits grow
// with the job's age.
func (w *Worker) failure(t *task, err error) ledger.Failure {
	old := age(t.Lease) + t.elapsed()
	var notReady *recording.LegsNotReadyError
	var away *recording.LegsAwayError
	var bucket *callmodel.BucketAwayError
	var later *callmodel.RetryAfterError
	var why ledger.Reason
	switch {
	case errors.As(err, &away):
		why = record.LegsAway
		if !errors.As(err, &later) || later.After == 0 {
			err = callmodel.RetryAfter(err, w.look(&w.late, awayPause(old), diarySeconds*time.Second))
		}
	case errors.As(err, &notReady):
		why, err = record.LegsMissing, callmodel.RetryAfter(err, w.legsPause(t))
		if len(notReady.Growing) > 0 {
			why = record.LegsGrowing
		}
	case errors.As(err, &bucket):
		why, err = record.BucketAway, callmodel.RetryAfter(err, max(bucket.RetryAfter, awayPause(old)))
	case errors.Is(err, errUndecodable):
		why = ledger.Undecodable
	case errors.As(err, &later) && later.After == 0:
		err = callmodel.RetryAfter(err, awayPause(old))
	}
	f := ledger.FailureOf(err, jitter(w.opts.RetryBase<<(2*min(t.Job.Attempts, 5))))
	f.Reason = cmp.Or(why, f.Reason)
	return f
}

// withoutAway puts back the jobs whose bucket is away, and returns the others.
func (w *Worker) withoutAway(ctx context.Context, leases []ledger.Lease) []ledger.Lease {
	return slices.DeleteFunc(leases, func(l ledger.Lease) bool {
		wait, why := w.gate.turnsAway(&l.Job)
		if why == nil {
			return false
		}
		f := ledger.FailureOf(callmodel.RetryAfter(why, jitter(wait)+time.Millisecond), wait)
		f.Reason = record.BucketAway
		defer w.remind(f.RetryIn)
		if err := w.ledger.Fail(ctx, l, f); err != nil {
			w.opts.Logger.WarnContext(ctx, "a job couldn't be put back whose bucket is away; its lease will end by itself", "job", l.Job.ID, "error", err)
		}
		return true
	})
}

// release gives a job back, within that time.
func (w *Worker) release(ctx context.Context, l ledger.Lease, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := w.ledger.Release(ctx, l); err != nil {
		w.opts.Logger.WarnContext(ctx, "a job couldn't be released; its lease will end by itself", "job", l.Job.ID, "error", err)
	}
}

// releaseTime is what Options.Grace leaves for releases.
func (w *Worker) releaseTime() time.Duration { return max(w.opts.Grace/5, time.Second) }

func (w *Worker) report(ctx context.Context, r Report) {
	attrs := []any{
		"job", r.Job.ID, "tenant", r.Job.TenantID, "call", r.Job.CallID, "outcome", r.Outcome,
		"attempt", r.Job.Attempts + 1, "elapsed", r.Elapsed,
	}
	switch r.Outcome {
	case Done:
		w.opts.Logger.InfoContext(ctx, "recording finished", append(attrs, "status", r.Result.Status, "defects", len(r.Result.Defects))...)
	case Published:
		w.opts.Logger.InfoContext(ctx, "recording published, with a leg that is missing or still being written; a later version may follow",
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
	w.watchPlace(ctx, &r)
	w.opts.Finished(r)
}
