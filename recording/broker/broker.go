// Package broker is what Switchtape needs of message brokers: subscriptions, by which
// jobs arrive (package intake), and topics, by which results go out (package publish).
//
// A broker's client is a package of its own below this one, so that a program links no
// client but those it uses: nats, rabbit, sqs, servicebus and gcppubsub. Drivers are
// values; programs hand those they link to Subscribe and OpenTopic:
//
//	nats://host:4222?stream=jobs&consumer=switchtape  ─▶ Drivers ─▶ Subscription ─▶ Receive ─▶ Message ─┬─ Ack
//	                                                                                                    ├─ Extend
//	                                                                                                    └─ Nack
//	nats://host:4222?subject=switchtape.events        ─▶ Drivers ─▶ Topic ─▶ Send
//
// The broker is the doorbell, never the record: a message is in the ledger before it is
// acknowledged. brokertest has the tests that every driver must pass.
package broker

import (
	"context"
	"time"
)

// Header names of the messages that are sent, and of those that come in. Brokers that
// know letters of one case alone give them as they keep them: see Message.Header.
const (
	// HeaderKind is the kind of job that a message asks for; without it a recording.
	HeaderKind = "Switchtape-Kind"
	// HeaderTenant is the tenant of an event, and of a message the one that its sender
	// claims, which counts only as far as the subscription lets it.
	HeaderTenant = "Switchtape-Tenant"
	// HeaderEvent is the type of an event, like "recording.completed".
	HeaderEvent = "Switchtape-Event"
	// HeaderSubject is what an event is about: the id of a call.
	HeaderSubject = "Switchtape-Subject"
	// HeaderID is the id of an event: that of the outbox, by which receivers tell what
	// they had before.
	HeaderID = "Switchtape-Id"
)

// Receipt is what becomes of a message that was received. Each call of it may be made by
// any goroutine. One that ended it, Ack or Nack, is the last.
type Receipt interface {
	// Ack tells the broker that the message is taken, and returns when the broker has
	// confirmed that, where it does: it is never delivered again then. Without a
	// confirmation, or after an error, it may be.
	Ack(ctx context.Context) error
	// Nack lets the message go, to be delivered again: after the delay, or sooner where
	// the broker has no delays.
	Nack(ctx context.Context, delay time.Duration) error
	// Extend says that the message is being worked on, where the broker wants to know. It
	// would be delivered to others else, after a time that is the subscription's.
	Extend(ctx context.Context) error
}

// Message is one delivery of a message.
type Message struct {
	// ID is the broker's name of the message, or else the sender's: the same at each
	// delivery. "" where there is none.
	ID      string
	Body    []byte
	Headers map[string]string
	// Redelivered says that it may have been delivered before. It is true where the broker
	// doesn't tell, and may be false for a message that was.
	Redelivered bool

	Receipt Receipt
}

// Subscription is where messages come from. It may be used by any number of goroutines.
type Subscription interface {
	// Receive waits for a message until ctx ends. It connects when it has to, again
	// after every error: an error says that the broker is away, or refuses, and the next
	// call tries anew. Who calls it waits in between.
	Receive(ctx context.Context) (*Message, error)
	// Close gives the connection up, when nobody receives any more. What was received and
	// not ended is delivered again.
	Close(ctx context.Context) error
}

// Outgoing is a message to send.
type Outgoing struct {
	// ID is the sender's name of the message. A broker that can passes over one that it
	// has had a short while ago.
	ID string
	// Subject is behind the topic's own name where a broker has subjects, and what it
	// sorts by otherwise: words with dots between them, "recording.completed".
	Subject string
	Body    []byte
	Headers map[string]string
}

// Topic is where messages go. Send is called by one goroutine at a time.
type Topic interface {
	// Send returns when the broker has the message for good, as far as it confirms that.
	// After an error it may have it all the same. It connects when it has to, again after
	// every error.
	Send(ctx context.Context, m *Outgoing) error
	// Close gives the connection up.
	Close(ctx context.Context) error
}

// Header is the header of that name, whatever the case of its letters; "" if there is none.
func (m *Message) Header(name string) string { return header(m.Headers, name) }
