package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Ledger is where jobs are put. *calldb.DB and *memdb.Store are ledgers: every one
// passes storetest.Jobs.
type Ledger interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant, kind, key): the
	// id of the first one is returned and created is false. An invalid request is
	// refused with FieldErrors.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
}

// Options configure a Spool. Patterns, Outputs, and Tenant or Tenants are needed.
type Options struct {
	// Patterns say how the files are named; they are tried in order. See [Patterns].
	Patterns []Pattern
	// Below is where the spool lies below the place that workers take legs from,
	// slash-separated; "" if it is that place.
	Below string
	// Tenant is whose the calls are where the pattern doesn't have {tenant}.
	Tenant callmodel.TenantID
	// Tenants maps what stands for {tenant} in names to tenants. Files of others are
	// nobody's, and left alone.
	Tenants map[string]callmodel.TenantID
	// Queue is that of the jobs: the name of the host whose workers have the legs.
	// "" means ledger.DefaultQueue.
	Queue string
	// HostSoftware is the telephone server's software and its version, as
	// record.Spec has it, where a sidecar doesn't say it. "": not said.
	HostSoftware string
	// Priority is that of the jobs, 0 to 9.
	Priority int
	// Outputs are what is made of each call. An output without a layout gets the one
	// that fits the number of legs.
	Outputs []record.OutputSpec
	// OutputsOf are those of tenants that want others.
	OutputsOf map[callmodel.TenantID][]record.OutputSpec
	// Zone is that of the times in names. Nil means UTC.
	Zone *time.Location

	// Quiet is for how long files must have stayed as they are. 0 means 10 s.
	Quiet time.Duration
	// Renamed says that files get their names when they are whole.
	Renamed bool
	// Wait is for how long a leg is waited for that the pattern or Legs says there
	// must be, after the last change of the others. 0 means 1 minute.
	Wait time.Duration
	// Legs is how many legs a call has where the pattern doesn't list them, at most
	// record.MaxLegs. 0: as many as there are when they have been quiet.
	Legs int
	// Sidecar says what becomes of JSON files. "" means SidecarOptional.
	Sidecar Sidecar
	// Every is the longest pause between two sweeps. 0 means 10 s. A tree that takes
	// long to look at is looked at a fifth of the time at most.
	Every time.Duration
	// Index is the file that holds which calls are handed over. "": it is kept in
	// memory, 16 bytes a call, and after a restart the ledger is asked about all.
	Index string
	// MaxPending is how many calls are watched at once, about 1 KB each; others
	// wait until these are handed over. 0 means 50,000.
	MaxPending int
	// LedgerTimeout bounds every call of the ledger. 0 means 10 s.
	LedgerTimeout time.Duration
	// Enqueued is called after jobs were stored, so that a worker in the same
	// process needn't wait for its next poll. Nil for nobody.
	Enqueued func()
	// Now is a stopwatch: only differences of its times are used. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// What the options' zero values mean.
const (
	defaultQuiet      = 10 * time.Second
	defaultWait       = time.Minute
	defaultEvery      = 10 * time.Second
	defaultMaxPending = 50_000
	ledgerTimeout     = 10 * time.Second
)

// maxPriority is the highest that a job may have.
const maxPriority = 9

// fill is the options with their defaults, checked.
func (o Options) fill() (Options, error) {
	o.Quiet, o.Wait, o.Every = cmp.Or(o.Quiet, defaultQuiet), cmp.Or(o.Wait, defaultWait), cmp.Or(o.Every, defaultEvery)
	o.MaxPending, o.LedgerTimeout = cmp.Or(o.MaxPending, defaultMaxPending), cmp.Or(o.LedgerTimeout, ledgerTimeout)
	o.Sidecar = cmp.Or(o.Sidecar, SidecarOptional)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Enqueued == nil {
		o.Enqueued = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // a stopwatch: what is recorded knows no clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, o.check()
}

// check reports every fault of the options.
func (o *Options) check() error {
	var e callmodel.FieldErrors
	if len(o.Patterns) == 0 {
		e.Add("pattern", "is missing; give how the files are named, as asterisk or {call}-{leg:in|out}.wav")
	}
	named, unnamed := false, false
	for i := range o.Patterns {
		has := o.Patterns[i].HasTenant()
		named, unnamed = named || has, unnamed || !has
	}
	switch {
	case named && len(o.Tenants) == 0:
		e.Add("tenants", "are missing; say which tenant each {tenant} of a name is")
	case !named && len(o.Tenants) > 0 && len(o.Patterns) > 0:
		e.Add("tenants", "are given, and the names don't say whose the calls are; give a pattern with {tenant}, as fusionpbx, or the tenant of them all alone")
	case unnamed && o.Tenant == "" && len(o.Patterns) > 0:
		e.Add("tenant", "is missing; the names don't say whose the calls are")
	}
	for text, t := range o.Tenants {
		e.CheckID("tenants."+text, string(t))
	}
	if o.Tenant != "" {
		e.CheckID("tenant", string(o.Tenant))
	}
	if o.Queue != "" {
		e.CheckID("queue", o.Queue)
	}
	e.AddAll("", callmodel.ValidateHostSoftware(o.HostSoftware))
	if o.Below != "" {
		if why := callmodel.ValidateRelativePath(o.Below); why != nil {
			e.Add("below", "%q %v", o.Below, why)
		}
	}
	if o.Priority < 0 || o.Priority > maxPriority {
		e.Add("priority", "is %d; it is 0 to %d", o.Priority, maxPriority)
	}
	if o.Legs < 0 || o.Legs > record.MaxLegs {
		e.Add("legs", "are %d; a call has 1 to %d, 0 for as many as there are", o.Legs, record.MaxLegs)
	}
	for _, list := range o.OutputsOf {
		e.AddAll("outputs_of", checkOutputs(list))
	}
	e.AddAll("", checkOutputs(o.Outputs))
	switch o.Sidecar {
	case SidecarOptional, SidecarRequired, SidecarIgnored:
	default:
		e.Add("json", "%q is not one of optional, required, ignored", string(o.Sidecar))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"quiet", o.Quiet}, {"wait", o.Wait}, {"every", o.Every}} {
		if d.d < 0 {
			e.Add(d.name, "is %v; it can't be negative", d.d)
		}
	}
	return e.Err()
}

// checkOutputs checks outputs, of which some have no layout yet.
func checkOutputs(list []record.OutputSpec) error {
	s := record.Spec{Legs: make([]record.LegSpec, 2), Outputs: list}.WithDefaults()
	return record.ValidateOutputs(s.Outputs, len(s.Legs))
}

// Stats is what a Spool has done since it was made, and what it has before it.
type Stats struct {
	HandedOver int64 // calls whose jobs were stored
	Known      int64 // calls that the ledger knew already
	Refused    int64 // calls of which no job can be made
	Late       int64 // legs that came after their calls were handed over
	Pending    int64 // calls that are watched
	Left       int64 // files that fit no pattern, are links, or whose tenant isn't mapped
	Unreadable int64 // directories that couldn't be read at the last sweep
	Overflows  int64 // of the queue of notifications
}

// Spool watches the directory tree of a telephone server. Make one with New; Run it
// once.
type Spool struct {
	dir    string
	ledger Ledger
	opts   Options
	index  *index

	sweep   uint64        // the number of the sweep
	looked  time.Duration // how long it looked at the tree
	dirs    map[string]*dirState
	pending map[id]*pending
	refused map[id]struct{}
	recent  recent
	watch   *watch // nil: there are no notifications
	said    said

	stats struct {
		handedOver, known, refused, late, pending, left, unreadable, overflows atomic.Int64
	}
}

// New makes the Spool of the directory dir, which needn't be there yet. Errors are the
// options' faults, as FieldErrors.
func New(dir string, l Ledger, o *Options) (*Spool, error) {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts, err := opts.fill()
	if err != nil {
		return nil, fmt.Errorf("the spool %s: %w", dir, err)
	}
	s := &Spool{
		dir: dir, ledger: l, opts: opts, index: newIndex(opts.Index),
		dirs: map[string]*dirState{}, pending: map[id]*pending{}, refused: map[id]struct{}{},
	}
	return s, nil
}

// Close closes the index.
func (s *Spool) Close() error { return s.index.Close() }

// Stats tells what was done. It may be called at any time.
func (s *Spool) Stats() Stats {
	return Stats{
		HandedOver: s.stats.handedOver.Load(), Known: s.stats.known.Load(), Refused: s.stats.refused.Load(), Late: s.stats.late.Load(),
		Pending: s.stats.pending.Load(), Left: s.stats.left.Load(), Unreadable: s.stats.unreadable.Load(), Overflows: s.stats.overflows.Load(),
	}
}

const (
	leastPause = 20 * time.Millisecond
	// afterHint is how long after a notification the tree is looked at: what is there
	// is to be seen soon, as it is quiet from then on, and others will follow.
	afterHint = 250 * time.Millisecond
	// ofTheTime is the share of the time in which the tree is looked at: one part in so
	// many, at most. Handing calls over is no part of that.
	ofTheTime = 5
)

// errNoSpool says that there is no directory of the spool's name.
var errNoSpool = errors.New("there is no such directory")

// Run sweeps until ctx ends. A directory or a ledger that is away is logged once and
// waited for.
func (s *Spool) Run(ctx context.Context) error {
	hints := s.notifications(ctx)
	for away := false; ; {
		err := s.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case errors.Is(err, errNoSpool):
			if !away {
				s.opts.Logger.WarnContext(ctx, "the spool isn't there; it is waited for, as it may be on a share that comes later", "spool", s.dir)
			}
		case err != nil && !away:
			s.opts.Logger.ErrorContext(ctx, "legs can't be taken from the spool; it is tried again", "spool", s.dir, "error", err)
		case err == nil && away:
			s.opts.Logger.InfoContext(ctx, "legs are taken from the spool again", "spool", s.dir)
		}
		away = err != nil
		least := (ofTheTime - 1) * s.looked
		if !s.rest(ctx, max(s.pause(), least), max(min(s.soon(), afterHint), least), hints) {
			return nil
		}
	}
}

// pause is how long until the next sweep without a hint.
func (s *Spool) pause() time.Duration {
	if len(s.pending) > 0 {
		return min(s.opts.Every, s.soon())
	}
	return s.opts.Every
}

// soon is how long until the next sweep where something goes on.
func (s *Spool) soon() time.Duration {
	if s.opts.Renamed {
		return leastPause
	}
	return max(s.opts.Quiet/2, leastPause)
}

// rest waits for so long, or until soon after a hint. False: ctx has ended.
func (s *Spool) rest(ctx context.Context, long, soon time.Duration, hints <-chan struct{}) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-hints:
			if soon < long {
				timer.Reset(soon)
			}
			hints = nil // a burst is one hint
		}
	}
}

// refusedBy tells an error of the ledger that is about the job from one about itself.
func refusedBy(err error) bool {
	_, fields := errors.AsType[callmodel.FieldErrors](err)
	code := callmodel.CodeOf(err)
	return fields || code == callmodel.CodeInvalid || code == callmodel.CodeTooLarge
}
