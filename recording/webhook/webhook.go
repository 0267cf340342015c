package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// Reader is the name under which the outbox is read, of all processes that deliver.
const Reader = "webhooks"

// Outbox is where events are: publish.Outbox has more. *calldb.DB and *memdb.Store are
// outboxes: every one passes storetest.Outbox and storetest.OutboxPlaces.
type Outbox interface {
	// OutboxEvents lists events with an id greater than after, ascending, at most limit.
	// None appears later before one that was listed.
	OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error)
	// OutboxPlace is how far the reader of that name has come; the zero Place for one that
	// never read.
	OutboxPlace(ctx context.Context, name string) (outbox.Place, error)
	// TakeOutbox has r read, for its TTL, unless another holder does. Who does is in the
	// Place, which is the reader's then.
	TakeOutbox(ctx context.Context, r outbox.Reader) (outbox.Place, error)
	// LeaveOutbox lets another holder begin at once. It does nothing for one that doesn't
	// hold the place.
	LeaveOutbox(ctx context.Context, r outbox.Reader) error
}

// Queue is where deliveries are. Every implementation passes storetest.Webhooks.
type Queue interface {
	// FanOut makes a delivery of each event for each enabled endpoint of its tenant that
	// wants it and was made before it, one of each however often it is called, and notes
	// with them that r has come to the last of the events. ErrLeaseLost, and none is made,
	// if somebody else has begun to read.
	FanOut(ctx context.Context, r outbox.Reader, events []callmodel.OutboxEvent) (made int, err error)
	// DueWebhooks lists enabled endpoints with deliveries that can be tried now, those first
	// that have been due longest, at most limit.
	DueWebhooks(ctx context.Context, limit int) ([]webhooks.Due, error)
	// ClaimDeliveries takes deliveries of an endpoint that can be tried now, those that have
	// been due longest. None if there are none, or the endpoint is not enabled. Nobody else
	// gets them until their lease is over.
	ClaimDeliveries(ctx context.Context, c webhooks.Claim) (webhooks.Claimed, error)
	// SettleDelivery notes what a try came to, and how the receiver does. ErrLeaseLost for
	// one that somebody else has taken meanwhile, or that has been deleted.
	SettleDelivery(ctx context.Context, o webhooks.Outcome) error
	// WebhookStats counts the deliveries, for metrics.
	WebhookStats(ctx context.Context) (webhooks.Stats, error)
}

// Store is an Outbox and its Queue: one database.
type Store interface {
	Outbox
	Queue
}

// Options configure a Deliverer. The zero value works but for Holder.
type Options struct {
	// Holder is the process's own name. Needed.
	Holder string
	// TTL is after how long another process reads the outbox for one that fell silent. 0
	// means 10 s.
	TTL time.Duration
	// Poll is how often it is looked for events and deliveries where there were none. 0
	// means 1 s.
	Poll time.Duration
	// Batch is how many events are read at once. 0 means 100.
	Batch int
	// Concurrency is how many tries are made at once, and PerEndpoint how many of them at
	// one endpoint. 0 means 32 and 4. Endpoints that fail, or take more than 2 s, share
	// half of Concurrency.
	Concurrency, PerEndpoint int
	// Timeout is for one try, from the look at the name to the end of the answer. 0 means
	// 15 s.
	Timeout time.Duration
	// LeaseSlack is for how long beyond the longest that its tries may take a claim is its
	// process's: for noting what they came to. 0 means 20 s.
	LeaseSlack time.Duration
	// Drain is for how long tries go on that are being made when Run is to end. 0 means 5 s.
	Drain time.Duration
	// Schedule is how long is waited after each try that failed. Nil means DefaultSchedule.
	Schedule []time.Duration
	// Jitter spreads the waits: of 0 to 1, which makes them 90 to 110 %. Nil means at random.
	Jitter func() float64
	// Allow are addresses that are delivered to though they aren't public.
	Allow []netip.Prefix
	// TLS is how receivers are known. Nil means by the machine's certificate authorities.
	TLS *tls.Config
	// Resolver looks names up. Nil means as the machine does.
	Resolver *net.Resolver
	// Tracer makes a span of each try, within the one that the event names. Nil: nothing is
	// traced.
	Tracer tracing.Tracer
	// Now is the clock of the signatures. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o *Options) fill() {
	o.TTL, o.Poll, o.Batch = cmp.Or(o.TTL, 10*time.Second), cmp.Or(o.Poll, time.Second), cmp.Or(o.Batch, 100)
	o.Concurrency, o.PerEndpoint = max(cmp.Or(o.Concurrency, 32), 2), cmp.Or(o.PerEndpoint, 4)
	o.Timeout, o.Drain = cmp.Or(o.Timeout, 15*time.Second), cmp.Or(o.Drain, 5*time.Second)
	o.LeaseSlack = cmp.Or(o.LeaseSlack, 2*settleWithin)
	if o.Schedule == nil {
		o.Schedule = DefaultSchedule()
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Counts are what a Deliverer has done.
type Counts struct {
	Delivered int64 // tries that were answered with 2xx
	Failed    int64 // tries that were not
	GivenUp   int64 // deliveries of which no try is left
}

// Deliverer delivers. Make one with New.
type Deliverer struct {
	store  Store
	reader outbox.Reader
	opts   Options
	client *http.Client

	wake                       chan struct{}
	settling                   chan struct{} // bounds the connections to the database
	delivered, failed, givenUp atomic.Int64
	running                    sync.WaitGroup
	mu                         sync.Mutex
	busy                       map[string]bool      // endpoints that have tries here
	slow                       map[string]bool      // endpoints that took long
	rest                       map[string]time.Time // until when endpoints that failed are left alone
	used, usedSlow             int                  // tries at once; of those that fail or are slow
	away                       bool                 // the store was, at the last look
}

// New makes a deliverer. It starts nothing: Run does.
func New(s Store, o Options) *Deliverer {
	o.fill()
	return &Deliverer{
		store: s, reader: outbox.Reader{Name: Reader, Holder: o.Holder, TTL: o.TTL}, opts: o, client: client(&o),
		wake: make(chan struct{}, 1), settling: make(chan struct{}, 4), busy: map[string]bool{}, slow: map[string]bool{}, rest: map[string]time.Time{},
	}
}

// Counts are what was done since the start.
func (d *Deliverer) Counts() Counts {
	return Counts{Delivered: d.delivered.Load(), Failed: d.failed.Load(), GivenUp: d.givenUp.Load()}
}

// Run delivers until ctx ends, and returns when no try is being made any more.
func (d *Deliverer) Run(ctx context.Context) error {
	tries, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var fan sync.WaitGroup
	fan.Go(func() { d.fanOut(ctx) })
	for d.note(ctx, d.start(ctx, tries)); d.pause(ctx, d.opts.Poll, true); {
		d.note(ctx, d.start(ctx, tries))
	}
	drained := time.AfterFunc(d.opts.Drain, cancel)
	d.running.Wait()
	drained.Stop()
	fan.Wait()
	d.client.CloseIdleConnections()
	return nil
}

// pause waits, until there is something to do if woken may; false if ctx ended.
func (d *Deliverer) pause(ctx context.Context, wait time.Duration, woken bool) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	var wake chan struct{}
	if woken {
		wake = d.wake
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-t.C:
	}
	return true
}

func (d *Deliverer) rouse() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake
	}
}

// note says when deliveries begin to wait for the store, and when they go on.
func (d *Deliverer) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && !d.away:
		d.opts.Logger.ErrorContext(ctx, "webhooks wait: their deliveries can't be read", "error", err)
	case err == nil && d.away:
		d.opts.Logger.InfoContext(ctx, "webhooks are delivered again")
	}
	d.away = err != nil
}

// fanOut makes deliveries of events until ctx ends.
func (d *Deliverer) fanOut(ctx context.Context) {
	for failing := false; ; {
		n, err := d.fan(ctx)
		if errors.Is(err, callmodel.ErrLeaseLost) || ctx.Err() != nil {
			err = nil // another process reads, or this one ends
		}
		if err != nil && !failing { // once, not at every look
			d.opts.Logger.ErrorContext(ctx, "no deliveries of webhooks can be made of the outbox's events; they wait there", "error", err)
		}
		failing = err != nil
		if n > 0 {
			d.rouse()
		} else if !d.pause(ctx, d.opts.Poll, false) {
			break
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.opts.TTL/3)
	defer cancel()
	if err := d.store.LeaveOutbox(end, d.reader); err != nil {
		d.opts.Logger.WarnContext(ctx, "the outbox was not left in good order; another process goes on a little later", "reader", Reader, "error", err)
	}
}

// fan makes the deliveries of the next events, and says how many events there were. It is
// none while another process reads.
func (d *Deliverer) fan(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	place, err := d.store.OutboxPlace(ctx, Reader)
	if err != nil {
		return 0, err
	}
	if !place.More || place.Holder != "" && place.Holder != d.reader.Holder {
		return 0, nil
	}
	if place, err = d.store.TakeOutbox(ctx, d.reader); err != nil || place.Holder != d.reader.Holder {
		return 0, err
	}
	events, err := d.store.OutboxEvents(ctx, place.Through, d.opts.Batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	_, err = d.store.FanOut(ctx, d.reader, events)
	return len(events), err
}
