package dataexport

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// KindDelete is the kind of the jobs that delete an export when it expires. They wait
// until then. They aren't for clients to enqueue: an [Exporter] makes them, with the
// export's key. Their payload is an [Expiry], their result an [Expired].
const KindDelete = "delete-data-export"

// priority is that of the jobs that delete: whatever else waits comes first.
const priority = -100

// deleter is who deletes exports, in the audit log.
const deleter = "retention"

// Expiry is which export is deleted, and when.
type Expiry struct {
	Key       string    `json:"key"`
	ExpiresAt time.Time `json:"expires_at"` // the database's clock
}

// Validate reports every fault, as FieldErrors.
func (x *Expiry) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("key", x.Key)
	if x.ExpiresAt.IsZero() {
		e.Add("expires_at", "is missing")
	}
	return e.Err()
}

// Expired is what a job that deletes an export came to.
type Expired struct {
	Status  record.Status `json:"status"`  // "completed"
	Objects int           `json:"objects"` // that were deleted
	Bytes   int64         `json:"bytes"`
}

// expire enqueues the job that deletes the export.
func (e *Exporter) expire(ctx context.Context, r *Request) error {
	payload, err := json.Marshal(Expiry{Key: r.Key, ExpiresAt: r.ExpiresAt})
	if err != nil {
		return callmodel.Permanent(err)
	}
	_, _, err = e.ledger.Enqueue(ctx, ledger.Request{
		Kind: KindDelete, TenantID: r.TenantID, Key: r.Key, Payload: payload, Priority: priority, Actor: deleter,
	})
	return err
}

// Clock is the database's.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}

// Delete is the kind of the jobs that delete exports from the bucket when they expire, by
// the database's clock, with the versions that the bucket has of them. from may be nil where
// such jobs are only enqueued.
func Delete(c Clock, from Remover) task.Kind {
	if from == nil {
		return task.Of[Expiry](KindDelete, nil)
	}
	return task.Of(KindDelete, func(ctx context.Context, j *task.Job, x Expiry) (any, error) {
		now, err := c.Now(ctx)
		if err != nil {
			return nil, err
		}
		if left := x.ExpiresAt.Sub(now); left > 0 {
			return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "the export %s is kept until %s", x.Key, x.ExpiresAt.Format(time.RFC3339)), left)
		}
		gone, err := remove(ctx, from, Prefix(j.TenantID, x.Key))
		if err != nil {
			return nil, err
		}
		o, err := task.OutcomeOf(j, gone)
		o.Effects = func(c ledger.Commit) (ledger.Effects, error) {
			return ledger.Effects{Detail: map[string]string{
				"kind": KindDelete, "key": c.Key, "objects": strconv.Itoa(gone.Objects), "bytes": strconv.FormatInt(gone.Bytes, 10),
			}}, nil
		}
		return o, err
	})
}

// remove deletes what is below the prefix, with its older versions. What one that was
// stopped has left is deleted when it is called again.
func remove(ctx context.Context, from Remover, prefix string) (Expired, error) {
	gone := Expired{Status: record.StatusCompleted}
	if !strings.Contains(prefix, "/exports/") || !strings.HasSuffix(prefix, "/") {
		return gone, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInternal, "%q is no export's prefix", prefix))
	}
	all, err := from.Erase(ctx, prefix, func(string) bool { return true })
	for _, o := range all {
		gone.Objects, gone.Bytes = gone.Objects+1, gone.Bytes+o.Bytes
	}
	return gone, err
}
