package worker_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// beats counts the heartbeats of each job.
type beats struct {
	*calldb.DB

	of *sync.Map // a *atomic.Int64 by a job's id
}

func (b beats) count(id callmodel.JobID) *atomic.Int64 {
	n, _ := b.of.LoadOrStore(id, &atomic.Int64{})
	return n.(*atomic.Int64) // nothing else is in it
}

func (b beats) Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error) {
	b.count(l.Job.ID).Add(1)
	return b.DB.Extend(ctx, l, ttl)
}

// An attempt that never returns, whatever its context says, costs the job an
// attempt and the worker nothing: its only place comes back, the lease isn't
// renewed, and what the attempt brings at last is not committed.
func TestAttemptThatDoesNotEndIsAbandoned(t *testing.T) {
	t.Parallel()
	q := beats{DB: jobLedger(t), of: &sync.Map{}}
	ids := enqueue(t, q, 2)
	o := options()
	o.Concurrency, o.JobTimeout, o.LetGo, o.LeaseTTL = 1, 100*time.Millisecond, 10*time.Millisecond, 60*time.Millisecond
	var reports atomic.Int64
	o.Finished = func(r worker.Report) {
		if r.Job.ID == ids[0] {
			assert.True(t, r.Abandoned)
			assert.ErrorContains(t, r.Err, "timed out")
			reports.Add(1)
		}
	}
	comeBack := make(chan struct{})
	w := worker.New(q, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if s.CallID == "c0" {
			<-comeBack
		}
		return made, nil
	}), o)
	require.Zero(t, w.Stuck())
	start(t, w)
	waitState(t, q, ids[1], ledger.Done)
	j := waitState(t, q, ids[0], ledger.Quarantined)
	assert.Equal(t, 3, j.Attempts)
	assert.Contains(t, j.LastError, "timed out")
	assert.Contains(t, j.LastError, "abandoned")
	require.Eventually(t, func() bool { return reports.Load() == 3 }, time.Minute, time.Millisecond)
	assert.Equal(t, 3, w.Abandoned())
	assert.Positive(t, w.Stuck())
	sent := q.count(ids[0]).Load()

	close(comeBack)
	require.Eventually(t, func() bool { return w.Abandoned() == 0 && w.Stuck() == 0 }, time.Minute, time.Millisecond)
	after, _, err := q.Enqueue(t.Context(), inQueue("after", ""))
	require.NoError(t, err)
	waitState(t, q, after, ledger.Done)
	j, err = q.Job(t.Context(), ids[0])
	require.NoError(t, err)
	assert.Equal(t, ledger.Quarantined, j.State, "what came later is nobody's")
	assert.Empty(t, j.Result)
	assert.Equal(t, sent, q.count(ids[0]).Load(), "its lease is renewed no more")
}

// While as many attempts hang as there are places, jobs are taken one at a time.
func TestStuckWorkerTakesOneJobAtATime(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.Concurrency, o.JobTimeout, o.LetGo, o.RetryBase, o.LeaseTTL = 2, 30*time.Millisecond, 10*time.Millisecond, time.Hour, time.Minute
	var begun, most, running atomic.Int64
	comeBack := make(chan struct{})
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		if begun.Add(1) > 2 { // the first two hang
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return made, nil
		}
		<-comeBack
		return made, nil
	}), o)
	ids := enqueue(t, q, 2)
	start(t, w)
	require.Eventually(t, func() bool { return w.Stuck() > 0 }, time.Minute, time.Millisecond)
	for _, id := range []string{"d1", "d2", "d3", "d4", "d5"} {
		id, _, err := q.Enqueue(t.Context(), inQueue(id, ""))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	for _, id := range ids[2:] {
		waitState(t, q, id, ledger.Done)
	}
	assert.EqualValues(t, 1, most.Load())
	close(comeBack)
	require.Eventually(t, func() bool { return w.Stuck() == 0 }, time.Minute, time.Millisecond)
}

// A drain ends in its time although attempts hang, and their jobs are released.
func TestDrainEndsThoughAttemptsHang(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	ids := enqueue(t, q, 2)
	o := options()
	o.Grace, o.LeaseTTL, o.LetGo = 50*time.Millisecond, time.Hour, time.Hour
	began, comeBack := make(chan struct{}, 2), make(chan struct{})
	stop := start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		began <- struct{}{}
		<-comeBack
		return made, nil
	}), o))
	<-began
	<-began
	stop() // nothing but Grace bounds it within any test's time
	for _, id := range ids {
		j, err := q.Job(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, ledger.Queued, j.State)
		assert.Zero(t, j.Attempts)
	}
	close(comeBack)
}

// pipes opens every leg as the system does, pipes too.
type pipes struct{ dir string }

func (p pipes) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(p.dir, uri))
}

// A pipe as a leg holds its opener, or whoever reads it, for ever, like a mount
// whose server is gone.
func TestPipeAsALeg(t *testing.T) {
	t.Parallel()
	for name, writer := range map[string]bool{"open hangs": false, "read hangs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fifo := filepath.Join(dir, "agent.wav")
			require.NoError(t, syscall.Mkfifo(fifo, 0o600))
			if writer {
				f, err := os.OpenFile(fifo, os.O_RDWR, 0)
				require.NoError(t, err)
				t.Cleanup(func() { _ = f.Close() })
			} else {
				t.Cleanup(func() { // lets the openers go
					if f, err := os.OpenFile(fifo, os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
						_ = f.Close()
					}
				})
			}
			q := jobLedger(t)
			o := options()
			o.Concurrency, o.JobTimeout, o.LetGo = 1, 50*time.Millisecond, 10*time.Millisecond
			id := enqueue(t, q, 1)[0]
			start(t, worker.New(q, recording.NewProcessor(pipes{dir}, local.NewDirectory(t.TempDir()), nil), o))
			assert.Contains(t, waitState(t, q, id, ledger.Quarantined).LastError, "timed out")
		})
	}
}
