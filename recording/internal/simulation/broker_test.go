package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/recording/broker"
)

// queue is a broker's queue, which delivers each message at least once, in any order.
type queue struct {
	messages []*message
}

type message struct {
	id         string
	body       []byte
	job        string // that it asks for; "" for a message that can't be taken
	sent       time.Time
	visible    time.Time // it isn't delivered before
	deliveries int
	acked      bool
}

// messageOf is the id of the message with that fingerprint, which has the time in it.
func (w *world) messageOf(fingerprint string) string {
	for _, m := range w.queue.messages {
		if deadletter.Fingerprint(m.id, m.body) == fingerprint {
			return m.id
		}
	}
	return ""
}

// invisible is for how long a message that was delivered isn't again.
const invisible = 61 * time.Second

// receiveTime is after how long without a message a client looks whether the broker is
// there: here it isn't.
const receiveTime = 10 * time.Minute

var errBrokerAway = errors.New("the broker's connection broke")

// brokerPort is the queue as a process reaches it.
type brokerPort struct {
	p *process
	q *queue
}

// pick is a message that can be delivered; nil for none.
func (b brokerPort) pick() (first *message) {
	var rank uint64
	for _, m := range b.q.messages {
		if m.acked || m.visible.After(time.Now()) {
			continue
		}
		if r := b.p.world.draw("message", m.id, fmt.Sprint(m.deliveries)); first == nil || r < rank {
			first, rank = m, r
		}
	}
	return first
}

// Receive implements broker.Subscription.
func (b brokerPort) Receive(ctx context.Context) (got *broker.Message, err error) {
	timed, cancel := context.WithTimeout(ctx, receiveTime)
	defer cancel()
	err = b.p.ask(timed, port{place: "broker", op: "receive", wrong: always(errBrokerAway), when: func() bool { return b.pick() != nil }}, func(context.Context) error {
		m := b.pick()
		m.deliveries++
		m.visible = time.Now().Add(invisible)
		b.p.world.tell("    message %s, delivery %d", m.id, m.deliveries)
		got = &broker.Message{ID: m.id, Body: m.body, Redelivered: m.deliveries > 1, Receipt: receipt{b, m, m.deliveries}}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// Close implements broker.Subscription.
func (b brokerPort) Close(context.Context) error { return nil }

// receipt is that of one delivery.
type receipt struct {
	b        brokerPort
	m        *message
	delivery int
}

func (r receipt) ask(ctx context.Context, op string, do func()) error {
	return r.b.p.ask(ctx, port{place: "broker", op: op, about: r.m.id, wrong: always(errBrokerAway)}, func(context.Context) error {
		if r.delivery == r.m.deliveries { // else it has been delivered to another
			do()
		}
		return nil
	})
}

// Ack implements broker.Receipt.
func (r receipt) Ack(ctx context.Context) error {
	return r.ask(ctx, "ack", func() {
		r.b.p.world.checkAck(r.m)
		r.m.acked = true
	})
}

// Nack implements broker.Receipt.
func (r receipt) Nack(ctx context.Context, delay time.Duration) error {
	return r.ask(ctx, "nack", func() { r.m.visible = time.Now().Add(delay) })
}

// Extend implements broker.Receipt.
func (r receipt) Extend(ctx context.Context) error {
	return r.ask(ctx, "extend message", func() { r.m.visible = time.Now().Add(invisible) })
}

// topicPort is where events go.
type topicPort struct{ p *process }

// Send implements broker.Topic.
func (t topicPort) Send(ctx context.Context, m *broker.Outgoing) error {
	return t.p.ask(ctx, port{place: "broker", op: "send", about: m.Subject, wrong: always(errBrokerAway)}, func(context.Context) error {
		t.p.world.checkSent(m.ID)
		return nil
	})
}

// Close implements broker.Topic.
func (t topicPort) Close(context.Context) error { return nil }
