package rabbit_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/rabbit"
	"github.com/switchtape/switchtape/storage/calldb"
)

// queue is a durable queue as the suite sees it, with a connection of the sender's.
type queue struct {
	srv  *brokertest.RabbitServer
	name string
}

// names tell the queues of this test binary apart.
var names atomic.Int64

func newQueue(t testing.TB, srv *brokertest.RabbitServer) *queue {
	t.Helper()
	q := &queue{srv: srv, name: fmt.Sprint("jobs-", names.Add(1))}
	q.with(t, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.name, true, false, false, false, nil)
		return err
	})
	return q
}

// with runs do on a channel, again where the server is just starting.
func (q *queue) with(t testing.TB, do func(ch *amqp.Channel) error) {
	t.Helper()
	var last error
	require.Eventually(t, func() bool {
		conn, err := amqp.Dial("amqp://" + q.srv.Host())
		if last = err; err != nil {
			return false
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err == nil {
			err = do(ch)
		}
		last = err
		return err == nil
	}, brokertest.Within, brokertest.Tick, "%v", last)
}

func (q *queue) Send(t testing.TB, body []byte, headers map[string]string) {
	t.Helper()
	q.with(t, func(ch *amqp.Channel) error {
		table := amqp.Table{}
		for k, v := range headers {
			table[k] = v
		}
		if err := ch.Confirm(false); err != nil {
			return err
		}
		c, err := ch.PublishWithDeferredConfirm("", q.name, false, false, amqp.Publishing{Headers: table, Body: body, DeliveryMode: amqp.Persistent})
		if err != nil {
			return err
		}
		_, err = c.WaitContext(t.Context())
		return err
	})
}

func (q *queue) Subscribe(t testing.TB) broker.Subscription {
	t.Helper()
	u, err := broker.ParseURL("rabbit://" + q.srv.Host() + "?queue=" + q.name)
	require.NoError(t, err)
	s, err := broker.Drivers{rabbit.Driver()}.Subscribe(u)
	require.NoError(t, err)
	return s
}

func TestSubscription(t *testing.T) {
	srv := brokertest.Rabbit(t)
	brokertest.Subscription(t, brokertest.Traits{}, func(t *testing.T) brokertest.Broker {
		t.Helper()
		return newQueue(t, srv)
	})
	t.Run("Topic", func(t *testing.T) { topic(t, srv) })
	t.Run("Drill", func(t *testing.T) {
		db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		brokertest.Drill(t, &brokertest.Drilled{
			Broker: newQueue(t, srv), Seed: 4, Messages: brokertest.DrillMessages(), Ledger: db, Letters: db,
			Disturb: func(t *testing.T, life int) {
				t.Helper()
				if life == 5 || life == 20 { // it forgets many acknowledgements each time
					srv.Kill()
					srv.Start(t)
				}
			},
		})
	})
}

// topic: events are in the queue that is bound, by their types; without a queue they are
// refused.
func topic(t *testing.T, srv *brokertest.RabbitServer) {
	q := newQueue(t, srv)
	q.with(t, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("events", "topic", true, false, false, false, nil)
	})
	u, err := broker.ParseURL("rabbit://" + srv.Host() + "?exchange=events")
	require.NoError(t, err)
	top, err := broker.Drivers{rabbit.Driver()}.OpenTopic(u)
	require.NoError(t, err)
	out := &broker.Outgoing{ID: "id-1", Subject: "recording.completed", Body: []byte("{}"), Headers: map[string]string{broker.HeaderID: "id-1"}}
	err = top.Send(t.Context(), out)
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "no queue")
	q.with(t, func(ch *amqp.Channel) error { return ch.QueueBind(q.name, "recording.*", "events", false, nil) })
	require.NoError(t, top.Send(t.Context(), out))
	s := q.Subscribe(t)
	m, err := s.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "id-1", m.ID)
	require.Equal(t, "id-1", m.Header(broker.HeaderID))
	require.NoError(t, m.Receipt.Ack(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	srv.Kill()
	require.Error(t, top.Send(t.Context(), out))
	srv.Start(t)
	// What was declared a moment before a kill the server may have forgotten.
	q.with(t, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.name, true, false, false, false, nil)
		if err == nil {
			err = ch.ExchangeDeclare("events", "topic", true, false, false, false, nil)
		}
		if err == nil {
			err = ch.QueueBind(q.name, "recording.*", "events", false, nil)
		}
		return err
	})
	require.Eventually(t, func() bool {
		err := top.Send(t.Context(), out)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	}, brokertest.Within, brokertest.Tick)
	require.NoError(t, top.Close(t.Context()))
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"rabbit://h":                        "queue: is missing",
		"rabbit://?queue=x":                 "names no server",
		"rabbit://h?queue=x&prefetch=0":     "prefetch",
		"rabbit://h?queue=x&tls=perhaps":    "tls: is not true or false",
		"rabbit://h?queue=x&que=y":          "que: is not a parameter",
		"rabbit://u:p@h:1,h2/v%2F1?queue=x": "",
	} {
		u, err := broker.ParseURL(url)
		require.NoError(t, err, url)
		_, err = rabbit.Driver().Subscribe(u)
		if want == "" {
			require.NoError(t, err, url)
		} else {
			require.ErrorContains(t, err, want, url)
		}
	}
}
