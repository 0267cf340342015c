package service

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// LegsBelow is where the options say that legs are, while there are so many tenants.
func LegsBelow(o LegOptions, tenants int) (func(t callmodel.TenantID, host string) (string, error), error) {
	d, err := o.legDirs(func() int { return tenants })
	if err != nil {
		return nil, err
	}
	return d.below, nil
}

// BucketHealth tells of the buckets of a worker.
func BucketHealth(s *Stores, rec *worker.Worker) []console.Health { return bucketHealth(s, rec) }

// Guard is the authentication that the options put around h.
func Guard(h http.Handler, o AuthOptions, addr net.Addr) (http.Handler, error) {
	guarded, _, _, err := o.guard(auth.GateOptions{}, nil, addr)
	if err != nil {
		return nil, err
	}
	return guarded(h), nil
}

// ValidAPI is what is wrong with the options.
func ValidAPI(o APIOptions) error { return o.validate() }

// ForgetOnce makes a pass and returns how many calls it took out.
func ForgetOnce(ctx context.Context, db *calldb.DB, o RetentionOptions) (int64, error) {
	gone, err := forgetOnce(ctx, db, o)
	return gone.Calls, err
}

// ValidRetention is what is wrong with the options.
func ValidRetention(o RetentionOptions) error { return o.validate() }

// SetClock gives the verifier another clock.
func (v *Verifier) SetClock(now func() time.Time, after func(time.Duration) <-chan time.Time) {
	v.clock = verifyClock{now, after}
}

// SetBucket gives the verifier another bucket.
func (v *Verifier) SetBucket(b reconcile.Bucket) { v.bucket = b }

// WatchPromise is what asks, once each time that it is called, what the metrics tell of the
// promise, at times that are far apart.
func WatchPromise(db *calldb.DB, m *ops.Metrics) func(ctx context.Context) {
	w := newPromiseWatch(db, m, slog.New(slog.DiscardHandler))
	at := time.Unix(0, 0)
	w.now = func() time.Time { return at }
	return func(ctx context.Context) {
		at = at.Add(time.Hour)
		w.once(ctx)
	}
}

// Sweep looks once for legs to delete.
func (l *WorkerLegs) Sweep(ctx context.Context) (int, error) { return l.deleter.Sweep(ctx) }

// MoveLeft moves home what has been in the backup since before that time.
func (s *Stores) MoveLeft(ctx context.Context, before time.Time) (int, error) {
	return s.moveLeft(ctx, before)
}
