package gcppubsub_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	raw "cloud.google.com/go/pubsub/apiv1"
	"cloud.google.com/go/pubsub/pstest"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/gcppubsub"
	"github.com/switchtape/switchtape/storage/calldb"
)

// queue is a topic with one subscription on Google's fake server.
type queue struct {
	srv  *pstest.Server
	conn *grpc.ClientConn
	name string
}

var names atomic.Int64

func newQueue(t testing.TB, srv *pstest.Server) *queue {
	t.Helper()
	conn, err := grpc.NewClient(srv.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	q := &queue{srv: srv, conn: conn, name: fmt.Sprint("jobs-", names.Add(1))}
	topics, err := raw.NewPublisherClient(t.Context(), option.WithGRPCConn(conn))
	require.NoError(t, err)
	_, err = topics.CreateTopic(t.Context(), &pb.Topic{Name: q.topic()})
	require.NoError(t, err)
	subs, err := raw.NewSubscriberClient(t.Context(), option.WithGRPCConn(conn))
	require.NoError(t, err)
	_, err = subs.CreateSubscription(t.Context(), &pb.Subscription{Name: "projects/test/subscriptions/" + q.name, Topic: q.topic(), AckDeadlineSeconds: 10})
	require.NoError(t, err)
	return q
}

func (q *queue) topic() string { return "projects/test/topics/" + q.name }

func (q *queue) Send(t testing.TB, body []byte, headers map[string]string) {
	t.Helper()
	q.srv.Publish(q.topic(), body, headers)
}

func (q *queue) Subscribe(t testing.TB) broker.Subscription {
	t.Helper()
	u, err := broker.ParseURL("gcppubsub://projects/test/subscriptions/" + q.name)
	require.NoError(t, err)
	s, err := broker.Drivers{gcppubsub.Driver()}.Subscribe(u)
	require.NoError(t, err)
	return s
}

func TestSubscription(t *testing.T) {
	srv := pstest.NewServer()
	defer srv.Close()
	t.Setenv("PUBSUB_EMULATOR_HOST", srv.Addr)
	brokertest.Subscription(t, brokertest.Traits{NoRedelivered: true, SlowRedelivery: true}, func(t *testing.T) brokertest.Broker {
		t.Helper()
		return newQueue(t, srv)
	})
	t.Run("Topic", func(t *testing.T) {
		q := newQueue(t, srv)
		u, err := broker.ParseURL("gcppubsub://" + q.topic())
		require.NoError(t, err)
		top, err := broker.Drivers{gcppubsub.Driver()}.OpenTopic(u)
		require.NoError(t, err)
		require.NoError(t, top.Send(t.Context(), &broker.Outgoing{ID: "a", Body: []byte("{}"), Headers: map[string]string{broker.HeaderID: "a"}}))
		require.NoError(t, top.Close(t.Context()))
		s := q.Subscribe(t)
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, "a", m.Header(broker.HeaderID))
		require.NoError(t, m.Receipt.Ack(t.Context()))
		require.NoError(t, s.Close(t.Context()))
	})
	// TopicEnds, however soon after its last message.
	t.Run("TopicEnds", func(t *testing.T) {
		u, err := broker.ParseURL("gcppubsub://" + newQueue(t, srv).topic())
		require.NoError(t, err)
		for range 500 {
			top, err := broker.Drivers{gcppubsub.Driver()}.OpenTopic(u)
			require.NoError(t, err)
			require.NoError(t, top.Send(t.Context(), &broker.Outgoing{ID: "a", Body: []byte("{}")}))
			soon, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, top.Close(soon))
			cancel()
		}
	})
	t.Run("Drill", func(t *testing.T) {
		db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		brokertest.Drill(t, &brokertest.Drilled{Broker: newQueue(t, srv), Seed: 5, Messages: brokertest.DrillMessages(), Ledger: db, Letters: db})
	})
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"gcppubsub://p/s", "gcppubsub://projects/p/topics/t", "gcppubsub://u@projects/p/subscriptions/s", "gcppubsub://projects/p/subscriptions/s?max=1",
	} {
		u, err := broker.ParseURL(url)
		require.NoError(t, err, url)
		_, err = gcppubsub.Driver().Subscribe(u)
		require.Error(t, err, url)
	}
}
