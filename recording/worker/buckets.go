package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// A bucket that is away costs no job anything: a job that met it waits, uncounted,
// and no other is run to meet it, too. From time to time it is probed, with a look
// at the bucket and then with one job. The first recording that is stored ends it.

// BucketAway is a bucket that can't be used now. See callmodel.BucketAwayError.
type BucketAway struct {
	Bucket string // its URL, without a query
	Reason callmodel.BucketReason
	Since  time.Time
	Err    error // what was met last
}

func (b *BucketAway) String() string {
	return fmt.Sprintf("bucket %s has been away since %s (%s): %v", b.Bucket, b.Since.UTC().Format(time.RFC3339), b.Reason, b.Err)
}

const (
	// passingFaults is how many faults in a row may be a moment's, of reasons that
	// aren't sure, before the bucket is away.
	passingFaults = 2
	// maxProbePause is how many times Options.ProbePause the longest pause is.
	maxProbePause = 60
	// lookTimeout bounds Options.Probe.
	lookTimeout = 10 * time.Second
	// maxBlamed bounds how many jobs are remembered that have met a bucket's fault.
	maxBlamed = 10_000
	// maxTold bounds the tenants that are told of a bucket, and maxNews how often it may
	// change until somebody is.
	maxTold = 1000
	maxNews = 64
	// tellTimeout bounds Options.BucketChanged.
	tellTimeout = 10 * time.Second
)

// bucketGate decides which jobs are run, by what became of those before.
type bucketGate struct {
	opts *Options
	news chan outbox.Bucket // for Options.BucketChanged
	// looking are looks at buckets whose recordings go to the backup meanwhile.
	looking sync.WaitGroup

	mu      sync.Mutex
	buckets map[string]*bucketState // by Options.Bucket, "" without it
}

type bucketState struct {
	away   *BucketAway     // nil while it can be used
	faults int             // in a row
	seen   time.Time       // when the last of them was
	next   time.Time       // no job is run before
	looked bool            // a look has found nothing wrong since the last fault
	looks  bool            // a look goes on
	probe  callmodel.JobID // that is run while it is away; "" if none is
	stored int64           // recordings, so far
	// tenants are those whose recordings went there, at most maxTold.
	tenants map[callmodel.TenantID]struct{}
	// blamed has stored as it was when a job last met a fault of the bucket's.
	blamed map[callmodel.JobID]int64
}

func (g *bucketGate) state(bucket string) *bucketState {
	s := g.buckets[bucket]
	if s == nil {
		s = &bucketState{blamed: map[callmodel.JobID]int64{}, tenants: map[callmodel.TenantID]struct{}{}}
		if g.buckets == nil {
			g.buckets = map[string]*bucketState{}
		}
		g.buckets[bucket] = s
	}
	return s
}

// bucketOf is what Options.Bucket says of the job.
func (g *bucketGate) bucketOf(j *ledger.Job) string {
	if g.opts.Bucket == nil {
		return ""
	}
	spec, err := record.SpecOf(j)
	if err != nil {
		return "" // it fails by itself
	}
	return g.opts.Bucket(&spec)
}

// admit says how many jobs may be claimed, and, if none, how long to wait until that
// is asked again. Where jobs have buckets of their own, turnsAway decides.
func (g *bucketGate) admit(ctx context.Context, free int) (n int, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opts.Bucket != nil {
		return free, 0
	}
	s := g.state("")
	if n := g.inBackup(free); s.away != nil && n > 0 {
		g.lookMeanwhile(ctx, s)
		return n, 0
	}
	if wait := s.next.Sub(now()); wait > 0 {
		return 0, wait
	}
	switch {
	case s.away == nil:
		return free, 0
	case s.probe != "":
		return 0, time.Minute // its end wakes the worker
	case s.looked || g.opts.Probe == nil:
		return 1, 0
	}
	g.mu.Unlock()
	err := g.look(ctx)
	g.mu.Lock()
	if fault, ok := errors.AsType[*callmodel.BucketAwayError](err); ok && fault.Reason != callmodel.BucketForbidden {
		g.putOff(s, fault, err)
		return 0, time.Until(s.next)
	}
	// A bucket that doesn't let itself be looked at may take recordings all the same.
	s.looked = true
	return 1, 0
}

// backupState is the state of the backup among the buckets: no name of a bucket has a NUL.
const backupState = "\x00backup"

// inBackup is how many of free jobs may go to the backup; 0 if there is none, or it is
// away itself and isn't to be probed now.
func (g *bucketGate) inBackup(free int) int {
	if g.opts.Backup == nil {
		return 0
	}
	b := g.state(backupState)
	switch {
	case b.next.After(now()) || b.probe != "":
		return 0
	case b.away != nil:
		return 1
	}
	return free
}

// lookMeanwhile looks at a bucket that is away, if it is time, while jobs go on.
func (g *bucketGate) lookMeanwhile(ctx context.Context, s *bucketState) {
	if g.opts.Probe == nil || s.looked || s.looks || s.next.After(now()) {
		return
	}
	s.looks = true
	g.looking.Go(func() {
		err := g.look(ctx)
		g.mu.Lock()
		defer g.mu.Unlock()
		s.looks = false
		if s.away == nil || ctx.Err() != nil {
			return
		}
		if fault, ok := errors.AsType[*callmodel.BucketAwayError](err); ok && fault.Reason != callmodel.BucketForbidden {
			g.putOff(s, fault, err)
			return
		}
		s.looked = true
	})
}

func (g *bucketGate) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return g.opts.Probe(ctx)
}

// turnsAway reports whether the job isn't to be run now, as its bucket is away, and
// how long it waits.
func (g *bucketGate) turnsAway(j *ledger.Job) (time.Duration, error) {
	if g.opts.Bucket == nil {
		return 0, nil // it was admitted
	}
	bucket := g.bucketOf(j)
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state(bucket)
	s.uses(j.TenantID)
	wait := s.next.Sub(now())
	if s.away != nil && s.probe != "" {
		wait = max(wait, g.pause(s.faults))
	}
	if wait <= 0 {
		if s.away != nil && !j.Suspect && (g.inBackup(1) == 0 || g.probes(s, j)) { // a suspect may not be run after all
			s.probe = j.ID // the others of this claim are turned away
		}
		return 0, nil
	}
	if s.away == nil {
		return wait, errLeftAlone
	}
	if g.inBackup(1) > 0 {
		return 0, nil
	}
	return wait, s.away.Err
}

var errLeftAlone = errors.New("the bucket has asked to be left alone for a while")

// begin is told of a job that is about to be run, and returns its bucket, and the fault of
// its own if it is to go to the backup.
func (g *bucketGate) begin(j *ledger.Job) (bucket string, away *BucketAway) {
	bucket = g.bucketOf(j)
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state(bucket)
	s.uses(j.TenantID)
	switch {
	case s.away == nil || s.probe == j.ID:
		return bucket, nil
	case g.inBackup(1) == 0 || g.probes(s, j):
		s.probe = j.ID
		return bucket, nil
	}
	own := *s.away
	if b := g.state(backupState); b.away != nil {
		b.probe = j.ID
	}
	return backupState, &own
}

// probes reports whether the job is to probe the bucket now, although others go to the
// backup. One that has met the fault goes there first: it has waited already.
func (g *bucketGate) probes(s *bucketState, j *ledger.Job) bool {
	ready := s.looked || g.opts.Probe == nil || g.opts.Bucket != nil
	return s.probe == "" && ready && !s.next.After(now()) && (j.Published || j.Reason != record.BucketAway)
}

// uses notes that a recording of the tenant goes to the bucket.
func (s *bucketState) uses(t callmodel.TenantID) {
	if len(s.tenants) < maxTold {
		s.tenants[t] = struct{}{}
	}
}

// tell has the bucket's tenants told that it is away, or back.
func (g *bucketGate) tell(s *bucketState, back bool) {
	if g.opts.BucketChanged == nil {
		return
	}
	select {
	case g.news <- outbox.Bucket{
		Bucket: s.away.Bucket, Back: back, Reason: s.away.Reason, Since: s.away.Since, Worker: g.opts.Name,
		Tenants: slices.Sorted(maps.Keys(s.tenants)),
	}:
	default:
		g.opts.Logger.Warn("nobody is told that a bucket has changed: too much is to be told already", "bucket", s.away.Bucket, "back", back)
	}
}

// tellNews tells Options.BucketChanged what happens to buckets, until ctx ends.
func (g *bucketGate) tellNews(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-g.news:
			timed, cancel := context.WithTimeout(ctx, tellTimeout)
			if err := g.opts.BucketChanged(timed, b); err != nil && ctx.Err() == nil {
				g.opts.Logger.WarnContext(ctx, "nobody could be told that a bucket has changed", "bucket", b.Bucket, "back", b.Back, "error", err)
			}
			cancel()
		}
	}
}

// idle is told that there was no job to claim. A bucket that looks well is taken to
// be back if no job has met it for long: they were set aside, or others have them.
func (g *bucketGate) idle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, s := range g.buckets {
		looked := s.looked || g.opts.Probe == nil || name == backupState
		if s.away != nil && s.probe == "" && looked && now().Sub(s.seen) > awayForgotten {
			g.resume(s, "it looks well, and nothing waits for it")
		}
	}
}

// stored is told that a recording was put, or is in the bucket.
func (g *bucketGate) stored(bucket string, id callmodel.JobID, begun time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state(bucket)
	s.stored++
	delete(s.blamed, id)
	if s.away == nil {
		s.faults = 0
		g.forgetBackup(bucket)
	} else if s.probe == id || begun.After(s.away.Since) {
		g.resume(s, "a recording was stored")
	}
	s.ended(id)
}

// forgetBackup ends the alarm of a backup that nobody has needed for long, as its
// recordings go where they belong again.
func (g *bucketGate) forgetBackup(stored string) {
	b := g.buckets[backupState]
	if stored != backupState && b != nil && b.away != nil && b.probe == "" && now().Sub(b.seen) > awayForgotten {
		g.resume(b, "nothing needs the backup")
	}
}

// failed is told why a job failed, or nil if it made no recording, and says what
// that is for the job: the fault of a bucket that takes others is the job's own.
func (g *bucketGate) failed(bucket string, id callmodel.JobID, err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.state(bucket)
	probing := s.ended(id)
	fault, ok := errors.AsType[*callmodel.BucketAwayError](err)
	if _, legs := errors.AsType[*recording.LegsAwayError](err); legs || !ok {
		return err
	}
	if s.isOwn(id, fault.Reason) {
		return fmt.Errorf("the bucket refuses this recording and takes others: %s", err.Error()) // unwrapped: else it would be waited for
	}
	s.seen = now()
	if s.away != nil && !probing { // it was begun before
		s.next = latest(s.next, s.seen.Add(fault.RetryAfter))
		return err
	}
	if s.away == nil {
		if s.faults++; !fault.Reason.Sure() && s.faults <= passingFaults {
			s.next = latest(s.next, s.seen.Add(fault.RetryAfter))
			return err
		}
		s.away, s.faults = &BucketAway{Bucket: fault.Bucket, Since: s.seen}, 0
		g.opts.Logger.Error("a bucket is away: its recordings wait for it, and it is probed until it is back",
			"bucket", fault.Bucket, "reason", fault.Reason, "job", id, "error", err)
		s.away.Reason = fault.Reason
		g.tell(s, false)
	}
	g.putOff(s, fault, err)
	return err
}

// ended notes the end of a job, and reports whether it was the probe.
func (s *bucketState) ended(id callmodel.JobID) bool {
	if s.probe != id {
		return false
	}
	s.probe = ""
	return true
}

// isOwn reports whether the bucket took other recordings since this job met its
// fault last: then it is about this one's object.
func (s *bucketState) isOwn(id callmodel.JobID, reason callmodel.BucketReason) bool {
	before, met := s.blamed[id]
	if len(s.blamed) >= maxBlamed {
		clear(s.blamed)
	}
	s.blamed[id] = s.stored
	return met && s.stored > before && (reason == callmodel.BucketForbidden || reason == callmodel.BucketRefused)
}

// putOff sets the next probe of a bucket that is still away.
func (g *bucketGate) putOff(s *bucketState, fault *callmodel.BucketAwayError, err error) {
	s.away.Reason, s.away.Err, s.looked = fault.Reason, err, false
	pause := max(g.opts.Jitter(g.pause(s.faults)), fault.RetryAfter)
	s.next = latest(s.next, now().Add(pause))
	s.faults++
	g.opts.Logger.Debug("a bucket is still away", "bucket", s.away.Bucket, "reason", fault.Reason, "again_in", pause, "error", err)
}

// pause is how long a bucket is left alone after so many faults.
func (g *bucketGate) pause(faults int) time.Duration {
	return min(g.opts.ProbePause<<min(faults, 10), maxProbePause*g.opts.ProbePause)
}

func (g *bucketGate) resume(s *bucketState, why string) {
	g.opts.Logger.Info("a bucket is back: "+why, "bucket", s.away.Bucket, "after", now().Sub(s.away.Since))
	g.tell(s, true)
	s.away, s.faults, s.next, s.looked = nil, 0, time.Time{}, false
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// BucketsAway is the buckets that can't be used now, the longest first.
func (w *Worker) BucketsAway() []BucketAway {
	away, _ := w.gate.list()
	return away
}

// list is the buckets that are away, and whether they are all that there are.
func (g *bucketGate) list() (away []BucketAway, all bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opts.Backup != nil {
		g.state(backupState) // it may take what the others don't
	}
	for s := range maps.Values(g.buckets) {
		if s.away != nil {
			away = append(away, *s.away)
		}
	}
	slices.SortFunc(away, func(a, b BucketAway) int { return a.Since.Compare(b.Since) })
	return away, len(away) > 0 && len(away) == len(g.buckets)
}

// Ready is an error while the worker can do no work for another reason than its
// ledger, of which [Worker.Unanswered] tells: every bucket that it knows is away, as many
// attempts hang as it has places, or there is no room for recordings.
func (w *Worker) Ready() error {
	var faults []error
	if away, all := w.gate.list(); all {
		for i := range away {
			faults = append(faults, errors.New(away[i].String()))
		}
	}
	if w.opts.Room != nil && slices.Contains(w.kinds, record.Kind) {
		if full := w.opts.Room(record.Kind); full != nil {
			faults = append(faults, full)
		}
	}
	if stuck := w.Stuck(); stuck > 0 {
		faults = append(faults, fmt.Errorf("%d attempts hang, and there are places for %d, for %v: a file or a server that they read or write doesn't answer",
			w.Abandoned(), w.opts.Concurrency, stuck.Round(time.Second)))
	}
	return errors.Join(faults...)
}
