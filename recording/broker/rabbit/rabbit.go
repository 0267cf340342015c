// Package rabbit is the driver for RabbitMQ, by AMQP 0-9-1.
//
// A subscription is a queue that is there, in a virtual host ("/" if the URL names none):
//
//	rabbit://user@host:5672,other:5672/vhost?queue=jobs&prefetch=64
//
// AMQP doesn't confirm acknowledgements. Here each is followed by a request that the
// server answers behind it, on the same channel, so that an answer says that it was read.
//
// A topic is an exchange that is there; an event's type is its routing key:
//
//	rabbit://host:5672/vhost?exchange=switchtape.events
//
// What is sent is persistent and confirmed by the server. An event that no queue takes is
// a failure, and is sent again: nothing vanishes for want of a binding.
//
// Several hosts are tried in turn. tls=true asks for TLS.
package rabbit

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
)

// Driver opens rabbit:// URLs.
func Driver() broker.Driver {
	return broker.Driver{Scheme: "rabbit", Subscribe: subscribe, OpenTopic: openTopic}
}

const (
	defaultPrefetch = 64
	maxPrefetch     = 65535
	// connectFor bounds an attempt to connect to one server.
	connectFor = 5 * time.Second
	// heartbeat is how often both sides say that they are there: a connection that is
	// silent for twice as long is lost.
	heartbeat = 10 * time.Second
)

// link is a connection with one channel, which is made when it is needed.
type link struct {
	urls  []string
	setUp func(ch *amqp.Channel) error

	mu   sync.Mutex
	conn *amqp.Connection
	ch   *amqp.Channel
}

func newLink(u *broker.URL) (*link, error) {
	if len(u.Hosts) == 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "%s: it names no server; give rabbit://host:5672", u)
	}
	l := &link{}
	scheme := "amqp"
	if text := u.Take("tls"); text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return nil, callmodel.FieldErrors{{Path: "tls", Message: "is not true or false"}}
		}
		if on {
			scheme = "amqps"
		}
	}
	vhost := cmp.Or(strings.TrimPrefix(u.Path, "/"), "/")
	for _, host := range u.Hosts {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), "5672"
			if scheme == "amqps" {
				port = "5671"
			}
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, callmodel.Errorf(callmodel.CodeInvalid, "%s: the port of %s is none", u, host)
		}
		at := amqp.URI{Scheme: scheme, Host: name, Port: number, Vhost: vhost, Username: "guest", Password: "guest"}
		if u.User != nil {
			at.Username = u.User.Username()
			at.Password, _ = u.User.Password()
		}
		l.urls = append(l.urls, at.String())
	}
	return l, nil
}

// open connects, unless there is a channel that is open.
func (l *link) open(ctx context.Context) (*amqp.Channel, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ch != nil && !l.ch.IsClosed() {
		return l.ch, nil
	}
	l.drop()
	var faults []error
	for _, url := range l.urls {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		conn, err := amqp.DialConfig(url, amqp.Config{
			Heartbeat: heartbeat, Dial: amqp.DefaultDial(connectFor), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			Properties: amqp.Table{"connection_name": "switchtape"},
		})
		if err != nil {
			faults = append(faults, err)
			continue
		}
		ch, err := conn.Channel()
		if err == nil {
			err = l.setUp(ch)
		}
		if err != nil {
			faults = append(faults, err)
			_ = conn.Close() // what is wrong is known
			continue
		}
		l.conn, l.ch = conn, ch
		return ch, nil
	}
	return nil, unavailable("connect", errors.Join(faults...))
}

// drop gives up what may be left of a connection.
func (l *link) drop() {
	if l.conn != nil {
		_ = l.conn.Close() // it is broken, or not needed
	}
	l.conn, l.ch = nil, nil
}

func (l *link) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	return nil
}

func unavailable(what string, err error) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "rabbit: %s: %w", what, err)
}

// subscription is a consumer of a queue.
type subscription struct {
	link     *link
	queue    string
	prefetch int

	mu         sync.Mutex
	deliveries <-chan amqp.Delivery // of the link's channel
	of         *amqp.Channel
}

func subscribe(u *broker.URL) (broker.Subscription, error) {
	var faults callmodel.FieldErrors
	l, err := newLink(u)
	faults.AddAll("", err)
	s := &subscription{link: l, queue: u.Take("queue"), prefetch: defaultPrefetch}
	if s.queue == "" {
		faults.Add("queue", "is missing; name the queue of the messages")
	}
	if text := u.Take("prefetch"); text != "" {
		if s.prefetch, err = strconv.Atoi(text); err != nil || s.prefetch < 1 || s.prefetch > maxPrefetch {
			faults.Add("prefetch", "must be 1 to %d", maxPrefetch)
		}
	}
	faults.AddAll("", u.Left())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	l.setUp = func(ch *amqp.Channel) error {
		if err := ch.Qos(s.prefetch, 0, false); err != nil {
			return err
		}
		deliveries, err := ch.Consume(s.queue, "", false, false, false, false, nil)
		if err != nil {
			return fmt.Errorf("queue %s: %w", s.queue, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.deliveries, s.of = deliveries, ch
		return nil
	}
	return s, nil
}

// Receive implements broker.Subscription.
func (s *subscription) Receive(ctx context.Context) (*broker.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := s.link.open(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	deliveries, of := s.deliveries, s.of
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case d, ok := <-deliveries:
		if !ok {
			return nil, unavailable("receive", amqp.ErrClosed)
		}
		headers := make(map[string]string, len(d.Headers))
		for name, value := range d.Headers {
			headers[name] = fmt.Sprint(value)
		}
		return &broker.Message{
			ID: d.MessageId, Body: d.Body, Headers: headers, Redelivered: d.Redelivered, Receipt: &receipt{d: d, ch: of, s: s},
		}, nil
	}
}

// Close implements broker.Subscription.
func (s *subscription) Close(context.Context) error { return s.link.close() }

// receipt is of one delivery on one channel: on another its number is another's.
type receipt struct {
	d  amqp.Delivery
	ch *amqp.Channel
	s  *subscription
}

// Ack implements broker.Receipt.
func (r *receipt) Ack(ctx context.Context) error {
	if err := r.d.Ack(false); err != nil {
		return unavailable("acknowledge", err)
	}
	answered := make(chan error, 1)
	go func() {
		// The server reads a channel's requests one after the other.
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		answered <- r.ch.Qos(r.s.prefetch, 0, false)
	}()
	select {
	case err := <-answered:
		if err != nil {
			return unavailable("acknowledge", err)
		}
		return nil
	case <-ctx.Done():
		return unavailable("acknowledge", ctx.Err())
	}
}

// Nack implements broker.Receipt. The queue has no delays: until then the message is kept
// here.
func (r *receipt) Nack(_ context.Context, delay time.Duration) error {
	if delay > 0 {
		time.AfterFunc(delay, func() { _ = r.d.Nack(false, true) }) // or its connection has ended, and with it the message came back
		return nil
	}
	if err := r.d.Nack(false, true); err != nil {
		return unavailable("let a message go", err)
	}
	return nil
}

// Extend implements broker.Receipt. A message is kept as long as its connection is there.
func (*receipt) Extend(context.Context) error { return nil }

// topic is an exchange.
type topic struct {
	link     *link
	exchange string
	returned chan amqp.Return // of the link's channel: what no queue takes
}

func openTopic(u *broker.URL) (broker.Topic, error) {
	var faults callmodel.FieldErrors
	l, err := newLink(u)
	faults.AddAll("", err)
	t := &topic{link: l, exchange: u.Take("exchange")}
	if t.exchange == "" {
		faults.Add("exchange", "is missing; name the exchange of the events")
	}
	faults.AddAll("", u.Left())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	l.setUp = func(ch *amqp.Channel) error {
		t.returned = ch.NotifyReturn(make(chan amqp.Return, 1))
		return ch.Confirm(false)
	}
	return t, nil
}

// Send implements broker.Topic.
func (t *topic) Send(ctx context.Context, m *broker.Outgoing) error {
	ch, err := t.link.open(ctx)
	if err != nil {
		return err
	}
	headers := amqp.Table{}
	for name, value := range m.Headers {
		headers[name] = value
	}
	confirmed, err := ch.PublishWithDeferredConfirmWithContext(ctx, t.exchange, m.Subject, true, false, amqp.Publishing{
		Headers: headers, MessageId: m.ID, Body: m.Body, ContentType: "application/json", DeliveryMode: amqp.Persistent,
	})
	if err != nil {
		return unavailable("publish", err)
	}
	ok, err := confirmed.WaitContext(ctx)
	if err != nil {
		// A confirmation that comes late would be taken for the next one's.
		return errors.Join(unavailable("publish", err), t.link.close())
	}
	select {
	case r, open := <-t.returned: // it comes before the confirmation
		if open {
			return callmodel.Errorf(callmodel.CodeUnavailable, "rabbit: no queue of the exchange %s takes %s: %s", t.exchange, m.Subject, r.ReplyText)
		}
	default:
	}
	if !ok {
		return callmodel.Errorf(callmodel.CodeUnavailable, "rabbit: the server did not take an event for %s", t.exchange)
	}
	return nil
}

// Close implements broker.Topic.
func (t *topic) Close(context.Context) error { return t.link.close() }
