package worker_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ worker.Ledger = (*calldb.DB)(nil)
	_ worker.Ledger = (*memdb.Store)(nil)
)

// jobLedger is a real one, in a file of the test's own.
func jobLedger(t *testing.T) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

func spec(id string) record.Spec {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return record.Spec{
		TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
		StartedAt: start, EndedAt: start.Add(time.Minute),
		Legs:    []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}}},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	}
}

// desk is what the tests ask of a ledger besides.
type desk interface {
	Enqueue(ctx context.Context, r ledger.Request) (callmodel.JobID, bool, error)
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
}

func enqueue(t *testing.T, q desk, n int) []callmodel.JobID {
	t.Helper()
	var ids []callmodel.JobID
	for i := range n {
		id, _, err := q.Enqueue(t.Context(), storetest.RequestOf(spec(fmt.Sprintf("c%d", i))))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// made is what a processor returns that has made the recording.
var made = record.Result{Status: record.StatusCompleted, Outputs: []record.OutputResult{{URL: "mem://x"}}}

type processorFunc func(ctx context.Context, s record.Spec, acceptMissing bool) (record.Result, error)

func (f processorFunc) Process(ctx context.Context, s record.Spec, o *recording.ProcessOptions) (record.Result, error) {
	return f(ctx, s, o.AcceptMissing)
}

func options() *worker.Options {
	return &worker.Options{
		Name: "w1", AllLegs: true, Concurrency: 4, LeaseTTL: 2 * time.Second, Poll: 5 * time.Millisecond,
		RetryBase: time.Millisecond, Grace: 10 * time.Second,
	}
}

// start runs w until the test ends, or stop is called.
func start(t *testing.T, w *worker.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

func waitState(t *testing.T, q desk, id callmodel.JobID, want ledger.State) ledger.Job {
	t.Helper()
	var j ledger.Job
	require.Eventually(t, func() bool {
		var err error
		j, err = q.Job(context.WithoutCancel(t.Context()), id)
		require.NoError(t, err)
		return j.State == want
	}, 60*time.Second, 2*time.Millisecond, "job %s", id)
	return j
}

func TestRunsEveryJobOnce(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	const jobs = 100
	var runs sync.Map
	var most, running atomic.Int64
	p := processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		if _, twice := runs.LoadOrStore(s.RecordingID, true); twice {
			t.Errorf("%s ran twice", s.RecordingID)
		}
		return made, nil
	})
	ids := enqueue(t, q, jobs)
	for i := range 2 {
		o := options()
		o.Name, o.LeaseTTL = fmt.Sprint("w", i), time.Minute // a busy machine's heartbeats are late
		start(t, worker.New(q, p, o))
	}
	for _, id := range ids {
		j := waitState(t, q, id, ledger.Done)
		assert.Equal(t, record.StatusCompleted, storetest.ResultOf(t, &j).Status)
	}
	assert.LessOrEqual(t, most.Load(), int64(8))
	events, err := q.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	assert.Len(t, events, jobs)
}

func TestRingWakesAnIdleWorker(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.Poll = time.Hour
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		return made, nil
	}), o)
	start(t, w)
	require.Eventually(t, func() bool { silent, err := w.Unanswered(); return silent == 0 && err == nil }, 10*time.Second, time.Millisecond)
	id := enqueue(t, q, 1)[0]
	w.Ring()
	waitState(t, q, id, ledger.Done)
}

func TestWhatBecomesOfJobs(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		fail     func(try int64) error
		want     ledger.State
		tries    int64
		attempts int
		message  string
	}{
		"fails twice, then works": {
			fail: func(try int64) error {
				if try < 3 {
					return boom
				}
				return nil
			},
			want: ledger.Done, tries: 3, attempts: 2,
		},
		"poison": {
			fail: func(int64) error { return boom },
			want: ledger.Quarantined, tries: 3, attempts: 3, message: "boom",
		},
		"panics": {
			fail: func(int64) error { panic("oh no") },
			want: ledger.Quarantined, tries: 3, attempts: 3, message: "oh no",
		},
		"permanent": {
			fail: func(int64) error { return callmodel.Permanent(boom) },
			want: ledger.Quarantined, tries: 1, message: "boom",
		},
		"the bucket is down for a while": {
			fail: func(try int64) error {
				if try < 8 {
					return callmodel.RetryAfter(boom, time.Millisecond)
				}
				return nil
			},
			want: ledger.Done, tries: 8, attempts: 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := jobLedger(t)
			var tries atomic.Int64
			p := processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
				return made, c.fail(tries.Add(1))
			})
			id := enqueue(t, q, 1)[0]
			start(t, worker.New(q, p, options()))
			j := waitState(t, q, id, c.want)
			assert.Equal(t, c.tries, tries.Load())
			assert.Contains(t, j.LastError, c.message)
			if c.want == ledger.Done {
				assert.Equal(t, c.attempts, j.Attempts)
			}
		})
	}
}

func TestTimeoutCounts(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.JobTimeout = 20 * time.Millisecond
	id := enqueue(t, q, 1)[0]
	start(t, worker.New(q, processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
		<-ctx.Done()
		return record.Result{}, ctx.Err()
	}), o))
	j := waitState(t, q, id, ledger.Quarantined)
	assert.Contains(t, j.LastError, "timed out after 20ms")
}

func TestUnreadableRecordingIsQuarantinedWithItsDefects(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	id := enqueue(t, q, 1)[0]
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		return record.Result{
			Status: record.StatusQuarantined, Reason: "no leg can be read",
			Defects: []record.Defect{{Code: record.DefectUnsupportedCodec, Leg: "agent", Detail: "format tag 0x0031"}},
		}, nil
	}), options()))
	j := waitState(t, q, id, ledger.Quarantined)
	assert.Contains(t, j.LastError, "no leg can be read; unsupported_codec (leg agent): format tag 0x0031")
}

func TestMissingLegsAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, comes := range map[string]bool{"it comes": true, "it never comes": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := jobLedger(t)
			o := options()
			o.MissingLegWait = 500 * time.Millisecond
			if comes {
				o.MissingLegWait = time.Hour // however slow the machine is
			}
			var tries atomic.Int64
			id := enqueue(t, q, 1)[0]
			start(t, worker.New(q, processorFunc(func(_ context.Context, _ record.Spec, accept bool) (record.Result, error) {
				switch n := tries.Add(1); {
				case accept:
					return record.Result{Status: record.StatusCompletedDegraded}, nil
				case comes && n > 2:
					return made, nil
				}
				return record.Result{}, &recording.LegsNotReadyError{Legs: []string{"agent"}}
			}), o))
			j := waitState(t, q, id, ledger.Done)
			assert.Zero(t, j.Attempts, "waiting doesn't count")
			if comes {
				assert.Equal(t, record.StatusCompleted, storetest.ResultOf(t, &j).Status)
			} else {
				assert.Equal(t, record.StatusCompletedDegraded, storetest.ResultOf(t, &j).Status)
				assert.GreaterOrEqual(t, j.FinishedAt.Sub(j.CreatedAt), 450*time.Millisecond)
			}
		})
	}
}

func TestHeartbeatsKeepALongJob(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	q := jobLedger(t)
	o := options()
	o.LeaseTTL = 2 * time.Second // long enough for a busy machine to send a heartbeat in time
	var runs atomic.Int64
	p := processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
		runs.Add(1)
		select {
		case <-time.After(5 * time.Second):
			return made, nil
		case <-ctx.Done():
			return record.Result{}, ctx.Err()
		}
	})
	id := enqueue(t, q, 1)[0]
	start(t, worker.New(q, p, o))
	start(t, worker.New(q, p, o)) // would take the job over if its lease ended
	waitState(t, q, id, ledger.Done)
	assert.EqualValues(t, 1, runs.Load())
}

// deafQueue loses the heartbeats on their way, like a worker that sleeps.
type deafQueue struct{ *calldb.DB }

func (deafQueue) Extend(_ context.Context, l ledger.Lease, _ time.Duration) (ledger.Lease, error) {
	return l, callmodel.Errorf(callmodel.CodeUnavailable, "the network is down")
}

func TestSleeperLosesAtTheCommit(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	id := enqueue(t, q, 1)[0]
	woken, outcome := make(chan struct{}), make(chan worker.Outcome, 1)
	sleeper := options()
	sleeper.LeaseTTL = 100 * time.Millisecond
	sleeper.Concurrency = 1 // or it would claim its own lost job again, until that is quarantined
	wake := sync.OnceFunc(func() { close(woken) })
	sleeper.Finished = func(r worker.Report) { outcome <- r.Outcome }
	stop := start(t, worker.New(deafQueue{q}, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		<-woken
		return record.Result{Status: record.StatusCompletedDegraded}, nil
	}), sleeper))
	t.Cleanup(wake) // also when the test fails before it wakes the sleeper
	waitState(t, q, id, ledger.Running)
	other := options()
	other.Name = "w2"
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		return made, nil
	}), other))
	waitState(t, q, id, ledger.Done)
	wake()
	assert.Equal(t, worker.Lost, <-outcome)
	stop()
	j, err := q.Job(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, record.StatusCompleted, storetest.ResultOf(t, &j).Status, "the sleeper's result was not committed")
}

func TestDrainFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	ids := enqueue(t, q, 3)
	o := options()
	o.Concurrency = 1
	finish, began := make(chan struct{}), make(chan struct{}, 3)
	stop := start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		began <- struct{}{}
		<-finish
		return made, nil
	}), o))
	<-began
	go func() { close(finish) }()
	stop()
	assert.Equal(t, ledger.Done, waitState(t, q, ids[0], ledger.Done).State)
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	assert.Zero(t, stats.Running, "nothing is left leased")
}

func TestDrainReleasesWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	id := enqueue(t, q, 1)[0]
	o := options()
	o.Grace = 20 * time.Millisecond
	began := make(chan struct{})
	stop := start(t, worker.New(q, processorFunc(func(ctx context.Context, _ record.Spec, _ bool) (record.Result, error) {
		close(began)
		<-ctx.Done()
		return record.Result{}, ctx.Err()
	}), o))
	<-began
	stop()
	j, err := q.Job(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, ledger.Queued, j.State, "released, not left to its lease")
	assert.Zero(t, j.Attempts)
}

// flakyQueue fails its commits a few times, as a database does that restarts.
type flakyQueue struct {
	*calldb.DB

	down atomic.Int64
}

func (f *flakyQueue) Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error {
	if f.down.Add(-1) >= 0 {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	}
	return f.DB.Complete(ctx, l, o)
}

func TestFinishedRecordingWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	q := &flakyQueue{DB: jobLedger(t)}
	q.down.Store(5)
	id := enqueue(t, q, 1)[0]
	var runs atomic.Int64
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		runs.Add(1)
		return made, nil
	}), options()))
	waitState(t, q, id, ledger.Done)
	assert.EqualValues(t, 1, runs.Load(), "it was not made again")
}

func inQueue(id, queue string) ledger.Request {
	r := storetest.RequestOf(spec(id))
	r.Queue = queue
	return r
}

func TestQueuesAreKept(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	mine, _, err := q.Enqueue(t.Context(), inQueue("mine", "pbx1"))
	require.NoError(t, err)
	other, _, err := q.Enqueue(t.Context(), inQueue("other", "pbx2"))
	require.NoError(t, err)
	o := options()
	o.Queues = []string{"pbx1"}
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		return made, nil
	}), o))
	waitState(t, q, mine, ledger.Done)
	j, err := q.Job(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, ledger.Queued, j.State)
}

// A worker takes no job that it doesn't know how to do, and one that can't be read
// takes no other along.
func TestOtherKindsAndDamagedJobs(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	foreign, _, err := q.Enqueue(t.Context(), ledger.Request{Kind: "verify", TenantID: "acme", Key: "c0", Priority: 9, Payload: []byte("{}")})
	require.NoError(t, err)
	damaged := enqueue(t, torn{q}, 1)[0]
	whole, _, err := q.Enqueue(t.Context(), storetest.RequestOf(spec("whole")))
	require.NoError(t, err)
	o := options()
	o.Concurrency = 2 // it claims both at once
	start(t, worker.New(torn{q}, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		return made, nil
	}), o))
	waitState(t, q, whole, ledger.Done)
	j := waitState(t, q, damaged, ledger.Quarantined)
	assert.Equal(t, ledger.Undecodable, j.Reason)
	assert.Contains(t, j.LastError, "the spec of job "+string(damaged))
	assert.Equal(t, 1, j.Attempts)
	j, err = q.Job(t.Context(), foreign)
	require.NoError(t, err)
	assert.Equal(t, ledger.Queued, j.State)
}

// torn is a ledger whose row of the call c0 somebody has damaged.
type torn struct{ *calldb.DB }

func (d torn) Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error) {
	leases, err := d.DB.Claim(ctx, r)
	for i := range leases {
		if leases[i].Job.CallID == "c0" {
			leases[i].Job.Payload = []byte(`"{\"legs\": ["`)
		}
	}
	return leases, err
}
