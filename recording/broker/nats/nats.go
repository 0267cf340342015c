// Package nats is the driver for NATS JetStream, which speaks to it natively.
//
// A subscription is a durable pull consumer of a stream that is there:
//
//	nats://user@host:4222,other:4222?stream=JOBS&consumer=switchtape
//
// The consumer is made at the first message that is asked for, if it isn't there; one
// that is, is used as it is. Its acknowledgement must be explicit. Any number of
// processes may share it: each message goes to one of them. Acknowledgements are
// confirmed by the server, so that none is lost when a process ends.
//
// A topic is a subject that a stream takes, and every word of it that is an event's type:
//
//	nats://host:4222?subject=switchtape.events    ─▶ switchtape.events.recording.completed
//
// What is sent is confirmed by the stream, and carries Nats-Msg-Id, by which the stream
// passes over what it has had within its window for duplicates.
//
// Parameters of both: creds and tls_ca, which name files; tls=true asks for TLS. A user
// without a password is a token.
package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
)

// Driver opens nats:// URLs.
func Driver() broker.Driver {
	return broker.Driver{Scheme: "nats", Subscribe: subscribe, OpenTopic: openTopic}
}

const (
	defaultConsumer = "switchtape"
	// defaultAckWait is after how long a message is delivered again that nobody
	// acknowledges, of a consumer that is made here.
	defaultAckWait = 30 * time.Second
	// pullFor is how long one request for a message is open. A server that ends takes
	// those it has along.
	pullFor = 5 * time.Second
	// connectFor bounds an attempt to connect to one server, and a request to it.
	connectFor = 5 * time.Second
	// pingEvery is how often a server is asked whether it is there: one that is silent for
	// three times as long is lost.
	pingEvery = 10 * time.Second
	// again is how long the client waits until it tries a server again that it lost.
	again = 250 * time.Millisecond
)

// link is a connection that is made when it is needed.
type link struct {
	servers string
	options []nats.Option

	mu sync.Mutex
	nc *nats.Conn
	js jetstream.JetStream
}

func newLink(u *broker.URL) (*link, error) {
	if len(u.Hosts) == 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "%s: it names no server; give nats://host:4222", u)
	}
	l := &link{options: []nats.Option{
		nats.Name("switchtape"), nats.MaxReconnects(-1), nats.ReconnectWait(again), nats.Timeout(connectFor),
		nats.ReconnectJitter(again, again), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
	}}
	for i, host := range u.Hosts {
		if i > 0 {
			l.servers += ","
		}
		l.servers += "nats://" + host
	}
	if u.User != nil {
		if password, ok := u.User.Password(); ok {
			l.options = append(l.options, nats.UserInfo(u.User.Username(), password))
		} else {
			l.options = append(l.options, nats.Token(u.User.Username()))
		}
	}
	if file := u.Take("creds"); file != "" {
		l.options = append(l.options, nats.UserCredentials(file))
	}
	if file := u.Take("tls_ca"); file != "" {
		l.options = append(l.options, nats.RootCAs(file))
	}
	if on, err := flag(u, "tls"); err != nil {
		return nil, err
	} else if on {
		l.options = append(l.options, nats.Secure())
	}
	return l, nil
}

func flag(u *broker.URL, name string) (bool, error) {
	text := u.Take(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, callmodel.FieldErrors{{Path: name, Message: "is not true or false"}}
	}
	return on, nil
}

// open connects, unless there is a connection. The client mends one that breaks by
// itself.
func (l *link) open() (*nats.Conn, jetstream.JetStream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nc != nil && !l.nc.IsClosed() {
		return l.nc, l.js, nil
	}
	nc, err := nats.Connect(l.servers, l.options...)
	if err != nil {
		return nil, nil, unavailable("connect", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("nats: %w", err)
	}
	l.nc, l.js = nc, js
	return nc, js, nil
}

// close gives the connection up, once what was sent is sent.
func (l *link) close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nc == nil {
		return nil
	}
	var err error
	if l.nc.IsConnected() {
		timed, cancel := context.WithTimeout(ctx, connectFor)
		defer cancel()
		err = l.nc.FlushWithContext(timed)
	}
	l.nc.Close()
	l.nc, l.js = nil, nil
	return err
}

func unavailable(what string, err error) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "nats: %s: %w", what, err)
}

// subscription is a durable pull consumer.
type subscription struct {
	link   *link
	stream string
	config jetstream.ConsumerConfig

	mu       sync.Mutex
	consumer jetstream.Consumer // of the link's connection; nil: still to be found
	of       *nats.Conn
}

func subscribe(u *broker.URL) (broker.Subscription, error) {
	var faults callmodel.FieldErrors
	l, err := newLink(u)
	faults.AddAll("", err)
	s := &subscription{link: l, stream: u.Take("stream"), config: jetstream.ConsumerConfig{
		Durable: cmp.Or(u.Take("consumer"), defaultConsumer), AckPolicy: jetstream.AckExplicitPolicy, AckWait: defaultAckWait,
		MaxDeliver: -1, FilterSubject: u.Take("filter"),
	}}
	if s.stream == "" {
		faults.Add("stream", "is missing; name the JetStream stream of the messages")
	}
	if text := u.Take("ack_wait"); text != "" {
		wait, err := time.ParseDuration(text)
		if s.config.AckWait = wait; err != nil || wait < time.Second {
			faults.Add("ack_wait", "must be a duration of at least 1s, like 30s")
		}
	}
	faults.AddAll("", u.Left())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// open finds the consumer, or makes it.
func (s *subscription) open(ctx context.Context) (*nats.Conn, jetstream.Consumer, error) {
	nc, js, err := s.link.open()
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.consumer != nil && s.of == nc {
		return nc, s.consumer, nil
	}
	timed, cancel := context.WithTimeout(ctx, connectFor)
	defer cancel()
	c, err := js.Consumer(timed, s.stream, s.config.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		if c, err = js.CreateConsumer(timed, s.stream, s.config); errors.Is(err, jetstream.ErrConsumerExists) { // another process was first
			c, err = js.Consumer(timed, s.stream, s.config.Durable)
		}
	}
	if err != nil {
		return nil, nil, unavailable(fmt.Sprintf("consumer %s of stream %s", s.config.Durable, s.stream), err)
	}
	if p := c.CachedInfo().Config.AckPolicy; p != jetstream.AckExplicitPolicy {
		return nil, nil, callmodel.Errorf(callmodel.CodeConflict, "nats: consumer %s of stream %s acknowledges %s: it must be explicit",
			s.config.Durable, s.stream, p)
	}
	s.consumer, s.of = c, nc
	return nc, c, nil
}

// forget has the consumer found anew.
func (s *subscription) forget(c jetstream.Consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.consumer == c {
		s.consumer = nil
	}
}

// Receive implements broker.Subscription.
func (s *subscription) Receive(ctx context.Context) (*broker.Message, error) {
	for {
		nc, c, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		m, err := s.pull(ctx, c)
		switch {
		case err == nil:
			return message(m), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !idle(err):
			s.forget(c)
			return nil, unavailable("pull", err)
		case !nc.IsConnected():
			return nil, unavailable("pull", nats.ErrConnectionReconnecting)
		}
	}
}

// idle reports whether the error says that there is no message now.
func idle(err error) bool {
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrNoMessages) || errors.Is(err, context.DeadlineExceeded)
}

func (s *subscription) pull(ctx context.Context, c jetstream.Consumer) (jetstream.Msg, error) {
	timed, cancel := context.WithTimeout(ctx, pullFor)
	defer cancel()
	return c.Next(jetstream.FetchContext(timed))
}

// Close implements broker.Subscription.
func (s *subscription) Close(ctx context.Context) error { return s.link.close(ctx) }

func message(m jetstream.Msg) *broker.Message {
	headers := make(map[string]string, len(m.Headers()))
	for name := range m.Headers() {
		headers[name] = m.Headers().Get(name)
	}
	out := &broker.Message{Body: m.Data(), Headers: headers, ID: headers[nats.MsgIdHdr], Redelivered: true, Receipt: receipt{m}}
	if at, err := m.Metadata(); err == nil {
		out.ID = at.Stream + "/" + strconv.FormatUint(at.Sequence.Stream, 10)
		out.Redelivered = at.NumDelivered != 1
	}
	return out
}

type receipt struct{ m jetstream.Msg }

// Ack implements broker.Receipt.
func (r receipt) Ack(ctx context.Context) error {
	if err := r.m.DoubleAck(ctx); err != nil {
		return unavailable("acknowledge", err)
	}
	return nil
}

// Nack implements broker.Receipt.
func (r receipt) Nack(_ context.Context, delay time.Duration) error {
	if err := r.m.NakWithDelay(delay); err != nil {
		return unavailable("let a message go", err)
	}
	return nil
}

// Extend implements broker.Receipt.
func (r receipt) Extend(context.Context) error {
	if err := r.m.InProgress(); err != nil {
		return unavailable("keep a message", err)
	}
	return nil
}

// topic is a subject that a stream takes.
type topic struct {
	link    *link
	subject string
}

func openTopic(u *broker.URL) (broker.Topic, error) {
	var faults callmodel.FieldErrors
	l, err := newLink(u)
	faults.AddAll("", err)
	t := &topic{link: l, subject: u.Take("subject")}
	if t.subject == "" {
		faults.Add("subject", "is missing; name what the events' subjects begin with, like switchtape.events")
	}
	faults.AddAll("", u.Left())
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Send implements broker.Topic.
func (t *topic) Send(ctx context.Context, m *broker.Outgoing) error {
	_, js, err := t.link.open()
	if err != nil {
		return err
	}
	out := nats.NewMsg(t.subject)
	if m.Subject != "" {
		out.Subject += "." + m.Subject
	}
	out.Data = m.Body
	for name, value := range m.Headers {
		out.Header.Set(name, value)
	}
	if _, err := js.PublishMsg(ctx, out, jetstream.WithMsgID(m.ID)); err != nil {
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			return unavailable("publish on "+out.Subject+": no stream keeps this subject; make one that does, as by \"nats stream add --subjects '"+t.subject+".>'\"", err)
		}
		return unavailable("publish on "+out.Subject, err)
	}
	return nil
}

// Close implements broker.Topic.
func (t *topic) Close(ctx context.Context) error { return t.link.close(ctx) }
