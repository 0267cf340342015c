package intake

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/broker"
)

// DeadLetters is where messages go that can't be taken, and where tries are counted.
// *calldb.DB and *memdb.Store are: every one passes storetest.DeadLetters.
type DeadLetters interface {
	// Tried counts a try at a message that was delivered before, and says how many there
	// were with this one since it was last taken.
	Tried(ctx context.Context, source, fingerprint string) (tries int, err error)
	// Taken forgets the tries.
	Taken(ctx context.Context, source, fingerprint string) error
	// KeepLetter keeps a message as a dead letter, with an audit line, and forgets its
	// tries. It is idempotent by source and fingerprint, whatever became of the letter
	// meanwhile. deadletter.ErrNotKept where letters can't be kept yet.
	KeepLetter(ctx context.Context, n deadletter.New) (id deadletter.ID, created bool, err error)
}

// Options configure an Intake. The zero value works.
type Options struct {
	// Concurrency is how many messages are worked on at once. 0 means 8.
	Concurrency int
	// MaxTries is after how many tries a message becomes a dead letter that isn't refused
	// and can't be taken, though the ledger is there. 0 means 10.
	MaxTries int
	// Timeout bounds every call of the ledger, and of the broker but for Receive. 0 means
	// 10 s.
	Timeout time.Duration
	// Backoff is how long is waited after a first failure; twice as long after each more,
	// up to MaxBackoff. 0 means 250 ms and 10 s.
	Backoff, MaxBackoff time.Duration
	// JobEnqueued is called after a job was stored. Nil for nobody.
	JobEnqueued func()
	// Now is the clock by which it is told for how long the broker has been away. Nil
	// means time.Now.
	Now func() time.Time
	// Tracer makes a span of each message, within the one that its header "traceparent"
	// names. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o *Options) fill() {
	o.Concurrency, o.MaxTries = cmp.Or(o.Concurrency, 8), cmp.Or(o.MaxTries, 10)
	o.Timeout, o.Backoff, o.MaxBackoff = cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.Backoff, 250*time.Millisecond), cmp.Or(o.MaxBackoff, 10*time.Second)
	if o.JobEnqueued == nil {
		o.JobEnqueued = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Source is a subscription, and what is known of what comes by it.
type Source struct {
	// Name is the subscription's, without credentials, as dead letters and the audit log
	// tell it.
	Name         string
	Subscription broker.Subscription
	Tenants      Tenants
}

// Intake takes the messages of a subscription in. Make one with New.
type Intake struct {
	ledger  Ledger
	letters DeadLetters
	door    *Door
	source  Source
	opts    Options

	received, taken, doubles, dead, unacked, letGo atomic.Int64
	broker, store                                  outage
}

// New makes an intake. It starts nothing: Run does. o may be nil. A source that doesn't
// say whose its messages are is refused with FieldErrors.
func New(l Ledger, letters DeadLetters, door *Door, s Source, o *Options) (*Intake, error) {
	if err := s.Tenants.validate(); err != nil {
		return nil, err
	}
	in := &Intake{ledger: l, letters: letters, door: door, source: s}
	if o != nil {
		in.opts = *o
	}
	in.opts.fill()
	return in, nil
}

// Counts is what became of the messages since the start.
type Counts struct {
	Received int64 // deliveries
	Taken    int64 // that became jobs
	Doubles  int64 // whose job was there already
	Dead     int64 // that became dead letters, or were some already
	LetGo    int64 // that were given back to the broker, to be delivered again
	Unacked  int64 // acknowledgements that the broker did not confirm
}

// Counts counts.
func (in *Intake) Counts() Counts {
	return Counts{
		Received: in.received.Load(), Taken: in.taken.Load(), Doubles: in.doubles.Load(), Dead: in.dead.Load(),
		LetGo: in.letGo.Load(), Unacked: in.unacked.Load(),
	}
}

// Source is the subscription's name.
func (in *Intake) Source() string { return in.source.Name }

// Away is for how long the broker has been away, 0 if it isn't, and what it last said.
func (in *Intake) Away() (time.Duration, error) { return in.broker.since(in.opts.Now()) }

// Run takes messages until ctx ends. Those that it works on then are taken, or let go.
func (in *Intake) Run(ctx context.Context) error {
	var group errgroup.Group
	for range in.opts.Concurrency {
		group.Go(func() error { in.work(ctx); return nil })
	}
	_ = group.Wait() // no worker fails
	end, cancel := in.ending(ctx)
	defer cancel()
	if err := in.source.Subscription.Close(end); err != nil {
		in.opts.Logger.WarnContext(ctx, "a subscription was not closed in good order; what was taken may come again",
			"source", in.source.Name, "error", err)
	}
	return nil
}

// ending is a context for what has to be done though ctx ended.
func (in *Intake) ending(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), in.opts.Timeout)
}

func (in *Intake) work(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		m, err := in.source.Subscription.Receive(ctx)
		switch {
		case err == nil:
			failures = 0
			in.broker.over(func() { in.opts.Logger.InfoContext(ctx, "the broker is there again", "source", in.source.Name) })
			in.received.Add(1)
			in.handle(ctx, m)
		case ctx.Err() != nil:
			return
		default:
			in.broker.failed(in.opts.Now(), err, func() {
				in.opts.Logger.ErrorContext(ctx, "messages can't be received; it is tried again", "source", in.source.Name, "error", err)
			})
			in.pause(ctx, failures)
			failures++
		}
	}
}

// pause waits as long as after so many failures; false if ctx ended first.
func (in *Intake) pause(ctx context.Context, failures int) bool {
	t := time.NewTimer(min(in.opts.Backoff<<min(failures, 16), in.opts.MaxBackoff))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// outage is for how long something has been away.
type outage struct {
	mu    sync.Mutex
	began time.Time // zero: it isn't
	err   error
}

// failed notes a failure, and calls first if it is the first.
func (o *outage) failed(now time.Time, err error, first func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.began = now
		first()
	}
	o.err = err
}

// over notes that it works, and calls again if it did not.
func (o *outage) over(again func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		o.err, o.began = nil, time.Time{}
		again()
	}
}

func (o *outage) since(now time.Time) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return 0, nil
	}
	return max(now.Sub(o.began), 1), o.err
}
