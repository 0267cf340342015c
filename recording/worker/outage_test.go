package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
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
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
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

// outageWorker runs a worker that makes a recording when there is a file go in the
// directory, notes each in a file runs, and keeps what it has finished in finished.
func outageWorker(ctx context.Context, at string) error {
	dir := os.Getenv(crashDir)
	db, err := calldb.Open(ctx, at, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	w := worker.New(db, processorFunc(func(ctx context.Context, s record.Spec, _ bool) (record.Result, error) {
		f, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return record.Result{}, err
		}
		if _, err := f.WriteString(string(s.CallID) + "\n"); err != nil {
			return record.Result{}, err
		}
		if err := f.Close(); err != nil {
			return record.Result{}, err
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go")); err == nil {
				return storetest.Result(string(s.CallID)), nil
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				return record.Result{}, ctx.Err()
			}
		}
	}), &worker.Options{
		Name: "w", Concurrency: 4, LeaseTTL: time.Second, LedgerTimeout: time.Second, Poll: 10 * time.Millisecond, FinishedDir: filepath.Join(dir, "finished"),
	})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println("working")
	return w.Run(ctx)
}

// A worker is killed while its database is silent and its recordings are in the bucket. The
// one that is started in its place commits them: nothing is made twice.
func TestKilledDuringAnOutage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	at := pgtest.URL(t)
	db, err := calldb.Open(t.Context(), at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	ids := enqueue(t, db, 4)
	runs := func() int {
		b, err := os.ReadFile(filepath.Join(dir, "runs"))
		if err != nil {
			return 0
		}
		return bytes.Count(b, []byte("\n"))
	}
	p, through := between(t, at)
	c := spawnWith(t, crashURL+"="+through, crashDir+"="+dir)
	require.Eventually(t, func() bool { return runs() == len(ids) }, time.Minute, 5*time.Millisecond)
	p.silent.Store(true)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	require.Eventually(t, func() bool {
		notes, err := filepath.Glob(filepath.Join(dir, "finished", "*.json"))
		return err == nil && len(notes) == len(ids)
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, c.Process.Kill())
	require.Error(t, <-c.ended)
	p.silent.Store(false)
	c = spawnWith(t, crashURL+"="+through, crashDir+"="+dir)
	for _, id := range ids {
		require.Zero(t, waitState(t, db, id, ledger.Done).Attempts)
	}
	require.NoError(t, c.stdin.Close())
	require.NoError(t, <-c.ended)
	require.Equal(t, len(ids), runs())
	left, err := os.ReadDir(filepath.Join(dir, "finished"))
	require.NoError(t, err)
	require.Empty(t, left)
}
