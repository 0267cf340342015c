package callmodel

import (
	"fmt"
	"time"
)

// BucketAwayError says that a bucket can't be used now. What was to be put there or
// read is not at fault: whoever meets the error waits until the bucket is back, and
// leaves it alone meanwhile. It comes within a [RetryAfterError].
type BucketAwayError struct {
	Bucket string // its URL, without a query; it tells buckets apart
	Reason BucketReason
	// RetryAfter is how long the bucket asked to be left alone; 0 if it didn't.
	RetryAfter time.Duration
	Err        error // what happened
}

// BucketReason is why a bucket can't be used, for programs.
type BucketReason string

// The reasons.
const (
	BucketMissing     BucketReason = "no_such_bucket"
	BucketForbidden   BucketReason = "forbidden"   // credentials that are wrong, have expired or don't suffice; a read-only disk
	BucketFull        BucketReason = "full"        // the bucket, its quota, or the disk of a directory
	BucketSpool       BucketReason = "spool"       // the directory in which objects wait for their upload can't be written
	BucketThrottled   BucketReason = "throttled"   // it answers 429 or 503
	BucketUnreachable BucketReason = "unreachable" // the network, a time-out, or a fault of the server's
	BucketRefused     BucketReason = "refused"     // it refuses the request, for a reason that is none of these
)

// Sure reports whether one such error is enough to know that others would meet it
// too. What isn't sure may be a moment's trouble, or be about one object.
func (r BucketReason) Sure() bool {
	switch r {
	case BucketMissing, BucketForbidden, BucketFull, BucketSpool:
		return true
	case BucketThrottled, BucketUnreachable, BucketRefused:
	}
	return false
}

func (e *BucketAwayError) Error() string {
	return fmt.Sprintf("bucket %s is away (%s): %v", e.Bucket, e.Reason, e.Err)
}

// Unwrap returns Err.
func (e *BucketAwayError) Unwrap() error { return e.Err }
