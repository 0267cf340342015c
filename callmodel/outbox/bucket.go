package outbox

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Bucket is that a worker has found a bucket away, or back. No transaction is about that,
// so who dies at that moment tells nobody; and each worker tells of what it meets itself.
type Bucket struct {
	Bucket string // its URL, without a query
	Back   bool   // else it is away
	Reason callmodel.BucketReason
	Since  time.Time // since when it has been away, by the worker's clock
	Worker string
	// Tenants are those whose recordings this worker has had for the bucket: others may
	// not learn that it is there.
	Tenants []callmodel.TenantID
}

// Type is the type of the event.
func (b *Bucket) Type() string {
	if b.Back {
		return BucketBack
	}
	return BucketAway
}
