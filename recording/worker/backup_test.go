package worker_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest"
)

// home is a scene's bucket, which may be away, and a backup beside it.
type home struct {
	*scene

	away   atomic.Bool
	backup *storage.Store
	made   atomic.Int64 // recordings in the bucket itself
}

func withBackup(t *testing.T, s *scene) *home {
	t.Helper()
	h := &home{scene: s}
	var err error
	h.backup, err = storage.Open(t.Context(), "file://"+filepath.ToSlash(t.TempDir()), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.backup.Close()) })
	s.opts.Backup, s.opts.ProbePause = &backup{recording.NewProcessor(s.r, h.backup, nil), h}, 5*time.Millisecond
	return h
}

func (h *home) fault() error {
	if h.away.Load() {
		return bucketFault(callmodel.BucketMissing)
	}
	return nil
}

// Put implements recording.Objects for the bucket that may be away.
func (h *home) Put(ctx context.Context, k record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if err := h.fault(); err != nil {
		return record.ObjectInfo{}, err
	}
	h.made.Add(1)
	return h.store.Put(ctx, k, m, write)
}

func (h *home) start(t *testing.T) (stop func()) {
	t.Helper()
	return start(t, worker.New(h.open(t), recording.NewProcessor(h.r, h, nil), h.opts))
}

// state waits until the job is as it should be.
func (h *home) state(t *testing.T, as func(j *ledger.Job, r *record.Result) bool) *record.Result {
	t.Helper()
	var r *record.Result
	require.Eventually(t, func() bool {
		j, err := h.q.Job(t.Context(), h.id)
		require.NoError(t, err)
		require.Zero(t, j.Attempts)
		r = storetest.ResultOf(t, &j)
		return r != nil && as(&j, r)
	}, time.Minute, 5*time.Millisecond, "%s", h.log)
	return r
}

func inBackup(_ *ledger.Job, r *record.Result) bool { return r.InBackup }

func isDone(j *ledger.Job, r *record.Result) bool { return j.State == ledger.Done && !r.InBackup }

// left are the objects in the backup.
func (h *home) left(t *testing.T) (keys []string) {
	t.Helper()
	require.NoError(t, h.backup.List(t.Context(), "", func(key string, _ int64) bool { keys = append(keys, key); return true }))
	return keys
}

func (h *home) emptied(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(h.left(t)) == 0 }, time.Minute, 5*time.Millisecond)
}

type backup struct {
	*recording.Processor

	h *home
}

func (b *backup) BringHome(ctx context.Context, key, sha256 string) (string, error) {
	if err := b.h.fault(); err != nil {
		return "", err
	}
	info, err := b.h.store.TakeFrom(ctx, b.h.backup, key, sha256)
	return info.URL, err
}

func (b *backup) Remove(ctx context.Context, key, sha256 string) error {
	return b.h.backup.Remove(ctx, key, sha256)
}

func (b *backup) Bucket() string { return b.h.backup.String() }

// wholeLeg is a call whose leg is whole.
func wholeLeg(t *testing.T) *home {
	t.Helper()
	s := growing(t, samplecall.Agent())
	s.r.idle.Store(true)
	require.NoError(t, os.WriteFile(s.r.path, samplecall.Agent(), 0o600))
	return withBackup(t, s)
}

// A recording that was made while its bucket was away is moved as it is.
func TestMovedFromTheBackup(t *testing.T) {
	t.Parallel()
	h := wholeLeg(t)
	h.away.Store(true)
	h.start(t)
	there := h.state(t, inBackup)
	assert.Len(t, h.left(t), 2)
	assert.Zero(t, h.made.Load())
	h.away.Store(false)
	r := h.state(t, isDone)
	h.onCall(t, r)
	assert.Equal(t, there.Outputs[0].SHA256, r.Outputs[0].SHA256)
	assert.Equal(t, h.store.URL(r.Outputs[0].Key), r.URL())
	h.emptied(t)
	assert.Zero(t, h.made.Load(), "nothing is made twice")
	assert.Equal(t, []bool{true, false}, h.told(t))
	assert.Contains(t, h.log.String(), "a bucket is back")
}

// A worker that was killed when it had moved the recording, and had told nobody, is no
// loss, be it that the backup has it still or not.
func TestMovedFromTheBackupAfterAKill(t *testing.T) {
	t.Parallel()
	for name, removed := range map[string]bool{"copied": false, "copied and removed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := wholeLeg(t)
			h.away.Store(true)
			stop := h.start(t)
			there := h.state(t, inBackup)
			stop()
			for key, sum := range map[string]string{there.Outputs[0].Key: there.Outputs[0].SHA256, there.Manifest.Key: there.Manifest.SHA256} {
				_, err := h.store.TakeFrom(t.Context(), h.backup, key, sum)
				require.NoError(t, err)
				if removed {
					require.NoError(t, h.backup.Remove(t.Context(), key, sum))
				}
			}
			h.away.Store(false)
			h.start(t)
			h.onCall(t, h.state(t, isDone))
			h.emptied(t)
			assert.Zero(t, h.made.Load())
		})
	}
}

// A bucket that has other objects under the recording's keys keeps them: the recording is
// made again, as the next version, with evidence that names it.
func TestBackupAndAnotherObjectAtHome(t *testing.T) {
	t.Parallel()
	h := wholeLeg(t)
	h.away.Store(true)
	h.start(t)
	there := h.state(t, inBackup)
	_, err := h.store.PutNamed(t.Context(), there.Outputs[0].Key, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "another")
		return err
	})
	require.NoError(t, err)
	h.away.Store(false)
	r := h.state(t, isDone)
	assert.Contains(t, r.Outputs[0].Key, ".v2.wav")
	h.onCall(t, r)
	h.emptied(t)
	assert.Equal(t, "another", string(h.object(t, there.Outputs[0].Key)))
}

// A recording whose leg grows still is moved as far as it goes, and followed from there.
func TestGrowingLegInTheBackup(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent())
	s.r.idle.Store(true)
	s.opts.Quiet = time.Hour
	h := withBackup(t, s)
	h.away.Store(true)
	h.start(t)
	first := h.state(t, inBackup)
	require.True(t, first.Has(record.DefectLegGrowing), first.Defects)
	h.away.Store(false)
	moved := h.state(t, func(j *ledger.Job, r *record.Result) bool { return !r.InBackup && j.State != ledger.Done })
	h.onCall(t, moved)
	assert.Equal(t, first.Outputs[0].Key, moved.Outputs[0].Key)
	h.emptied(t)
	require.NoError(t, os.WriteFile(s.r.path, s.r.whole, 0o600))
	old := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(s.r.path, old, old))
	r := h.state(t, isDone)
	assert.Contains(t, r.Outputs[0].Key, ".v2.wav")
	h.onCall(t, r)
	assert.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, h.versions(t))
}

// A recording that is in its bucket already has its next version there alone: in the backup
// it would have the key of the one before.
func TestNextVersionWaitsForItsBucket(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent())
	s.r.idle.Store(true)
	s.opts.Quiet = time.Hour
	h := withBackup(t, s)
	s.opts.ProbePause = 4 * time.Second // it is claimed in between
	h.start(t)
	h.state(t, func(j *ledger.Job, r *record.Result) bool { return j.Published && r.Has(record.DefectLegGrowing) })
	h.away.Store(true)
	require.NoError(t, os.WriteFile(s.r.path, s.r.whole, 0o600))
	old := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(s.r.path, old, old))
	h.state(t, func(j *ledger.Job, r *record.Result) bool { return j.Reason == record.BucketAway && !r.InBackup })
	require.Eventually(t, func() bool { return strings.Contains(h.log.String(), "waits for its own bucket") }, time.Minute, 5*time.Millisecond)
	assert.Empty(t, h.left(t))
	h.away.Store(false)
	r := h.state(t, isDone)
	assert.Contains(t, r.Outputs[0].Key, ".v2.wav")
	h.onCall(t, r)
}

// What is in the backup and can't be found there any more is told, and stays on the call.
func TestLostFromTheBackup(t *testing.T) {
	t.Parallel()
	h := wholeLeg(t)
	h.away.Store(true)
	stop := h.start(t)
	there := h.state(t, inBackup)
	stop()
	require.NoError(t, h.backup.Remove(t.Context(), there.Outputs[0].Key, there.Outputs[0].SHA256))
	h.away.Store(false)
	h.start(t)
	j := waitState(t, h.q, h.id, ledger.Quarantined)
	assert.Contains(t, j.LastError, "moving the recording from the backup bucket")
	assert.True(t, strings.HasPrefix(there.URL(), h.backup.String()))
}

// nowhere is a backup that only says whether things can be moved.
type nowhere struct {
	processorFunc

	mended *atomic.Bool
}

func (n nowhere) BringHome(context.Context, string, string) (string, error) {
	if !n.mended.Load() {
		return "", bucketFault(callmodel.BucketMissing)
	}
	return "s3://recordings/x", nil
}

func (nowhere) Remove(context.Context, string, string) error { return nil }
func (nowhere) Bucket() string                               { return "s3://backup" }

// Where jobs have buckets of their own, those of the one that is away go to the backup, and
// the others to theirs.
func TestBackupOfOneOfTheBuckets(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	o := options()
	o.ProbePause = 20 * time.Millisecond
	o.Bucket = func(s *record.Spec) string { return strings.TrimRight(string(s.CallID), "0123456789") }
	var mended atomic.Bool
	o.Backup = nowhere{func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if !strings.HasPrefix(string(s.CallID), "c") {
			t.Errorf("%s is in the backup, and its bucket isn't away", s.CallID)
		}
		return record.Result{Status: record.StatusCompleted, Outputs: []record.OutputResult{{URL: "s3://backup/x", Key: "x"}}}, nil
	}, &mended}
	w := worker.New(q, processorFunc(func(_ context.Context, s record.Spec, _ bool) (record.Result, error) {
		if strings.HasPrefix(string(s.CallID), "c") && !mended.Load() {
			return record.Result{}, bucketFault(callmodel.BucketMissing)
		}
		return made, nil
	}), o)
	ids := enqueue(t, q, 8)
	start(t, w)
	for _, call := range []string{"d1", "d2", "d3"} {
		id, _, err := q.Enqueue(t.Context(), inQueue(call, ""))
		require.NoError(t, err)
		waitState(t, q, id, ledger.Done)
	}
	for _, id := range ids {
		require.Eventually(t, func() bool {
			j, err := q.Job(t.Context(), id)
			require.NoError(t, err)
			r := storetest.ResultOf(t, &j)
			return r != nil && r.InBackup && j.Attempts == 0
		}, time.Minute, 5*time.Millisecond)
	}
	require.NoError(t, w.Ready())
	mended.Store(true)
	for _, id := range ids {
		j := waitState(t, q, id, ledger.Done)
		assert.False(t, storetest.ResultOf(t, &j).InBackup)
		assert.Zero(t, j.Attempts)
	}
}
