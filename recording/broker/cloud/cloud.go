// Package cloud makes drivers of gocloud's pubsub, for the clouds' queues: each is a
// package of its own beside this one, which says how its URLs are opened.
//
// gocloud acknowledges in the background, in batches, and confirms nothing: what was
// acknowledged just before a process ends may come again, and is the same row then.
// Nobody can keep a message longer than its queue does: one that is held while the ledger
// is away comes again, to another process or to this one.
package cloud

import (
	"context"
	"net/url"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
)

// Queue says how the URLs of a cloud are opened.
type Queue struct {
	// Subscribe opens a subscription. It may connect, and its context is that of the
	// first message that is waited for.
	Subscribe func(ctx context.Context, u *url.URL) (*pubsub.Subscription, error)
	// OpenTopic opens a topic, as Subscribe does a subscription. Nil: there are none.
	OpenTopic func(ctx context.Context, u *url.URL) (*pubsub.Topic, error)
	// Check refuses a URL that can't be meant, of a subscription or a topic, before
	// anything is opened. It takes the parameters that it knows out of it.
	Check func(u *broker.URL, topic bool) error
	// ID is the cloud's name of a message. Nil: gocloud's.
	ID func(m *pubsub.Message) string
	// Redelivered reports whether a message may have been delivered before. Nil: any may.
	Redelivered func(m *pubsub.Message) bool
}

// Driver is the driver of that scheme.
func Driver(scheme string, q Queue) broker.Driver {
	d := broker.Driver{Scheme: scheme, Subscribe: func(u *broker.URL) (broker.Subscription, error) {
		at, err := q.opened(u, false)
		if err != nil {
			return nil, err
		}
		return &subscription{q: q, url: at}, nil
	}}
	if q.OpenTopic != nil {
		d.OpenTopic = func(u *broker.URL) (broker.Topic, error) {
			at, err := q.opened(u, true)
			if err != nil {
				return nil, err
			}
			return &topic{q: q, url: at}, nil
		}
	}
	return d
}

// opened is the URL as gocloud reads it, if it can be meant.
func (q *Queue) opened(u *broker.URL, isTopic bool) (*url.URL, error) {
	at := &url.URL{Scheme: u.Scheme, Path: u.Path, RawQuery: u.Query.Encode()}
	if len(u.Hosts) != 1 || u.User != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "%s: it must name one queue, and no user", u)
	}
	at.Host = u.Hosts[0]
	if err := q.Check(u, isTopic); err != nil {
		return nil, err
	}
	return at, u.Left()
}

func unavailable(scheme, what string, err error) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "%s: %s: %w", scheme, what, err)
}

// subscription opens gocloud's when it is needed, again after every error: gocloud's own
// stays in its first error.
type subscription struct {
	q   Queue
	url *url.URL

	mu  sync.Mutex
	sub *pubsub.Subscription
}

func (s *subscription) open(ctx context.Context) (*pubsub.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub != nil {
		return s.sub, nil
	}
	// It lives longer than the wait for its first message.
	sub, err := s.q.Subscribe(context.WithoutCancel(ctx), s.url)
	if err != nil {
		return nil, unavailable(s.url.Scheme, "subscribe", err)
	}
	s.sub = sub
	return sub, nil
}

// Receive implements broker.Subscription.
func (s *subscription) Receive(ctx context.Context) (*broker.Message, error) {
	sub, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	m, err := sub.Receive(ctx)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, unavailable(s.url.Scheme, "receive", s.drop(ctx, sub, err))
	}
	out := &broker.Message{ID: m.LoggableID, Body: m.Body, Headers: m.Metadata, Redelivered: true, Receipt: receipt{m}}
	if s.q.ID != nil {
		out.ID = s.q.ID(m)
	}
	if s.q.Redelivered != nil {
		out.Redelivered = s.q.Redelivered(m)
	}
	return out, nil
}

// closeFor bounds the end of a subscription that is broken.
const closeFor = 2 * time.Second

// drop gives up a subscription that has failed. What was received by it may come again.
func (s *subscription) drop(ctx context.Context, sub *pubsub.Subscription, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub == sub {
		s.sub = nil
		timed, cancel := context.WithTimeout(ctx, closeFor)
		defer cancel()
		_ = sub.Shutdown(timed) // it fails as it did before
	}
	return why
}

// Close implements broker.Subscription. It sends the acknowledgements that are left.
func (s *subscription) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sub == nil {
		return nil
	}
	err := s.sub.Shutdown(ctx)
	s.sub = nil
	return err
}

type receipt struct{ m *pubsub.Message }

// Ack implements broker.Receipt. It isn't confirmed.
func (r receipt) Ack(context.Context) error {
	r.m.Ack()
	return nil
}

// Nack implements broker.Receipt. There are no delays: until then the message is kept
// here, or as long as the queue lets it.
func (r receipt) Nack(_ context.Context, delay time.Duration) error {
	switch {
	case !r.m.Nackable(): // it comes again by itself
	case delay > 0:
		time.AfterFunc(delay, r.m.Nack)
	default:
		r.m.Nack()
	}
	return nil
}

// Extend implements broker.Receipt. It can't.
func (receipt) Extend(context.Context) error { return nil }

type topic struct {
	q   Queue
	url *url.URL
	top *pubsub.Topic
}

// Send implements broker.Topic.
func (t *topic) Send(ctx context.Context, m *broker.Outgoing) error {
	if t.top == nil {
		top, err := t.q.OpenTopic(context.WithoutCancel(ctx), t.url)
		if err != nil {
			return unavailable(t.url.Scheme, "open the topic", err)
		}
		t.top = top
	}
	// gocloud's topic has no state that a failure could spoil, so it is kept.
	if err := t.top.Send(ctx, &pubsub.Message{Body: m.Body, Metadata: m.Headers}); err != nil {
		return unavailable(t.url.Scheme, "publish", err)
	}
	return nil
}

// Close implements broker.Topic. It leaves gocloud's topic as it is: Send has waited for
// the cloud's answer, so there is nothing to flush, and gocloud's Shutdown can wait for
// ever: where a topic's batches are bounded in bytes and it is shut down between a
// batch's answer and the batcher's look for the next one, the batcher sends empty batches
// without end (gocloud.dev v0.47.0, pubsub/batcher).
func (t *topic) Close(context.Context) error {
	t.top = nil
	return nil
}
