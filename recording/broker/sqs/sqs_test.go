package sqs_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"
	gcaws "gocloud.dev/aws"

	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/sqs"
	"github.com/switchtape/switchtape/storage/calldb"
)

// queue is a queue of a server that speaks SQS.
type queue struct {
	c        *client.Client
	endpoint string
	name     string
	url      string
}

var names atomic.Int64

func newQueue(t testing.TB, endpoint string) *queue {
	t.Helper()
	cfg, err := gcaws.V2ConfigFromURLParams(t.Context(), url.Values{"region": {"us-east-1"}, "endpoint": {endpoint}})
	require.NoError(t, err)
	q := &queue{c: client.NewFromConfig(cfg), endpoint: endpoint, name: fmt.Sprint("jobs-", names.Add(1))}
	made, err := q.c.CreateQueue(t.Context(), &client.CreateQueueInput{QueueName: &q.name, Attributes: map[string]string{"VisibilityTimeout": "1"}})
	require.NoError(t, err)
	q.url = *made.QueueUrl
	return q
}

func (q *queue) Send(t testing.TB, body []byte, headers map[string]string) {
	t.Helper()
	in := &client.SendMessageInput{QueueUrl: &q.url, MessageBody: aws.String(string(body)), MessageAttributes: map[string]types.MessageAttributeValue{}}
	for k, v := range headers {
		in.MessageAttributes[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	_, err := q.c.SendMessage(t.Context(), in)
	require.NoError(t, err)
}

func (q *queue) at() string {
	return fmt.Sprintf("awssqs://%s/000000000000/%s?region=us-east-1&endpoint=%s", strings.TrimPrefix(q.endpoint, "http://"), q.name, url.QueryEscape(q.endpoint))
}

func (q *queue) Subscribe(t testing.TB) broker.Subscription {
	t.Helper()
	u, err := broker.ParseURL(q.at())
	require.NoError(t, err)
	s, err := broker.Drivers{sqs.Driver(), sqs.TopicDriver()}.Subscribe(u)
	require.NoError(t, err)
	return s
}

func TestSubscription(t *testing.T) {
	endpoint := brokertest.SQS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	brokertest.Subscription(t, brokertest.Traits{NoRedelivered: true, SlowRedelivery: true, TextOnly: true}, func(t *testing.T) brokertest.Broker {
		t.Helper()
		return newQueue(t, endpoint)
	})
	t.Run("Topic", func(t *testing.T) {
		q := newQueue(t, endpoint)
		u, err := broker.ParseURL(q.at())
		require.NoError(t, err)
		top, err := broker.Drivers{sqs.Driver()}.OpenTopic(u)
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
	// An envelope that somebody writes himself has no say in whose a message is.
	t.Run("Envelope", func(t *testing.T) {
		q := newQueue(t, endpoint)
		const envelope = `{"Type":"Notification","TopicArn":"arn:aws:sns:us-east-1:1:x","Message":"{}","MessageAttributes":{"Switchtape-Tenant":{"Type":"String","Value":"beta"}}}`
		q.Send(t, []byte(envelope), nil)
		s := q.Subscribe(t)
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		require.Equal(t, envelope, string(m.Body))
		require.Empty(t, m.Header(broker.HeaderTenant))
		require.NoError(t, m.Receipt.Ack(t.Context()))
		require.NoError(t, s.Close(t.Context()))
	})
	t.Run("Drill", func(t *testing.T) {
		messages := 1000
		if testing.Short() {
			messages = 200
		}
		db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		brokertest.Drill(t, &brokertest.Drilled{Broker: newQueue(t, endpoint), Seed: 6, Messages: messages, Ledger: db, Letters: db})
	})
}

func TestURLs(t *testing.T) {
	t.Parallel()
	drivers := broker.Drivers{sqs.Driver(), sqs.TopicDriver()}
	for _, at := range []string{"awssqs://h/q?region=x", "awssqs://h/1/q", "awssqs://h/1/q?region=x&raw=false", "awssns://arn/arn:aws:sns:x:1:t?region=x"} {
		u, err := broker.ParseURL(at)
		require.NoError(t, err, at)
		_, err = drivers.Subscribe(u)
		require.Error(t, err, at)
	}
	for at, ok := range map[string]bool{"awssns://arn/arn:aws:sns:x:1:t?region=x": true, "awssns://h/t?region=x": false, "awssns://arn/arn:aws:sns:x:1:t": false} {
		u, err := broker.ParseURL(at)
		require.NoError(t, err, at)
		_, err = drivers.OpenTopic(u)
		require.Equal(t, ok, err == nil, "%s: %v", at, err)
	}
}
