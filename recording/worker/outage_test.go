package worker_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// outage is a ledger that answers nobody while it is down.
type outage struct {
	*calldb.DB

	down atomic.Bool
}

func (o *outage) err() error {
	if o.down.Load() {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	}
	return nil
}

func (o *outage) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.DB.Claim(ctx, r)
}

func (o *outage) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error) {
	if err := o.err(); err != nil {
		return l, err
	}
	return o.DB.Extend(ctx, l, ttl)
}

func (o *outage) Complete(ctx context.Context, l ledger.Lease, out ledger.Outcome) error {
	if err := o.err(); err != nil {
		return err
	}
	return o.DB.Complete(ctx, l, out)
}

func (o *outage) Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error {
	if err := o.err(); err != nil {
		return err
	}
	return o.DB.Fail(ctx, l, f)
}

// Recordings that were finished while the ledger was down for longer than a lease are
// committed by the workers that have them when it is back: nobody makes one again.
func TestNothingIsMadeTwiceForAnOutage(t *testing.T) {
	t.Parallel()
	q := &outage{DB: jobLedger(t)}
	const jobs, workers = 6, 3
	var runs atomic.Int64
	begun, finish := make(chan struct{}, jobs), make(chan struct{})
	p := processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		runs.Add(1)
		begun <- struct{}{}
		<-finish
		return made, nil
	})
	ids := enqueue(t, q, jobs)
	var all []*worker.Worker
	work := func(i int) {
		o := options()
		o.Name, o.Concurrency, o.LeaseTTL = string(rune('a'+i)), 2, 2*time.Second
		o.FinishedDir = filepath.Join(t.TempDir(), "finished")
		w := worker.New(q, p, o)
		all = append(all, w)
		start(t, w)
	}
	for i := range workers {
		work(i)
	}
	for range jobs {
		<-begun
	}
	q.down.Store(true)
	close(finish)
	ended := func(ago time.Duration) func() bool {
		return func() bool {
			for _, id := range ids {
				j, err := q.Job(t.Context(), id)
				require.NoError(t, err)
				if j.State != ledger.Running || time.Since(j.LeaseUntil) < ago {
					return false
				}
			}
			return true
		}
	}
	require.Eventually(t, ended(0), time.Minute, 10*time.Millisecond)
	for i := range workers { // they have nothing to do but to take over what they can
		work(workers + i)
	}
	require.Eventually(t, ended(1500*time.Millisecond), time.Minute, 10*time.Millisecond)
	q.down.Store(false)
	for _, w := range all[workers:] {
		w.Ring() // they ask before the others do
	}
	for _, id := range ids {
		assert.Zero(t, waitState(t, q, id, ledger.Done).Attempts)
	}
	assert.EqualValues(t, jobs, runs.Load())
}
