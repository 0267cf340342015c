package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// order is the payload of the tests' own kind.
type order struct {
	Name string `json:"name"`
}

// kindsOf has one kind, "serve", that do does.
func kindsOf(t *testing.T, do func(ctx context.Context, j *task.Job, o order) (any, error)) task.Kinds {
	t.Helper()
	k, err := task.NewKinds(task.Of("serve", do))
	require.NoError(t, err)
	return k
}

func enqueueOrder(t *testing.T, q desk, key, payload string) callmodel.JobID {
	t.Helper()
	id, created, err := q.Enqueue(t.Context(), ledger.Request{Kind: "serve", TenantID: "acme", Key: key, Payload: json.RawMessage(payload)})
	require.NoError(t, err)
	require.True(t, created)
	return id
}

// never makes a recording: there are none in the test.
var never = processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
	return record.Result{}, errors.New("no recording is to be made")
})

// TestTaskOutcomes: the error tells the fate of a job of any kind.
func TestTaskOutcomes(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		payload  string
		do       func(attempt int64) (any, error)
		state    ledger.State
		attempts int // that count
		runs     int64
		result   string
		says     string
		reason   ledger.Reason
	}{
		"done": {
			do:    func(int64) (any, error) { return order{Name: "tea"}, nil },
			state: ledger.Done, runs: 1, result: `{"name":"tea"}`,
		},
		"done without a result": {do: func(int64) (any, error) { return nil, nil }, state: ledger.Done, runs: 1},
		"done at the second attempt": {
			do: func(n int64) (any, error) {
				if n == 1 {
					return nil, boom
				}
				return 7, nil
			},
			state: ledger.Done, attempts: 1, runs: 2, result: `7`,
		},
		"fails":         {do: func(int64) (any, error) { return nil, boom }, state: ledger.Quarantined, attempts: 3, runs: 3, says: "boom"},
		"panics":        {do: func(int64) (any, error) { panic("oh") }, state: ledger.Quarantined, attempts: 3, runs: 3, says: "panic: oh"},
		"can never":     {do: func(int64) (any, error) { return nil, callmodel.Permanent(boom) }, state: ledger.Quarantined, attempts: 1, runs: 1, says: "boom"},
		"can't be read": {payload: `{"nom":1}`, state: ledger.Quarantined, attempts: 1, says: "payload", reason: ledger.Undecodable},
		"has no JSON":   {do: func(int64) (any, error) { return ledger.Outcome{Result: []byte("{")}, nil }, state: ledger.Quarantined, attempts: 3, runs: 3, says: "not JSON"},
		"sets it aside": {do: func(int64) (any, error) {
			return ledger.Outcome{Quarantine: true, Reason: "ask Ann", Result: []byte("1")}, nil
		}, state: ledger.Quarantined, runs: 1, says: "ask Ann", result: `1`},
		"waits, then has": {
			do: func(n int64) (any, error) {
				if n < 5 {
					return nil, callmodel.RetryAfter(boom, time.Millisecond)
				}
				return "at last", nil
			},
			state: ledger.Done, runs: 5, result: `"at last"`,
		},
		"what it needs is down": {
			do: func(n int64) (any, error) {
				if n == 1 {
					return nil, callmodel.Errorf(callmodel.CodeUnavailable, "the ledger is away")
				}
				return 1, nil
			},
			state: ledger.Done, runs: 2, result: `1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := jobLedger(t)
			var runs atomic.Int64
			o := options()
			o.LeaseTTL = time.Minute
			o.Kinds = kindsOf(t, func(_ context.Context, j *task.Job, p order) (any, error) {
				assert.Equal(t, "tea", p.Name)
				assert.Positive(t, j.Token)
				return c.do(runs.Add(1))
			})
			last := make(chan worker.Report, 10)
			o.Finished = func(r worker.Report) { last <- r }
			if c.payload == "" {
				c.payload = `{"name":"tea"}`
			}
			id := enqueueOrder(t, q, "o1", c.payload)
			stop := start(t, worker.New(q, never, o))
			j := waitState(t, q, id, c.state)
			stop()
			assert.Equal(t, c.runs, runs.Load())
			assert.Equal(t, c.attempts, j.Attempts)
			assert.Equal(t, c.result, string(j.Result))
			assert.Equal(t, c.reason, j.Reason)
			close(last)
			var r worker.Report
			for r = range last {
				assert.Equal(t, "serve", r.Job.Kind)
			}
			if c.state == ledger.Done {
				assert.Equal(t, worker.Done, r.Outcome)
				assert.NoError(t, r.Err)
				assert.Equal(t, c.result, string(r.JSON))
				return
			}
			assert.Equal(t, worker.Quarantined, r.Outcome)
			assert.ErrorContains(t, r.Err, c.says)
			assert.Contains(t, j.LastError, c.says)
		})
	}
}

// TestKindsOfAWorker: a worker takes the jobs of the kinds that it does, and no others.
func TestKindsOfAWorker(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	recording := enqueue(t, q, 1)[0]
	ours := enqueueOrder(t, q, "o1", `{}`)
	stop := start(t, worker.New(q, nil, options()))
	defer stop()
	o := options()
	o.Kinds = kindsOf(t, func(context.Context, *task.Job, order) (any, error) { return nil, nil })
	start(t, worker.New(q, nil, o))
	waitState(t, q, ours, ledger.Done)
	j, err := q.Job(t.Context(), recording)
	require.NoError(t, err)
	require.Equal(t, ledger.Queued, j.State, "nobody has a processor")

	both := options()
	both.Kinds = o.Kinds
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) { return made, nil }), both))
	waitState(t, q, recording, ledger.Done)
}

// deaf is a ledger that hears no heartbeats.
type deaf struct{ worker.Ledger }

func (deaf) Extend(context.Context, ledger.Lease, time.Duration) (ledger.Lease, error) {
	return ledger.Lease{}, errors.New("not heard")
}

// TestTaskLosesItsLease: a worker that was silent for too long commits nothing, and the
// one that took the job over does.
func TestTaskLosesItsLease(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	taken := make(chan struct{})
	o := options()
	o.LeaseTTL, o.Name = 50*time.Millisecond, "slow"
	ended := make(chan worker.Report, 1)
	o.Finished = func(r worker.Report) { ended <- r }
	o.Kinds = kindsOf(t, func(context.Context, *task.Job, order) (any, error) {
		<-taken
		return "late", nil
	})
	id := enqueueOrder(t, q, "o1", `{}`)
	stop := start(t, worker.New(deaf{q}, nil, o))
	waitState(t, q, id, ledger.Running)

	other := options()
	other.LeaseTTL, other.Name = time.Minute, "other"
	other.Kinds = kindsOf(t, func(_ context.Context, j *task.Job, _ order) (any, error) {
		assert.Greater(t, j.Token, int64(1))
		return "first", nil
	})
	start(t, worker.New(q, nil, other))
	waitState(t, q, id, ledger.Done)
	close(taken)
	r := <-ended
	require.Equal(t, worker.Lost, r.Outcome)
	stop()
	j, err := q.Job(t.Context(), id)
	require.NoError(t, err)
	require.JSONEq(t, `"first"`, string(j.Result))
	require.Zero(t, j.Attempts)
}

// TestTaskIsStopped: a job that a person sets aside is stopped, and so is one that a drain
// doesn't wait for.
func TestTaskIsStopped(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.LeaseTTL, o.Grace = 200*time.Millisecond, 10*time.Millisecond
	begun, causes := make(chan struct{}), make(chan error, 1)
	reports := make(chan worker.Report, 1)
	o.Finished = func(r worker.Report) { reports <- r }
	o.Kinds = kindsOf(t, func(ctx context.Context, _ *task.Job, _ order) (any, error) {
		begun <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	})
	id := enqueueOrder(t, q, "o1", `{}`)
	stop := start(t, worker.New(q, nil, o))
	<-begun
	require.NoError(t, q.Quarantine(t.Context(), id, "ann", "not now"))
	require.ErrorIs(t, <-causes, callmodel.ErrLeaseLost)
	require.Equal(t, worker.Lost, (<-reports).Outcome)

	require.NoError(t, q.Retry(t.Context(), id, "ann"))
	<-begun
	go stop()
	require.ErrorContains(t, <-causes, "shutting down")
	require.Equal(t, worker.Released, (<-reports).Outcome)
	j := waitState(t, q, id, ledger.Queued)
	require.Zero(t, j.Attempts)
}

// TestTaskThatHangs: it is let go of, and its place is free.
func TestTaskThatHangs(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.JobTimeout, o.LetGo, o.Concurrency = 20*time.Millisecond, time.Millisecond, 1
	hang := make(chan struct{})
	reports := make(chan worker.Report, 10)
	o.Finished = func(r worker.Report) { reports <- r }
	o.Kinds = kindsOf(t, func(_ context.Context, _ *task.Job, p order) (any, error) {
		if p.Name == "hangs" {
			<-hang
		}
		return nil, nil
	})
	hangs := enqueueOrder(t, q, "o1", `{"name":"hangs"}`)
	w := worker.New(q, nil, o)
	stop := start(t, w)
	r := <-reports
	require.True(t, r.Abandoned)
	require.Equal(t, worker.Failed, r.Outcome)
	require.Equal(t, 1, w.Abandoned())
	waitState(t, q, enqueueOrder(t, q, "o2", `{"name":"doesn't"}`), ledger.Done)
	waitState(t, q, hangs, ledger.Quarantined)
	close(hang)
	stop()
}

// TestTasksWhileTheBucketIsAway: recordings wait for their bucket, and others don't wait
// with them.
func TestTasksWhileTheBucketIsAway(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	var back atomic.Bool
	o := options()
	o.LeaseTTL, o.ProbePause = time.Minute, 20*time.Millisecond
	o.Kinds = kindsOf(t, func(context.Context, *task.Job, order) (any, error) { return nil, nil })
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		if !back.Load() {
			return record.Result{}, callmodel.RetryAfter(&callmodel.BucketAwayError{Bucket: "mem://x", Reason: callmodel.BucketMissing, Err: errors.New("no such bucket")}, 0)
		}
		return made, nil
	}), o)
	recordings := enqueue(t, q, 4)
	start(t, w)
	require.Eventually(t, func() bool { return len(w.BucketsAway()) == 1 }, 30*time.Second, time.Millisecond)
	for i := range 20 {
		waitState(t, q, enqueueOrder(t, q, "o"+string(rune('a'+i)), `{}`), ledger.Done)
	}
	require.Len(t, w.BucketsAway(), 1)
	back.Store(true)
	for _, id := range recordings {
		j := waitState(t, q, id, ledger.Done)
		require.Zero(t, j.Attempts)
	}
}

// TestTaskIsTakenOverFromTheDead: a worker that is killed leaves its job to another.
func TestTaskIsTakenOverFromTheDead(t *testing.T) {
	t.Parallel()
	onBothLedgers(t, func(t *testing.T, at string, q *calldb.DB) {
		id := enqueueOrder(t, q, "o1", `{"name":"tea"}`)
		c := spawn(t, at, 1)
		waitState(t, q, id, ledger.Running)
		require.NoError(t, c.Process.Kill())
		require.Error(t, <-c.ended)
		o := options()
		o.Kinds = kindsOf(t, func(_ context.Context, _ *task.Job, p order) (any, error) { return p.Name, nil })
		start(t, worker.New(q, nil, o))
		j := waitState(t, q, id, ledger.Done)
		require.JSONEq(t, `"tea"`, string(j.Result))
		require.Zero(t, j.Attempts)
		require.False(t, j.Suspect)
	})
}
