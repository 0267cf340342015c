package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
)

// Processor makes a recording. *recording.Processor is one.
type Processor interface {
	Process(ctx context.Context, spec callmodel.RecordingSpec, o *recording.ProcessOptions) (callmodel.RecordingResult, error)
}

// Options configure a Worker. The zero value works.
type Options struct {
	// Name tells workers apart in the ledger. "" means "worker".
	Name string
	// Queues are the queues to take jobs from: the telephone servers whose legs
	// this worker can read. Nil means every queue.
	Queues []string
	// Concurrency is how many jobs run at once. 0 means the number of CPUs.
	Concurrency int
	// LeaseTTL is how long a job stays this worker's without a heartbeat. 0
	// means callmodel.DefaultLeaseTTL (30 s). Heartbeats come three times as often.
	LeaseTTL time.Duration
	// Poll is how often an idle worker asks for jobs. 0 means 250 ms.
	Poll time.Duration
	// MissingLegWait is how long after a job was enqueued its missing legs are
	// waited for, by the database's clock. 0 means 60 s; negative: not at all.
	MissingLegWait time.Duration
	// JobTimeout ends an attempt that takes longer, as a counted failure. 0
	// means one hour.
	JobTimeout time.Duration
	// Grace is how long running jobs may take to finish once Run's context has
	// ended; then they are released. 0 means 25 s.
	Grace time.Duration
	// RetryBase is the first back-off after a counted failure; it quadruples
	// each time. 0 means 2 s.
	RetryBase time.Duration
	// Logger gets a line a job. Nil: nothing is logged.
	Logger *slog.Logger
	// Finished is told of every attempt that ended, for metrics. It is called
	// by several goroutines. Nil for nobody.
	Finished func(Report)
}

// Report is how an attempt at a job ended.
type Report struct {
	Job     callmodel.Job
	Outcome Outcome
	Result  callmodel.RecordingResult // of a job that is done
	Err     error                     // why it is not
	Elapsed time.Duration             // of the attempt
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes of an attempt.
const (
	Done        Outcome = "done"
	Waiting     Outcome = "waiting" // for legs or a bucket; not counted
	Failed      Outcome = "failed"  // counted
	Quarantined Outcome = "quarantined"
	Released    Outcome = "released" // by a drain
	Lost        Outcome = "lost"     // the lease was: another worker has the job
)

// Worker runs jobs. Make one with New and start it with Run.
type Worker struct {
	queue   callmodel.JobQueue
	process Processor
	opts    Options
	bell    chan struct{}
	freed   chan struct{}
	running atomic.Int64
	healthy atomic.Bool
}

// New makes a worker that takes jobs from queue and makes them with p. It
// starts nothing. o may be nil.
func New(queue callmodel.JobQueue, p Processor, o *Options) *Worker {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.Name = cmp.Or(opts.Name, "worker")
	opts.Concurrency = cmp.Or(opts.Concurrency, runtime.GOMAXPROCS(0))
	opts.LeaseTTL = cmp.Or(opts.LeaseTTL, callmodel.DefaultLeaseTTL)
	opts.Poll = cmp.Or(opts.Poll, 250*time.Millisecond)
	opts.MissingLegWait = cmp.Or(opts.MissingLegWait, time.Minute)
	opts.JobTimeout = cmp.Or(opts.JobTimeout, time.Hour)
	opts.Grace = cmp.Or(opts.Grace, 25*time.Second)
	opts.RetryBase = cmp.Or(opts.RetryBase, 2*time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Finished == nil {
		opts.Finished = func(Report) {}
	}
	return &Worker{
		queue: queue, process: p, opts: opts,
		bell: make(chan struct{}, 1), freed: make(chan struct{}, 1),
	}
}

// Ring tells an idle worker that there may be a job, so that it needn't wait
// for its next poll. It never blocks.
func (w *Worker) Ring() { ring(w.bell) }

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Running is how many jobs are being worked on.
func (w *Worker) Running() int { return int(w.running.Load()) }

// Healthy reports whether the ledger answered the last time it was asked.
func (w *Worker) Healthy() bool { return w.healthy.Load() }

// Run claims and runs jobs until ctx ends. Then it claims no more, gives the
// running jobs Options.Grace to finish, releases those that don't, and returns
// nil. It must be called once.
func (w *Worker) Run(ctx context.Context) error {
	jobs, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var wg sync.WaitGroup
	w.claimUntil(ctx, func(l callmodel.Lease) {
		w.running.Add(1)
		wg.Go(func() {
			defer func() {
				w.running.Add(-1)
				ring(w.freed)
			}()
			w.work(jobs, l)
		})
	})
	drained := make(chan struct{})
	go func() {
		wg.Wait()
		close(drained)
	}()
	grace := time.NewTimer(w.opts.Grace)
	defer grace.Stop()
	select {
	case <-drained:
	case <-grace.C:
		stop(errDraining)
		<-drained
	}
	return nil
}

// errDraining is why a job was stopped when the grace period was over.
var errDraining = errors.New("the worker is shutting down")

// claimUntil hands leases to start until ctx ends, never more at once than
// there are free places.
func (w *Worker) claimUntil(ctx context.Context, start func(callmodel.Lease)) {
	errors := 0
	for ctx.Err() == nil {
		free := w.opts.Concurrency - w.Running()
		if free <= 0 {
			w.pause(ctx, w.opts.LeaseTTL)
			continue
		}
		leases, err := w.queue.Claim(ctx, callmodel.ClaimRequest{
			Worker: w.opts.Name, Queues: w.opts.Queues, Limit: free, TTL: w.opts.LeaseTTL,
		})
		if ctx.Err() != nil {
			// Claimed or not, nobody is waiting for an answer: the leases end
			// by themselves, but giving them back is quicker.
			for _, l := range leases {
				w.release(context.WithoutCancel(ctx), l)
			}
			return
		}
		w.healthy.Store(err == nil)
		if err != nil {
			errors++
			w.opts.Logger.ErrorContext(ctx, "claiming jobs failed; trying again", "error", err, "times", errors)
			w.pause(ctx, jitter(min(w.opts.Poll<<min(errors, 10), 10*time.Second)))
			continue
		}
		errors = 0
		for _, l := range leases {
			start(l)
		}
		if len(leases) < free {
			w.pause(ctx, jitter(w.opts.Poll))
		}
	}
}

// pause waits for the doorbell, a finished job or the end of d.
func (w *Worker) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-w.bell:
	case <-w.freed:
	case <-t.C:
	}
}

// jitter spreads d by ±25 %, so that workers don't move in step.
func jitter(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1) //nolint:gosec // no secret
}

// work runs one job to whatever end it comes to.
func (w *Worker) work(ctx context.Context, l callmodel.Lease) {
	start := time.Now() //nolint:forbidigo // a stopwatch for the report; media time is frames
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beat sync.WaitGroup
	beating, stopBeat := context.WithCancel(own)
	beat.Go(func() { w.heartbeat(beating, l, cancel) })

	result, err := w.attempt(own, l, start)
	if err == nil {
		err = w.complete(own, l, result)
	}
	stopBeat()
	beat.Wait()

	r := Report{Job: l.Job, Result: result, Err: err, Outcome: Done}
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
func (w *Worker) attempt(ctx context.Context, l callmodel.Lease, start time.Time) (result callmodel.RecordingResult, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.opts.JobTimeout, errTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	waited := age(l) + time.Since(start)
	result, err = w.process.Process(ctx, l.Job.Spec, &recording.ProcessOptions{AcceptMissing: waited >= w.opts.MissingLegWait})
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = fmt.Errorf("%w after %v", errTimeout, w.opts.JobTimeout)
	}
	return result, err
}

var errTimeout = errors.New("the attempt timed out")

// age is how long the job had been in the ledger when it was claimed. All
// three times are the database's.
func age(l callmodel.Lease) time.Duration {
	return l.Job.LeaseUntil.Add(-l.TTL).Sub(l.Job.CreatedAt)
}

// heartbeat prolongs the lease until ctx ends, and stops the job when the
// lease is lost. While the ledger doesn't answer the job goes on: the token
// will tell at the commit whether it was in vain.
func (w *Worker) heartbeat(ctx context.Context, l callmodel.Lease, stop context.CancelCauseFunc) {
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

// complete commits the result. The objects are in the bucket by now, so a
// ledger that is down is waited for: only the loss of the lease, or the
// worker's own end, lets go of a finished recording, and then another attempt
// finds the same objects there.
func (w *Worker) complete(ctx context.Context, l callmodel.Lease, r callmodel.RecordingResult) error {
	if r.Status == callmodel.StatusQuarantined {
		return callmodel.Permanent(fmt.Errorf("the recording can't be made: %s%s", r.Reason, describe(r.Defects)))
	}
	for try := 0; ; try++ {
		err := w.queue.Complete(ctx, l, r)
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

func describe(defects []callmodel.Defect) string {
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
func (w *Worker) settle(ctx context.Context, l callmodel.Lease, cause error, elapsed time.Duration) Outcome {
	switch {
	case errors.Is(cause, callmodel.ErrLeaseLost):
		return Lost
	case errors.Is(cause, errDraining):
		w.release(ctx, l)
		return Released
	}
	f := callmodel.FailureOf(w.fate(cause, age(l)+elapsed), jitter(w.opts.RetryBase<<(2*min(l.Job.Attempts, 5))))
	out := Failed
	switch {
	case f.Quarantine || !f.Uncounted && l.Job.Attempts+1 >= callmodel.MaxJobAttempts:
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
func (w *Worker) fate(err error, old time.Duration) error {
	var notReady *recording.LegsNotReadyError
	var later *callmodel.RetryAfterError
	switch {
	case errors.As(err, &notReady):
		wait := min(max(old/4, 100*time.Millisecond), 5*time.Second)
		return callmodel.RetryAfter(err, max(min(wait, w.opts.MissingLegWait-old), time.Millisecond))
	case errors.As(err, &later) && later.After == 0:
		return callmodel.RetryAfter(err, jitter(min(max(old/2, time.Second), time.Minute)))
	}
	return err
}

func (w *Worker) release(ctx context.Context, l callmodel.Lease) {
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
	case Waiting, Released:
		w.opts.Logger.InfoContext(ctx, "recording waits", append(attrs, "reason", r.Err)...)
	default:
		w.opts.Logger.ErrorContext(ctx, "recording failed", append(attrs, "error", r.Err)...)
	}
	w.opts.Finished(r)
}
