package main

import (
	_ "time/tzdata" // time zones, for machines that have none installed

	_ "gocloud.dev/secrets/awskms"        // key services
	_ "gocloud.dev/secrets/azurekeyvault" // all of them
	_ "gocloud.dev/secrets/gcpkms"        // are 22 packages

	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/gcppubsub"
	"github.com/switchtape/switchtape/recording/broker/nats"
	"github.com/switchtape/switchtape/recording/broker/rabbit"
	"github.com/switchtape/switchtape/recording/broker/servicebus"
	"github.com/switchtape/switchtape/recording/broker/sqs"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/s3"
)

// buckets are those of every cloud, besides files.
func buckets() service.Buckets {
	return service.Buckets{s3.Driver(), gcs.Driver(), azure.Driver()}
}

// brokers are those that jobs come by, and results go out to.
func brokers() broker.Drivers {
	return broker.Drivers{nats.Driver(), rabbit.Driver(), sqs.Driver(), sqs.TopicDriver(), servicebus.Driver(), gcppubsub.Driver()}
}
