package main

import (
	_ "time/tzdata" // time zones, for machines that have none installed

	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/s3"
)

// buckets are those of every cloud, besides files.
func buckets() service.Buckets {
	return service.Buckets{s3.Driver(), gcs.Driver(), azure.Driver()}
}
