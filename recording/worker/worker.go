package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/task"
)

// Processor makes a recording. *recording.Processor is one.
type Processor interface {
	Process(ctx context.Context, spec record.Spec, o *recording.ProcessOptions) (record.Result, error)
}

// Options configure a Worker. The zero value works.
type Options struct {
	// Name tells workers apart in the ledger. "" means "worker".
	Name string
	// Kinds are the kinds of job that the worker does besides recordings: those with a
	// Do. Recordings among them are the Processor's.
	Kinds task.Kinds
	// Queues are the queues to take jobs from, which name the worker: those of the
	// telephone servers whose legs it can read, and ledger.DefaultQueue for jobs that
	// name no server. With AllQueues among them, or none, jobs of every queue are
	// taken. A job of a queue that isn't named here is never recorded without a leg,
	// nor called absent: its legs may be elsewhere, so that they are away.
	Queues []string
	// AllLegs says that the worker can read the legs of every queue, as in a bucket
	// that all telephone servers write to, or on the only machine. It is named for
	// every queue then.
	AllLegs bool
	// Concurrency is how many jobs run at once. 0 means the number of CPUs.
	Concurrency int
	// LeaseTTL is how long a job stays this worker's without a heartbeat. 0
	// means ledger.DefaultLeaseTTL (30 s). Heartbeats come three times as often.
	LeaseTTL time.Duration
	// LedgerTimeout bounds every call of the ledger: one that is not answered by then
	// has failed, and is made again where that helps. 0 means 10 s, but no more than
	// a third of LeaseTTL and no less than 1 s.
	LedgerTimeout time.Duration
	// Poll is how often an idle worker asks for jobs. 0 means 250 ms.
	Poll time.Duration
	// Doorbell tells the worker of new jobs, so that it asks less often while it is
	// idle. Nil, or one that can't: it asks every Poll.
	Doorbell Doorbell
	// IdlePoll is how often an idle worker asks at least while it listens to Doorbell,
	// give or take a quarter. It bounds how long a job lies whose ring was lost, or whose
	// worker died. 0 means 20 s.
	IdlePoll time.Duration
	// MissingLegWait is how long after a job was enqueued its legs are waited for
	// that are missing or still being written, by the database's clock, before what
	// there is of the call is recorded. 0 means 60 s; negative: not at all.
	MissingLegWait time.Duration
	// FollowGrowing is for how long after a job was enqueued a leg is followed that
	// was missing or still being written when MissingLegWait was over: its recording
	// is published as far as it goes, and made again when the leg has come, when it is
	// whole and, at the latest, then. A call of which no leg has come is absent
	// meanwhile, but in ledger.DefaultQueue only then, unless AllLegs says that no
	// other machine has its legs. 0 means 24 h; negative: what was there at first is
	// all.
	FollowGrowing time.Duration
	// FollowPause is the shortest pause between two looks at such a leg; pauses
	// grow with the job's age, to an eighth of that, up to 60 times FollowPause. 0
	// means 5 s.
	FollowPause time.Duration
	// Quiet is for how long a file of a leg must not have been written to, by its
	// modification time and this machine's clock, to be whole, if it looks cut, was
	// seen growing, or MissingLegWait was waited for. 0 means 10 s; negative: only
	// that a file becomes longer while it is read shows that it is still being written.
	Quiet time.Duration
	// JobTimeout ends an attempt that takes longer, as a counted failure. 0 means one
	// hour.
	JobTimeout time.Duration
	// LetGo is how long an attempt may take to return whose time is over, or whose
	// lease is lost: then it is abandoned, and its place is free for another job. 0
	// means 5 s. At the end of a drain it is no more than a tenth of Grace, or half
	// a second if that is more.
	LetGo time.Duration
	// ProbePause is the first pause between two probes of a bucket that is away; it
	// doubles, up to 60 times that. 0 means 1 s.
	ProbePause time.Duration
	// Probe looks at a bucket that is away, before a job tries it: its error is a
	// callmodel.BucketAwayError while no job needs to. It has 10 s. Nil: jobs alone
	// tell. It isn't used with Bucket.
	Probe func(ctx context.Context) error
	// Bucket names the bucket that a recording goes to, by any name that tells it
	// from others, so that the jobs of other buckets go on while it is away. Nil:
	// there is one, and while it is away nothing is claimed but one job to probe it.
	Bucket func(s *record.Spec) string
	// BucketChanged is told when a bucket has come to be away, and when it is back, one
	// after the other; it has 10 s. Nil for nobody.
	BucketChanged func(ctx context.Context, b outbox.Bucket) error
	// Backup is where recordings go while their bucket is away. Nil: they wait for it.
	Backup Backup
	// Room is an error while a job of that kind isn't to be begun, as its disk is full: it
	// is asked before each claim, and must answer at once. What runs goes on. Nil: there
	// always is room.
	Room func(kind string) error
	// Grace is how long running jobs may take to finish once Run's context has
	// ended; then they are released, which takes a fifth of that at most, or 1 s if
	// that is more. 0 means 25 s.
	Grace time.Duration
	// RetryBase is the first back-off after a counted failure; it quadruples
	// each time. 0 means 2 s.
	RetryBase time.Duration
	// Jitter changes a pause a little, so that workers don't move in step. It is called
	// by several goroutines. Nil means at random, by up to a quarter.
	Jitter func(time.Duration) time.Duration
	// FinishedDir is a directory on a disk that outlives the process, in which recordings
	// are noted that are in their bucket while the ledger doesn't answer: a worker that is
	// restarted meanwhile commits them when it claims their jobs again, instead of making
	// them again. It is the worker's own, and is made when it is needed. "": none.
	FinishedDir string
	// Logger gets a line a job. Nil: nothing is logged.
	Logger *slog.Logger
	// Software is the version of the program, which recordings note: it tells what one of
	// them has made from what another has. "" notes nothing.
	Software string
	// Tracer makes a span of each attempt, within the one that the job's payload names by
	// its "traceparent", and one of its commit. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Finished is told of every attempt that ended, for metrics. It is called
	// by several goroutines. Nil for nobody.
	Finished func(Report)
}

// Worker runs jobs. Make one with New and start it with Run.
type Worker struct {
	ledger  timedLedger
	process Processor
	kinds   []string // of job that it does
	// finished are recordings that the ledger couldn't be told of.
	finished finished
	opts     Options
	bell     chan struct{}
	freed    chan struct{}
	running  atomic.Int64
	// listening says that Doorbell rings for new jobs.
	listening atomic.Bool
	hung      hungAttempts
	gate      bucketGate
	soon      diary // looks for legs that may be a little late
	late      diary // and that come late, if ever
	made      time.Time
	drained   time.Time // by when a drain is to have ended; set before the jobs are told of it
	away      awayAlarm
	// rest is until when suspects are left to others. Only Run's own goroutine uses it.
	rest time.Time
}

// New makes a worker that takes jobs from l. It makes recordings with p, and does the
// jobs of Options.Kinds. Without p it leaves recordings to others. It starts nothing. o
// may be nil.
func New(l Ledger, p Processor, o *Options) *Worker {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.Name = cmp.Or(opts.Name, "worker")
	opts.Concurrency = cmp.Or(opts.Concurrency, runtime.GOMAXPROCS(0))
	opts.LeaseTTL = cmp.Or(opts.LeaseTTL, ledger.DefaultLeaseTTL)
	opts.LedgerTimeout = cmp.Or(opts.LedgerTimeout, max(min(10*time.Second, opts.LeaseTTL/3), time.Second))
	opts.Poll = cmp.Or(opts.Poll, 250*time.Millisecond)
	opts.IdlePoll = cmp.Or(opts.IdlePoll, 20*time.Second)
	opts.MissingLegWait = cmp.Or(opts.MissingLegWait, time.Minute)
	opts.FollowGrowing = cmp.Or(opts.FollowGrowing, 24*time.Hour)
	opts.FollowPause = cmp.Or(opts.FollowPause, 5*time.Second)
	opts.Quiet = cmp.Or(opts.Quiet, 10*time.Second)
	opts.JobTimeout = cmp.Or(opts.JobTimeout, time.Hour)
	opts.ProbePause = cmp.Or(opts.ProbePause, time.Second)
	opts.LetGo = cmp.Or(opts.LetGo, 5*time.Second)
	opts.Grace = cmp.Or(opts.Grace, 25*time.Second)
	opts.RetryBase = cmp.Or(opts.RetryBase, 2*time.Second)
	if opts.Jitter == nil {
		opts.Jitter = jitter
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Finished == nil {
		opts.Finished = func(Report) {}
	}
	w := &Worker{
		ledger: timedLedger{l: l, timeout: opts.LedgerTimeout, long: opts.LeaseTTL / 2}, process: p, kinds: opts.kinds(p != nil), opts: opts,
		bell: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		hung: hungAttempts{places: opts.Concurrency},
		soon: diary{most: looksSoon * opts.Concurrency, places: opts.Concurrency},
		late: diary{most: looksLate * opts.Concurrency, places: opts.Concurrency},
		made: now(), finished: finished{opts.FinishedDir},
	}
	w.gate.opts, w.gate.news = &w.opts, make(chan outbox.Bucket, maxNews)
	return w
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

// Unanswered is for how long the ledger has not answered this worker, and with
// what the last call failed, if any did: 0 and nil while it answers. A call that
// hangs counts from its beginning. Until the first answer, which is for ever if Run
// isn't called, the error is [ErrNoAnswerYet].
func (w *Worker) Unanswered() (time.Duration, error) { return w.ledger.unanswered() }

// ErrNoAnswerYet says that a worker's ledger has not answered it once.
var ErrNoAnswerYet = errors.New("the ledger has not answered the worker yet")

// Run claims and runs jobs until ctx ends. Then it claims no more, gives the
// running jobs Options.Grace to finish, releases those that don't, and returns
// nil. It must be called once.
func (w *Worker) Run(ctx context.Context) error {
	jobs, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	if err := w.finished.sweep(); err != nil {
		w.opts.Logger.WarnContext(ctx, "notes of finished recordings can't be looked through", "directory", w.finished.dir, "error", err)
	}
	var wg, bell, telling sync.WaitGroup
	if w.opts.BucketChanged != nil {
		news, end := context.WithCancel(jobs) // jobs that drain may still meet a bucket
		defer telling.Wait()
		defer end()
		telling.Go(func() { w.gate.tellNews(news) })
	}
	if w.opts.Doorbell != nil {
		bell.Go(func() { w.listen(ctx) })
		defer bell.Wait()
	}
	defer w.gate.looking.Wait()
	w.claimUntil(ctx, func(l ledger.Lease) {
		w.running.Add(1)
		d := w.begin(l)
		wg.Go(func() {
			defer func() {
				w.running.Add(-1)
				ring(w.freed)
			}()
			w.work(jobs, d)
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
		w.drained = now().Add(w.releaseTime())
		stop(errDraining)
		<-drained
	}
	return nil
}

// errDraining is why a job was stopped when the grace period was over.
var errDraining = errors.New("the worker is shutting down")

// claimUntil hands leases to start until ctx ends, never more at once than
// there are free places.
func (w *Worker) claimUntil(ctx context.Context, start func(ledger.Lease)) {
	failures := 0
	for ctx.Err() == nil {
		free := w.free()
		if free <= 0 {
			w.pause(ctx, w.opts.LeaseTTL)
			continue
		}
		kinds, free, most := w.claims(ctx, free)
		if len(kinds) == 0 {
			w.pause(ctx, most)
			continue
		}
		resting, settling := now().Before(w.rest), w.ledger.settling()
		leases, err := w.ledger.Claim(ctx, ledger.Claim{
			Worker: w.opts.Name, Kinds: kinds, Queues: w.opts.queues(), Limit: free, TTL: w.opts.LeaseTTL,
			InFlight: w.Running(), NoSuspects: resting, LeaveExpired: settling > 0,
		})
		if ctx.Err() != nil {
			// Claimed or not, nobody is waiting for an answer: the leases end
			// by themselves, but giving them back is quicker.
			for _, l := range leases {
				w.release(context.WithoutCancel(ctx), l, w.releaseTime())
			}
			return
		}
		if err != nil {
			failures++
			w.opts.Logger.ErrorContext(ctx, "claiming jobs failed; trying again", "error", err, "times", failures)
			w.pause(ctx, w.opts.Jitter(min(w.opts.Poll<<min(failures, 10), 10*time.Second)))
			continue
		}
		failures = 0
		claimed := len(leases)
		leases = w.withoutAway(ctx, leases)
		switch {
		case len(leases) == 1 && leases[0].Job.Suspect:
			w.runAlone(ctx, leases[0], start)
			continue
		case claimed == 0 && resting && w.Running() == 0:
			w.rest = time.Time{} // there is nothing else to do
			continue
		}
		for _, l := range leases {
			start(l)
		}
		if claimed == 0 && slices.Contains(kinds, record.Kind) {
			w.gate.idle()
		}
		if claimed < free {
			wait := w.idlePause()
			if len(kinds) < len(w.kinds) {
				wait = min(wait, most)
			}
			if settling > 0 {
				wait = min(wait, settling)
			}
			if resting {
				wait = min(wait, max(w.rest.Sub(now()), 0))
			}
			w.pause(ctx, wait)
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
