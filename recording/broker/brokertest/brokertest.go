// Package brokertest is what drivers of brokers promise, as tests: Subscription is the
// suite that each runs on the real broker, Drill what an intake must come to on it
// however often it dies, and NATS starts a broker in the test's process.
package brokertest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/broker"
)

// Broker is a running broker with a queue, or what it has in its place.
type Broker interface {
	// Subscribe opens the driver's subscription to the queue.
	Subscribe(t testing.TB) broker.Subscription
	// Send puts a message in the queue. It returns when the broker has it.
	Send(t testing.TB, body []byte, headers map[string]string)
}

// Traits are what a broker can't do.
type Traits struct {
	// NoHeaders: messages have no headers.
	NoHeaders bool
	// TextOnly: a body is text.
	TextOnly bool
	// NoRedelivered: it doesn't tell of a message that it was delivered before.
	NoRedelivered bool
	// SlowRedelivery: what wasn't acknowledged comes again after a time of the broker's
	// own, though its connection has ended.
	SlowRedelivery bool
}

// Subscription is what broker.Subscription promises. open makes an empty queue.
func Subscription(t *testing.T, traits Traits, open func(t *testing.T) Broker) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, b Broker, traits Traits)
	}{
		{"KeepsWhatWasSent", keeps},
		{"AcknowledgedIsGone", acknowledged},
		{"LetGoComesAgain", letGo},
		{"LeftComesAgain", left},
		{"EndsWithItsContext", ends},
		{"EachToOne", eachToOne},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t), traits) })
	}
}

// receive is the next message, within a time in which every broker has it.
func receive(t *testing.T, s broker.Subscription) *broker.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*within)
	defer cancel()
	for {
		m, err := s.Receive(ctx)
		if err == nil {
			return m
		}
		require.NoError(t, ctx.Err(), "%v", err)
	}
}

// none sees that there is no message for a while.
func none(t *testing.T, s broker.Subscription) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	m, err := s.Receive(ctx)
	if err == nil {
		t.Fatalf("%s came", m.Body)
	}
}

func ended(t *testing.T, s broker.Subscription) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

func keeps(t *testing.T, b Broker, traits Traits) {
	s := b.Subscribe(t)
	defer ended(t, s)
	headers := map[string]string{broker.HeaderKind: "verify", broker.HeaderTenant: "acme"}
	if traits.NoHeaders {
		headers = nil
	}
	bodies := []string{"{}", "ü\n\"x\" ", strings.Repeat("long ", 20_000)}
	if !traits.TextOnly {
		bodies = append(bodies, "\x00\xff")
	}
	for _, body := range bodies {
		sent := maps.Clone(headers)
		b.Send(t, []byte(body), sent)
		m := receive(t, s)
		require.Equal(t, body, string(m.Body))
		for name, value := range headers {
			require.Equal(t, value, m.Header(name), name)
		}
		require.Empty(t, m.Header("Switchtape-None"))
		if !traits.NoRedelivered {
			require.False(t, m.Redelivered)
		}
		require.NoError(t, m.Receipt.Extend(t.Context()))
		require.NoError(t, m.Receipt.Ack(t.Context()))
	}
}

func acknowledged(t *testing.T, b Broker, _ Traits) {
	s := b.Subscribe(t)
	b.Send(t, []byte("one"), nil)
	require.NoError(t, receive(t, s).Receipt.Ack(t.Context()))
	none(t, s)
	ended(t, s)
	again := b.Subscribe(t)
	defer ended(t, again)
	none(t, again)
}

func letGo(t *testing.T, b Broker, traits Traits) {
	s := b.Subscribe(t)
	defer ended(t, s)
	b.Send(t, []byte("one"), nil)
	m := receive(t, s)
	require.NoError(t, m.Receipt.Nack(t.Context(), 10*time.Millisecond))
	again := receive(t, s)
	require.Equal(t, "one", string(again.Body))
	require.Equal(t, m.ID, again.ID)
	if !traits.NoRedelivered {
		require.True(t, again.Redelivered)
	}
	require.NoError(t, again.Receipt.Ack(t.Context()))
}

func left(t *testing.T, b Broker, traits Traits) {
	s := b.Subscribe(t)
	b.Send(t, []byte("one"), nil)
	m := receive(t, s)
	if traits.SlowRedelivery {
		require.NoError(t, m.Receipt.Nack(t.Context(), 0))
	}
	ended(t, s)
	again := b.Subscribe(t)
	defer ended(t, again)
	m = receive(t, again)
	require.Equal(t, "one", string(m.Body))
	require.NoError(t, m.Receipt.Ack(t.Context()))
}

func ends(t *testing.T, b Broker, _ Traits) {
	s := b.Subscribe(t)
	defer ended(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Receive(ctx)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(within):
		t.Fatal("it goes on waiting")
	}
}

// eachToOne: of several that receive, one gets each message.
func eachToOne(t *testing.T, b Broker, _ Traits) {
	const messages = 60
	for i := range messages {
		b.Send(t, fmt.Appendf(nil, "m%d", i), nil)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*within)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	subs := []broker.Subscription{b.Subscribe(t), b.Subscribe(t)}
	for _, s := range subs {
		for range 3 {
			wg.Go(func() {
				for {
					m, err := s.Receive(ctx)
					if ctx.Err() != nil {
						return
					}
					if err != nil {
						continue
					}
					assert.NoError(t, m.Receipt.Ack(context.WithoutCancel(ctx)))
					mu.Lock()
					if seen[string(m.Body)]++; len(seen) == messages {
						cancel()
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	require.Len(t, seen, messages)
	for body, n := range seen {
		require.Equal(t, 1, n, body)
	}
	for _, s := range subs {
		ended(t, s)
	}
}
