// Package sqs is the driver for Amazon's SQS, and for topics of SNS.
//
//	awssqs://sqs.eu-central-1.amazonaws.com/123456789012/jobs?region=eu-central-1
//	awssns://arn/arn:aws:sns:eu-central-1:123456789012:events?region=eu-central-1
//
// Credentials are the environment's. The queue's visibility time-out is how long a message
// may be worked on. A message's body is taken as it is: an envelope of SNS is not opened,
// as whoever may send to the queue could write one and with it headers, the tenant's
// included. Have SNS deliver raw messages. A redrive policy of the queue's own should
// allow many deliveries: what can't be taken is a dead letter in the database.
package sqs

import (
	"context"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/aws"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/cloud"
)

// longPoll is for how long the queue is asked at once; it costs a request each time.
const longPoll = 10 * time.Second

// Driver opens awssqs:// URLs.
func Driver() broker.Driver {
	return cloud.Driver(awssnssqs.SQSScheme, cloud.Queue{
		Subscribe: func(ctx context.Context, u *url.URL) (*pubsub.Subscription, error) {
			cfg, err := aws.V2ConfigFromURLParams(ctx, u.Query())
			if err != nil {
				return nil, err
			}
			return awssnssqs.OpenSubscription(ctx, sqs.NewFromConfig(cfg), queue(u), &awssnssqs.SubscriptionOptions{Raw: true, WaitTime: longPoll}), nil
		},
		OpenTopic: func(ctx context.Context, u *url.URL) (*pubsub.Topic, error) {
			cfg, err := aws.V2ConfigFromURLParams(ctx, u.Query())
			if err != nil {
				return nil, err
			}
			return awssnssqs.OpenSQSTopic(ctx, sqs.NewFromConfig(cfg), queue(u), nil), nil
		},
		Check: func(u *broker.URL, _ bool) error {
			if strings.Count(strings.Trim(u.Path, "/"), "/") != 1 {
				return callmodel.Errorf(callmodel.CodeInvalid, "%s: it must be like awssqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE?region=REGION", u)
			}
			return takeAWS(u)
		},
		ID: func(m *pubsub.Message) string {
			var raw sqstypes.Message
			if m.As(&raw) && raw.MessageId != nil {
				return *raw.MessageId
			}
			return m.LoggableID
		},
	})
}

// TopicDriver opens awssns:// URLs, which only take events.
func TopicDriver() broker.Driver {
	d := cloud.Driver(awssnssqs.SNSScheme, cloud.Queue{
		OpenTopic: func(ctx context.Context, u *url.URL) (*pubsub.Topic, error) {
			cfg, err := aws.V2ConfigFromURLParams(ctx, u.Query())
			if err != nil {
				return nil, err
			}
			return awssnssqs.OpenSNSTopic(ctx, sns.NewFromConfig(cfg), arn(u.Path), nil), nil
		},
		Check: func(u *broker.URL, _ bool) error {
			if !strings.HasPrefix(arn(u.Path), "arn:") {
				return callmodel.Errorf(callmodel.CodeInvalid, "%s: it must be like awssns://arn/arn:aws:sns:REGION:ACCOUNT:NAME?region=REGION", u)
			}
			return takeAWS(u)
		},
	})
	d.Subscribe = nil
	return d
}

// queue is the queue's URL as Amazon has it.
func queue(u *url.URL) string { return "https://" + path.Join(u.Host, u.Path) }

// arn is the topic's name.
func arn(p string) string { return strings.Trim(p, "/") }

// takeAWS takes the parameters that gocloud knows.
func takeAWS(u *broker.URL) error {
	region := ""
	for _, name := range []string{"region", "profile", "endpoint", "hostname_immutable", "dualstack", "fips", "anonymous", "rate_limiter_capacity", "awssdk"} {
		v := u.Take(name)
		if name == "region" {
			region = v
		}
	}
	if region == "" {
		return callmodel.FieldErrors{{Path: "region", Message: "is missing; name Amazon's region"}}
	}
	return nil
}
