// Package publish sends what is in the outbox to a topic of a broker: recordings that
// were made, that are absent, that were set aside, and what webhooks ask for besides: see
// outbox.Types.
//
//	place of the reader ─▶ events behind it ─▶ Send, one after the other ─▶ Advance ─▶ …
//
// Every event is sent at least once, in the order of the outbox, by one process at a
// time, whichever of those that run under the reader's name. The place is kept in the
// database. A process that dies between sending and noting that leaves some events to be
// sent again, with the same id: the event's key, in the header broker.HeaderID, and where
// the broker has ids of its own there, too. An event that was sent again may come behind
// later ones.
//
// A reader that is new begins with the oldest event that the outbox has.
package publish

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/broker"
)

// Outbox is where events are, and how far each reader has come. *calldb.DB and
// *memdb.Store are outboxes: every one passes storetest.Outbox and storetest.OutboxPlaces.
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
	// AdvanceOutbox notes that all events up to the id through were told, and has r read
	// for its TTL from now. ErrLeaseLost if somebody else has begun to. A place never goes
	// back.
	AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error
	// LeaveOutbox lets another holder begin at once. It does nothing for one that doesn't
	// hold the place.
	LeaveOutbox(ctx context.Context, r outbox.Reader) error
}

// Options configure a Publisher. The zero value works but for Holder.
type Options struct {
	// Holder is the process's own name. Needed.
	Holder string
	// TTL is after how long another process goes on for one that fell silent. 0 means
	// outbox.DefaultTTL. An event's sending, and each use of the outbox, is given a third
	// of it.
	TTL time.Duration
	// Poll is how often the outbox is looked at that had nothing. 0 means 1 s.
	Poll time.Duration
	// Batch is how many events are read at once. 0 means 100.
	Batch int
	// Backoff is how long is waited after a first failure; twice as long after each more,
	// up to MaxBackoff. 0 means 250 ms and 10 s.
	Backoff, MaxBackoff time.Duration
	// Tracer makes a span of each sending, within the one that the event names. Nil:
	// nothing is traced.
	Tracer tracing.Tracer
	// Now is the clock by which a place is renewed in time. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Publisher sends events to a topic. Make one with New.
type Publisher struct {
	box    Outbox
	reader outbox.Reader
	name   string
	topic  broker.Topic
	opts   Options

	sent, failed atomic.Int64
	mu           sync.Mutex
	began        time.Time // of the failures that go on; zero: there are none
	last         error
}

// New makes the publisher that reads the outbox under a name of its own and sends to the
// topic. at is the topic's name for people. It starts nothing: Run does.
func New(box Outbox, reader string, t broker.Topic, at string, o Options) *Publisher {
	o.TTL, o.Poll, o.Batch = cmp.Or(o.TTL, outbox.DefaultTTL), cmp.Or(o.Poll, time.Second), cmp.Or(o.Batch, 100)
	o.Backoff, o.MaxBackoff = cmp.Or(o.Backoff, 250*time.Millisecond), cmp.Or(o.MaxBackoff, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Publisher{box: timed{box, o.TTL / 3}, reader: outbox.Reader{Name: reader, Holder: o.Holder, TTL: o.TTL}, name: at, topic: t, opts: o}
}

// Sent is how many events this process has sent, and how often sending failed.
func (p *Publisher) Sent() (events, failures int64) { return p.sent.Load(), p.failed.Load() }

// Reader is the name that the outbox is read under.
func (p *Publisher) Reader() string { return p.reader.Name }

// Away is for how long nothing can be sent, 0 if it can, and why.
func (p *Publisher) Away() (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		return 0, nil
	}
	return max(p.opts.Now().Sub(p.began), 1), p.last
}

// Run sends events until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	for failures := 0; ctx.Err() == nil; {
		n, err := p.turn(ctx)
		p.note(ctx, err)
		wait := time.Duration(0)
		switch {
		case err != nil:
			wait = min(p.opts.Backoff<<min(failures, 16), p.opts.MaxBackoff)
			failures++
		case n == 0:
			wait, failures = p.opts.Poll, 0
		default:
			failures = 0
		}
		if wait > 0 && !pause(ctx, wait) {
			break
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.TTL/3)
	defer cancel()
	if err := errors.Join(p.box.LeaveOutbox(end, p.reader), p.topic.Close(end)); err != nil {
		p.opts.Logger.WarnContext(ctx, "the outbox was not left in good order; another process goes on a little later", "reader", p.reader.Name, "error", err)
	}
	return nil
}

func pause(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// note keeps for how long nothing could be sent, and says when that begins and ends.
func (p *Publisher) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && p.last == nil:
		p.began = p.opts.Now()
		p.opts.Logger.ErrorContext(ctx, "events can't be published; they wait in the outbox", "reader", p.reader.Name, "to", p.name, "error", err)
	case err == nil && p.last != nil:
		p.opts.Logger.InfoContext(ctx, "events are published again", "reader", p.reader.Name, "to", p.name)
	}
	p.last = err
}

// turn sends a batch, and says how many events it had. It is none while another process
// reads.
func (p *Publisher) turn(ctx context.Context) (int, error) {
	place, err := p.box.OutboxPlace(ctx, p.reader.Name)
	if err != nil {
		return 0, err
	}
	if !place.More || place.Holder != "" && place.Holder != p.reader.Holder {
		return 0, nil
	}
	events, err := p.box.OutboxEvents(ctx, place.Through, p.opts.Batch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	if place, err = p.box.TakeOutbox(ctx, p.reader); err != nil {
		return 0, err
	}
	if place.Holder != p.reader.Holder {
		return 0, nil
	}
	for len(events) > 0 && events[0].ID <= place.Through { // another process was faster
		events = events[1:]
	}
	through, err := p.send(ctx, events)
	if through > place.Through {
		// What was sent is noted though ctx may have ended meanwhile.
		err = errors.Join(err, p.box.AdvanceOutbox(context.WithoutCancel(ctx), p.reader, through))
	}
	return len(events), err
}

// send sends events in their order, and returns the id of the last one that was.
func (p *Publisher) send(ctx context.Context, events []callmodel.OutboxEvent) (through int64, err error) {
	renewed := p.opts.Now()
	for i := range events {
		if p.opts.Now().Sub(renewed) > p.opts.TTL/3 {
			if err := p.box.AdvanceOutbox(ctx, p.reader, through); err != nil {
				return through, err
			}
			renewed = p.opts.Now()
		}
		if err := p.sendOne(ctx, &events[i]); err != nil {
			if ctx.Err() == nil {
				p.failed.Add(1)
			}
			return through, err
		}
		p.sent.Add(1)
		through = events[i].ID
	}
	return through, nil
}

func (p *Publisher) sendOne(ctx context.Context, e *callmodel.OutboxEvent) error {
	timed, cancel := context.WithTimeout(ctx, p.opts.TTL/3)
	defer cancel()
	headers := map[string]string{
		broker.HeaderID: e.Key, broker.HeaderEvent: e.Type, broker.HeaderTenant: string(e.TenantID), broker.HeaderSubject: e.Subject,
	}
	told := outbox.Traceparent(e)
	timed, span := tracing.Start(tracing.Within(timed, p.opts.Tracer, told), p.opts.Tracer, "publish event")
	span.Set("switchtape.event", e.Type)
	span.Set("switchtape.tenant", string(e.TenantID))
	span.Set("switchtape.subject", e.Subject)
	if in := cmp.Or(tracing.Traceparent(timed, p.opts.Tracer), told); in != "" {
		headers[tracing.Header] = in
	}
	err := p.topic.Send(timed, &broker.Outgoing{ID: e.Key, Subject: e.Type, Body: e.Body, Headers: headers})
	span.End(err)
	return err
}

// timed is an outbox whose every use is given so much time: a database that accepts and
// never answers is one that can't be reached.
type timed struct {
	box  Outbox
	most time.Duration
}

func within[T any](ctx context.Context, t *timed, do func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, t.most)
	defer cancel()
	return do(ctx)
}

func (t timed) OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error) {
	return within(ctx, &t, func(ctx context.Context) ([]callmodel.OutboxEvent, error) {
		return t.box.OutboxEvents(ctx, after, limit)
	})
}

func (t timed) OutboxPlace(ctx context.Context, name string) (outbox.Place, error) {
	return within(ctx, &t, func(ctx context.Context) (outbox.Place, error) { return t.box.OutboxPlace(ctx, name) })
}

func (t timed) TakeOutbox(ctx context.Context, r outbox.Reader) (outbox.Place, error) {
	return within(ctx, &t, func(ctx context.Context) (outbox.Place, error) { return t.box.TakeOutbox(ctx, r) })
}

func (t timed) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	ctx, cancel := context.WithTimeout(ctx, t.most)
	defer cancel()
	return t.box.AdvanceOutbox(ctx, r, through)
}

func (t timed) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, t.most)
	defer cancel()
	return t.box.LeaveOutbox(ctx, r)
}
