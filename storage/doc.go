// Package storage puts finished recordings into buckets and finds them again.
//
//	write func ──▶ spool (memory, then an unnamed file) ──▶ SHA-256, size
//	                                                            │
//	   bucket/{tenant}/year=…/{call}/{recording}.v1.wav ◀── create-only upload
//	                       │
//	           exists? same hash: done · other hash: .v2, and an alert
//
// A [Store] is opened by URL: file:// (durable local files, see durablefile),
// mem:// for tests, and s3://, gs:// and azblob:// in a program that links their
// drivers, which are the packages s3, gcs and azure:
//
//	storage.Open(ctx, "s3://recordings", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
//
// There is one way to write, [Store.Put], and it never leaves a partial object
// and never overwrites one.
//
// Errors of the bucket are a callmodel.BucketAwayError, with its reason, within a
// callmodel.RetryAfterError, since they are not the recording's fault, and carry a code,
// unavailable or forbidden. So are those of the spool:
//
//	the bucket or container is not there            no_such_bucket
//	401, 403, credentials that have expired         forbidden
//	the disk, the quota or the account is full      full
//	the spool's directory can't be written          spool
//	429, 503, with the Retry-After that came        throttled
//	the network, a time-out, any other 5xx          unreachable
//	any other 4xx of an upload                      refused
//
// A cloud's server that accepts and stands still is unreachable after Options.Stall,
// whatever is asked of it. A transfer that goes on is never cut.
package storage
