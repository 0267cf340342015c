package nats_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/nats"
)

// stream is a stream of jobs as the suite sees it.
type stream struct {
	*brokertest.Stream

	hosts string
}

func (s stream) Subscribe(t testing.TB) broker.Subscription {
	t.Helper()
	return subscribe(t, fmt.Sprintf("nats://%s?stream=%s&ack_wait=1s", s.hosts, s.Name))
}

func (s stream) Send(t testing.TB, body []byte, headers map[string]string) {
	t.Helper()
	s.Stream.Send(t, "jobs.new", "", body, headers)
}

func subscribe(t testing.TB, url string) broker.Subscription {
	t.Helper()
	u, err := broker.ParseURL(url)
	require.NoError(t, err)
	s, err := broker.Drivers{nats.Driver()}.Subscribe(u)
	require.NoError(t, err)
	return s
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	brokertest.Subscription(t, brokertest.Traits{}, func(t *testing.T) brokertest.Broker {
		t.Helper()
		s := brokertest.NATS(t)
		return stream{brokertest.NewStream(t, "JOBS", "jobs", s), s.Host()}
	})
}

// A topic's events are in the stream, each once however often it is sent, under the
// subject of its type.
func TestTopic(t *testing.T) {
	t.Parallel()
	srv := brokertest.NATS(t)
	kept := brokertest.NewStream(t, "EVENTS", "switchtape.events", srv)
	u, err := broker.ParseURL("nats://" + srv.Host() + "?subject=switchtape.events")
	require.NoError(t, err)
	topic, err := broker.Drivers{nats.Driver()}.OpenTopic(u)
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "a"} {
		require.NoError(t, topic.Send(t.Context(), &broker.Outgoing{
			ID: id, Subject: "recording.completed", Body: []byte(id), Headers: map[string]string{broker.HeaderID: id},
		}))
	}
	require.NoError(t, topic.Close(t.Context()))
	all := kept.Messages(t)
	require.Len(t, all, 2)
	for i, id := range []string{"a", "b"} {
		assert.Equal(t, "switchtape.events.recording.completed", all[i].Subject)
		assert.Equal(t, id, string(all[i].Data))
		assert.Equal(t, id, all[i].Header.Get(broker.HeaderID))
	}
	require.NoError(t, topic.Send(t.Context(), &broker.Outgoing{ID: "c"}), "it connects again")
	require.NoError(t, topic.Close(t.Context()))
	nowhere, err := broker.ParseURL("nats://" + srv.Host() + "?subject=elsewhere")
	require.NoError(t, err)
	topic, err = broker.Drivers{nats.Driver()}.OpenTopic(nowhere)
	require.NoError(t, err)
	err = topic.Send(t.Context(), &broker.Outgoing{ID: "a"})
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "no stream confirms it: %v", err)
	require.ErrorContains(t, err, "no stream keeps this subject; make one that does, as by \"nats stream add --subjects 'elsewhere.>'\"")
	require.NoError(t, topic.Close(t.Context()))
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"nats://h:1":                                 "stream: is missing",
		"nats://?stream=x":                           "names no server",
		"nats://h?stream=x&ack_wait=1ms":             "ack_wait",
		"nats://h?stream=x&sream=y":                  "sream: is not a parameter",
		"nats://h?stream=x&tls=perhaps":              "tls: is not true or false",
		"nats://user:se%20cret@h,h2:4?stream=x":      "",
		"nats://token@h?stream=x&consumer=c&tls=yes": "tls",
	} {
		u, err := broker.ParseURL(url)
		require.NoError(t, err, url)
		_, err = nats.Driver().Subscribe(u)
		if want == "" {
			require.NoError(t, err, url)
			continue
		}
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "cret")
	}
	u, err := broker.ParseURL("nats://h")
	require.NoError(t, err)
	_, err = nats.Driver().OpenTopic(u)
	require.ErrorContains(t, err, "subject: is missing")
}

// A stream that isn't there, and a server that isn't, are away until they come.
func TestAwayIsNoEnd(t *testing.T) {
	t.Parallel()
	srv := brokertest.NATS(t)
	s := subscribe(t, "nats://"+srv.Host()+"?stream=JOBS")
	_, err := s.Receive(t.Context())
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "stream not found")
	jobs := brokertest.NewStream(t, "JOBS", "jobs", srv)
	jobs.Send(t, "jobs", "", []byte("one"), nil)
	m, err := s.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "one", string(m.Body))
	require.NoError(t, m.Receipt.Ack(t.Context()))
	srv.Kill()
	_, err = s.Receive(t.Context())
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	srv.Start(t)
	jobs.Send(t, "jobs", "", []byte("two"), nil)
	require.Eventually(t, func() bool { m, err = s.Receive(t.Context()); return err == nil }, brokertest.Within, brokertest.Tick)
	require.Equal(t, "two", string(m.Body))
	require.NoError(t, m.Receipt.Ack(t.Context()))
	require.NoError(t, s.Close(t.Context()))
}
