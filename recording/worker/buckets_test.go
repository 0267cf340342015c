package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
)

// bucketFault is what a storage.Store returns of a bucket that can't be used.
func bucketFault(reason callmodel.BucketReason, after ...time.Duration) error {
	var asked time.Duration
	if len(after) > 0 {
		asked = after[0]
	}
	return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable, "%w",
		&callmodel.BucketAwayError{Bucket: "s3://recordings", Reason: reason, RetryAfter: asked, Err: errors.New("as it is")}), asked)
}

// A bucket that is away costs no job anything: there is one alarm, the worker isn't
// ready, one job at a time probes it, and all is done once it is back.
func TestBucketIsAway(t *testing.T) {
	t.Parallel()
	for _, reason := range []callmodel.BucketReason{
		callmodel.BucketMissing, callmodel.BucketForbidden, callmodel.BucketFull, callmodel.BucketSpool,
		callmodel.BucketUnreachable, callmodel.BucketThrottled, callmodel.BucketRefused,
	} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			q := jobLedger(t)
			log := &logBuffer{}
			o := options()
			o.ProbePause, o.LeaseTTL, o.Logger = 2*time.Millisecond, time.Minute, slog.New(slog.NewTextHandler(log, nil))
			var mended atomic.Bool
			var tries, running, most atomic.Int64
			told := make(chan outbox.Bucket, 10)
			o.BucketChanged = func(ctx context.Context, b outbox.Bucket) error {
				_, bounded := ctx.Deadline()
				assert.True(t, bounded)
				told <- b
				return errors.New("the database is away, too") // which stops nothing
			}
			var w *worker.Worker
			w = worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
				n := running.Add(1)
				defer running.Add(-1)
				if mended.Load() {
					return made, nil
				}
				if tries.Add(1) > int64(o.Concurrency) && len(w.BucketsAway()) > 0 {
					most.Store(max(most.Load(), n))
				}
				return record.Result{}, bucketFault(reason, time.Millisecond)
			}), o)
			require.NoError(t, w.Ready())
			ids := enqueue(t, q, 12)
			start(t, w)
			require.Eventually(t, func() bool { return tries.Load() > 10 }, time.Minute, time.Millisecond)
			require.Eventually(t, func() bool { return w.Ready() != nil }, time.Minute, time.Millisecond)
			require.ErrorContains(t, w.Ready(), "bucket s3://recordings has been away since ")
			require.ErrorContains(t, w.Ready(), "("+string(reason)+")")
			assert.EqualValues(t, 1, most.Load(), "one probe at a time")
			assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "one alarm: %s", log)

			mended.Store(true)
			for _, id := range ids {
				assert.Zero(t, waitState(t, q, id, ledger.Done).Attempts, "uncounted")
			}
			assert.NoError(t, w.Ready())
			assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"))
			assert.Equal(t, 1, strings.Count(log.String(), "a bucket is back: a recording was stored"), log)
			for _, kind := range []string{outbox.BucketAway, outbox.BucketBack} {
				b := <-told
				assert.Equal(t, kind, b.Type())
				assert.Equal(t, "s3://recordings", b.Bucket)
				assert.Equal(t, reason, b.Reason)
				assert.False(t, b.Since.IsZero())
				assert.Equal(t, []callmodel.TenantID{"acme"}, b.Tenants)
			}
			assert.Empty(t, told)
		})
	}
}

// Before a job probes a bucket that is away the worker looks at it, and claims
// nothing while the look finds it away.
func TestAwayBucketIsLookedAt(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.ProbePause, o.Concurrency = time.Millisecond, 1
	var looks, tries atomic.Int64
	var there atomic.Bool
	o.Probe = func(context.Context) error {
		looks.Add(1)
		if there.Load() {
			return nil
		}
		return bucketFault(callmodel.BucketMissing)
	}
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		tries.Add(1)
		return record.Result{}, bucketFault(callmodel.BucketMissing)
	}), o)
	enqueue(t, q, 5)
	start(t, w)
	require.Eventually(t, func() bool { return looks.Load() > 10 }, time.Minute, time.Millisecond)
	assert.EqualValues(t, 1, tries.Load(), "no job is claimed to find out what the worker can see")
	there.Store(true)
	require.Eventually(t, func() bool { return tries.Load() > 1 }, time.Minute, time.Millisecond)
}

// Where jobs have buckets of their own, those of another go on: the ones whose bucket
// is away are put back, uncounted, without work.
func TestOtherBucketsGoOn(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.ProbePause = 20 * time.Millisecond
	o.Bucket = func(s *record.Spec) string { return strings.TrimRight(string(s.CallID), "0123456789") }
	var mended atomic.Bool
	var tries, running, most atomic.Int64
	w := worker.New(q, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if !strings.HasPrefix(string(s.CallID), "c") || mended.Load() {
			return made, nil
		}
		n := running.Add(1)
		defer running.Add(-1)
		if tries.Add(1) > int64(o.Concurrency) {
			most.Store(max(most.Load(), n))
		}
		return record.Result{}, bucketFault(callmodel.BucketMissing)
	}), o)
	away := enqueue(t, q, 12)
	start(t, w)
	require.Eventually(t, func() bool { return len(w.BucketsAway()) == 1 }, time.Minute, time.Millisecond)
	for _, call := range []string{"d1", "d2", "d3", "d4", "d5"} {
		id, _, err := q.Enqueue(t.Context(), inQueue(call, ""))
		require.NoError(t, err)
		waitState(t, q, id, ledger.Done)
	}
	require.NoError(t, w.Ready(), "it has work that it can do")
	require.Eventually(t, func() bool { return tries.Load() > int64(o.Concurrency)+3 }, time.Minute, time.Millisecond)
	assert.EqualValues(t, 1, most.Load(), "one probe at a time")
	for _, id := range away {
		j, err := q.Job(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, record.BucketAway, j.Reason)
	}
	mended.Store(true)
	for _, id := range away {
		assert.Zero(t, waitState(t, q, id, ledger.Done).Attempts)
	}
	assert.Empty(t, w.BucketsAway())
}

// A bucket that refuses one object and takes the others isn't at fault: that job is
// set aside, and the rest go on.
func TestOneObjectRefused(t *testing.T) {
	t.Parallel()
	for _, reason := range []callmodel.BucketReason{callmodel.BucketForbidden, callmodel.BucketRefused} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			q := jobLedger(t)
			o := options()
			o.ProbePause, o.Concurrency = time.Millisecond, 1
			start(t, worker.New(q, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
				if s.CallID == "c0" {
					return record.Result{}, bucketFault(reason, time.Millisecond)
				}
				return made, nil
			}), o))
			ids := enqueue(t, q, 2)
			waitState(t, q, ids[1], ledger.Done)
			// Others go through while it is tried again.
			for i := 0; ; i++ {
				id, _, err := q.Enqueue(t.Context(), inQueue("more"+string(rune('a'+i%26))+string(rune('a'+i/26%26)), ""))
				require.NoError(t, err)
				waitState(t, q, id, ledger.Done)
				j, err := q.Job(t.Context(), ids[0])
				require.NoError(t, err)
				if j.State == ledger.Quarantined {
					assert.Contains(t, j.LastError, "refuses this recording and takes others")
					return
				}
				require.Less(t, i, 500)
			}
		})
	}
}

// A bucket that asks to be left alone for a while is, by all jobs, and without an
// alarm if that is all.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.Concurrency = 1
	const asked = 400 * time.Millisecond
	var first atomic.Int64
	began := time.Now()
	waited := make(chan time.Duration, 10)
	w := worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		if first.CompareAndSwap(0, int64(time.Since(began))) {
			return record.Result{}, bucketFault(callmodel.BucketThrottled, asked)
		}
		waited <- time.Since(began) - time.Duration(first.Load())
		return made, nil
	}), o)
	ids := enqueue(t, q, 3)
	start(t, w)
	for range ids {
		assert.GreaterOrEqual(t, <-waited, asked)
	}
	for _, id := range ids {
		assert.Zero(t, waitState(t, q, id, ledger.Done).Attempts)
	}
}
