// Package gcppubsub is the driver for Google Cloud Pub/Sub.
//
//	gcppubsub://projects/myproject/subscriptions/jobs
//	gcppubsub://projects/myproject/topics/events
//
// Credentials are the environment's; PUBSUB_EMULATOR_HOST names an emulator. The
// subscription's acknowledgement deadline is how long a message may be worked on.
package gcppubsub

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"sync"

	pb "cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"gocloud.dev/gcp"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/gcppubsub"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/cloud"
)

// Driver opens gcppubsub:// URLs.
func Driver() broker.Driver {
	l := &link{}
	return cloud.Driver(gcppubsub.Scheme, cloud.Queue{
		Subscribe: func(ctx context.Context, u *url.URL) (*pubsub.Subscription, error) {
			conn, err := l.open(ctx)
			if err != nil {
				return nil, err
			}
			client, err := gcppubsub.SubscriberClient(ctx, conn)
			if err != nil {
				return nil, err
			}
			return gcppubsub.OpenSubscriptionByPath(client, path(u), nil)
		},
		OpenTopic: func(ctx context.Context, u *url.URL) (*pubsub.Topic, error) {
			conn, err := l.open(ctx)
			if err != nil {
				return nil, err
			}
			client, err := gcppubsub.PublisherClient(ctx, conn)
			if err != nil {
				return nil, err
			}
			return gcppubsub.OpenTopicByPath(client, path(u), nil)
		},
		Check: check,
		ID: func(m *pubsub.Message) string {
			var raw *pb.PubsubMessage
			if m.As(&raw) {
				return raw.GetMessageId()
			}
			return m.LoggableID
		},
	})
}

// path is the name that the URL gives.
func path(u *url.URL) string { return u.Host + u.Path }

func check(u *broker.URL, topic bool) error {
	want := "subscriptions"
	if topic {
		want = "topics"
	}
	if !regexp.MustCompile(`^projects/[^/]+/` + want + `/[^/]+$`).MatchString(u.Hosts[0] + u.Path) {
		return callmodel.Errorf(callmodel.CodeInvalid, "%s: it must be like gcppubsub://projects/PROJECT/%s/NAME", u, want)
	}
	return nil
}

// link is the connection that a program's subscriptions and topics share. gRPC mends it
// by itself.
type link struct {
	mu   sync.Mutex
	conn *grpc.ClientConn
}

func (l *link) open(ctx context.Context) (*grpc.ClientConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		return l.conn, nil
	}
	if at := os.Getenv("PUBSUB_EMULATOR_HOST"); at != "" {
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, fmt.Errorf("PUBSUB_EMULATOR_HOST: %w", err)
		}
		l.conn = conn
		return conn, nil
	}
	creds, err := gcp.DefaultCredentials(ctx)
	if err != nil {
		return nil, err
	}
	conn, _, err := gcppubsub.Dial(ctx, gcp.CredentialsTokenSource(creds))
	if err != nil {
		return nil, err
	}
	l.conn = conn
	return conn, nil
}
