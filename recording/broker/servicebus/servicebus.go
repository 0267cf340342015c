// Package servicebus is the driver for Azure Service Bus.
//
//	azuresb://jobs?subscription=switchtape      a topic's subscription
//	azuresb://events                            a topic to send to
//
// The namespace and the credentials are the environment's: SERVICEBUS_CONNECTION_STRING,
// or AZURE_SERVICEBUS_HOSTNAME and Azure's own. There is no server to test it with: it is
// compiled, and its URLs are checked.
package servicebus

import (
	"context"
	"net/url"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/azuresb"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/cloud"
)

// Driver opens azuresb:// URLs.
func Driver() broker.Driver {
	return cloud.Driver(azuresb.Scheme, cloud.Queue{
		Subscribe: func(ctx context.Context, u *url.URL) (*pubsub.Subscription, error) {
			return opener().OpenSubscriptionURL(ctx, u)
		},
		OpenTopic: func(ctx context.Context, u *url.URL) (*pubsub.Topic, error) {
			return opener().OpenTopicURL(ctx, u)
		},
		Check: func(u *broker.URL, topic bool) error {
			if !topic && u.Take("subscription") == "" {
				return callmodel.FieldErrors{{Path: "subscription", Message: "is missing; name the topic's subscription"}}
			}
			return nil
		},
		ID: func(m *pubsub.Message) string {
			var raw *azservicebus.ReceivedMessage
			if m.As(&raw) {
				return raw.MessageID
			}
			return m.LoggableID
		},
		Redelivered: func(m *pubsub.Message) bool {
			var raw *azservicebus.ReceivedMessage
			return !m.As(&raw) || raw.DeliveryCount != 1
		},
	})
}

func opener() *azuresb.URLOpener {
	return &azuresb.URLOpener{
		ConnectionString: os.Getenv("SERVICEBUS_CONNECTION_STRING"), ServiceBusHostname: os.Getenv("AZURE_SERVICEBUS_HOSTNAME"),
	}
}
