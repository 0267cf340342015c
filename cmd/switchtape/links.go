package main

import (
	_ "time/tzdata" // time zones, for machines that have none installed

	_ "gocloud.dev/secrets/awskms" // key services, as the buckets are: 6 packages

	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/nats"
	"github.com/switchtape/switchtape/storage/s3"
)

// buckets are S3's, which most stores speak, besides files. Google's and Azure's
// SDKs would be 370 packages and 36 MB more; the services have them.
func buckets() service.Buckets { return service.Buckets{s3.Driver()} }

// brokers are NATS alone, as buckets are S3's. The services have the clouds'.
func brokers() broker.Drivers { return broker.Drivers{nats.Driver()} }
