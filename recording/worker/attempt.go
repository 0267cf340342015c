package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/task"
)

// attempt is a leased job that is being done.
type attempt struct {
	ledger.Lease

	started time.Time // when it was begun
}

// elapsed is how long the attempt has taken so far.
func (a *attempt) elapsed() time.Duration { return time.Since(a.started) }

// made is what an attempt came to: a recording, or the outcome of a job of another kind.
type made struct {
	recording record.Result
	outcome   ledger.Outcome
}

// doing is an attempt at a job of one kind: what isn't the same for all kinds. Its
// methods are called in this order, by one goroutine but for do.
type doing interface {
	// leased is the attempt itself.
	leased() *attempt
	// read reads the job. What can't be read never can.
	read() error
	// do does the job, in a goroutine of its own. It may hang: see Worker.bounded.
	do(ctx context.Context) (made, error)
	// commit puts what was made in the ledger, and says what that makes of the job. It
	// changes m to what is in use then.
	commit(ctx context.Context, m *made) (Outcome, error)
	// failed is told of an error of any of these, and says what it is for the job.
	failed(err error) error
	// failure is what becomes of the job by that error, and for how much longer than it
	// waits this worker leaves it to others.
	failure(err error) (f ledger.Failure, leave time.Duration)
}

// begin is an attempt at the job, by its kind.
func (w *Worker) begin(l ledger.Lease) doing {
	a := &attempt{Lease: l}
	if l.Job.Kind == record.Kind {
		bucket, away := w.gate.begin(&l.Job)
		return &recordingAttempt{attempt: a, w: w, bucket: bucket, away: away}
	}
	kind, _ := w.opts.Kinds.Of(l.Job.Kind) // no other is claimed
	return &taskAttempt{attempt: a, w: w, kind: kind}
}

func (a *attempt) leased() *attempt { return a }

// work runs one job to whatever end it comes to.
func (w *Worker) work(ctx context.Context, d doing) {
	a := d.leased()
	ctx, span := w.trace(ctx, &a.Job)
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beat sync.WaitGroup
	beating, stopBeat := context.WithCancel(own)
	beat.Go(func() { w.heartbeat(beating, a.Lease, cancel) })

	a.started = now()
	err := d.read()
	var m made
	var abandoned bool
	if err == nil {
		m, abandoned, err = w.bounded(own, d)
	}
	outcome := Done
	if err == nil {
		committing, part := tracing.Start(own, w.opts.Tracer, "commit")
		outcome, err = d.commit(committing, &m)
		part.End(err)
	}
	stopBeat()
	beat.Wait()

	r := Report{Job: a.Job, Result: m.recording, JSON: m.outcome.Result, Err: err, Outcome: outcome, Abandoned: abandoned}
	if err != nil {
		// Which error came first depends on who noticed; the cause is the truth.
		if cause := context.Cause(own); cause != nil {
			err = cause
		}
		err = d.failed(err)
		r.Outcome = w.giveUp(context.WithoutCancel(ctx), d, err)
		r.Err = err
	} else if outcome == Quarantined {
		r.Err = errors.New(cmp.Or(m.outcome.Reason, "its kind set the job aside"))
	}
	r.Elapsed = a.elapsed()
	w.report(ctx, r)
	span.Set("switchtape.outcome", string(r.Outcome))
	span.Set("switchtape.url", r.Result.URL())
	span.End(r.Err)
}

// trace begins the span of an attempt at the job, within the one that asked for it.
func (w *Worker) trace(ctx context.Context, j *ledger.Job) (context.Context, tracing.Span) {
	if w.opts.Tracer == nil {
		return tracing.Start(ctx, nil, "")
	}
	var asked struct {
		Traceparent string `json:"traceparent"`
	}
	_ = json.Unmarshal(j.Payload, &asked) // what can't be read has none, and its attempt says so
	ctx, span := w.opts.Tracer.Start(w.opts.Tracer.Within(ctx, asked.Traceparent), "job "+j.Kind)
	for key, value := range map[string]string{
		"switchtape.job": string(j.ID), "switchtape.call": string(j.CallID), "switchtape.tenant": string(j.TenantID), "switchtape.queue": j.Queue,
	} {
		span.Set(key, value)
	}
	span.SetInt("switchtape.attempt", int64(j.Attempts)+1)
	span.SetInt("switchtape.waited_ms", j.LeaseUntil.Add(-w.opts.LeaseTTL).Sub(j.RunAt).Milliseconds())
	return ctx, span
}

// guarded does the job, and turns a panic of a codec, a stage or a kind into an error
// that counts, so that a poisonous job can't take the others along.
func guarded(ctx context.Context, d doing) (m made, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return d.do(ctx)
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

// commitPause is the longest pause between two tries of a commit: when the ledger is back it
// must be told before others take the job. See settleTime.
const commitPause = time.Second

// untilAnswered repeats a commit while the ledger is down. The objects are in the
// bucket by now: only the loss of the lease, or the worker's own end, lets go of
// a finished job, and then another attempt finds the same objects there.
func (w *Worker) untilAnswered(ctx context.Context, a *attempt, commit func() error) error {
	for try := 0; ; try++ {
		err := commit()
		if err == nil || errors.Is(err, callmodel.ErrLeaseLost) || callmodel.CodeOf(err) != callmodel.CodeUnavailable {
			return err
		}
		w.opts.Logger.ErrorContext(ctx, "committing a finished job failed; trying again", "job", a.Job.ID, "error", err)
		timer := time.NewTimer(w.opts.Jitter(min(w.opts.Poll<<min(try, 10), commitPause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// giveUp tells the ledger of an attempt that came to nothing.
func (w *Worker) giveUp(ctx context.Context, d doing, cause error) Outcome {
	a := d.leased()
	switch {
	case errors.Is(cause, callmodel.ErrLeaseLost):
		return Lost
	case errors.Is(cause, errDraining):
		w.release(ctx, a.Lease, time.Until(w.drained))
		return Released
	}
	f, leave := d.failure(cause)
	out := Failed
	switch {
	case f.Quarantine || !f.Uncounted && a.Job.Attempts+1 >= ledger.MaxAttempts:
		f.Quarantine, out = true, Quarantined
	case f.Uncounted:
		out = Waiting
	}
	if out != Quarantined {
		defer w.remind(f.RetryIn + leave)
	}
	if err := w.ledger.Fail(ctx, a.Lease, f); err != nil {
		// The lease will end by itself, and the job be claimed again.
		w.opts.Logger.WarnContext(ctx, "the ledger couldn't be told of a failure", "job", a.Job.ID, "error", err)
		if errors.Is(err, callmodel.ErrLeaseLost) {
			return Lost
		}
	}
	return out
}

// failureOf is what becomes of a job by the error of its attempt, whatever its kind,
// for the reason why, or "" if the error alone tells. The pauses of what waits grow with
// the job's age.
func (w *Worker) failureOf(a *attempt, err error, why ledger.Reason) ledger.Failure {
	old := age(a.Lease) + a.elapsed()
	var bucket *callmodel.BucketAwayError
	var later *callmodel.RetryAfterError
	switch {
	case why != "":
	case errors.As(err, &bucket):
		why, err = record.BucketAway, callmodel.RetryAfter(err, max(bucket.RetryAfter, w.awayPause(old)))
	case errors.Is(err, task.ErrUndecodable):
		why = ledger.Undecodable
	case errors.As(err, &later) && later.After == 0:
		err = callmodel.RetryAfter(err, w.awayPause(old))
	}
	f := ledger.FailureOf(err, w.opts.Jitter(w.opts.RetryBase<<(2*min(a.Job.Attempts, 5))))
	f.Reason = cmp.Or(why, f.Reason)
	return f
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
