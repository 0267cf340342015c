package service_test

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// besides is the URL of another bucket of the server.
func besides(t *testing.T, srv *buckettest.Server) string {
	t.Helper()
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(srv.Dir), "backup"), 0o750))
	return strings.Replace(srv.URL, "://recordings", "://backup", 1)
}

// resultOf is what a recording job came to so far, with its state.
func (w *runningWorker) resultOf(t *testing.T, id callmodel.JobID) (ledger.Job, *record.Result) {
	t.Helper()
	j, err := w.stores.DB.Job(t.Context(), id)
	require.NoError(t, err)
	return j, storetest.ResultOf(t, &j)
}

// While the bucket is away recordings are in the backup, where their calls' URLs lead, and
// the worker is ready. When the bucket is back they are moved, and the backup is empty.
func TestBackupBucket(t *testing.T) {
	for name, answer := range map[string]*func(http.ResponseWriter){
		"expired keys": refuse(http.StatusForbidden, "ExpiredToken", ""),
		"throttled":    refuse(http.StatusServiceUnavailable, "SlowDown", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			srv := buckettest.S3(t)
			srv.Setenv(t)
			d, at := before(t, srv)
			w := startWorkerOn(t, service.BucketOptions{Bucket: at, BackupBucket: besides(t, srv)}, service.WorkerOptions{})
			d.closed.Store(answer)
			ids := w.enqueue(t, 8)
			for _, id := range ids {
				require.Eventually(t, func() bool {
					j, r := w.resultOf(t, id)
					return j.Published && j.State != ledger.Done && r.InBackup && strings.HasPrefix(r.URL(), "s3://backup/acme/")
				}, time.Minute, 20*time.Millisecond)
			}
			code, body := w.get("/readyz")
			assert.Equal(t, http.StatusOK, code, body)
			_, metrics := w.get("/metrics")
			assert.Regexp(t, `switchtape_bucket_away_seconds\{bucket="s3://recordings"\} \S*[1-9]`, metrics)
			assert.Contains(t, metrics, `switchtape_bucket_away_seconds{bucket="s3://backup"} 0`)
			_, r := w.resultOf(t, ids[0])
			there, err := w.stores.Objects.Open(t.Context(), r.Outputs[0].Key)
			require.NoError(t, err, "it is served from the backup")
			inBackup, err := io.ReadAll(there)
			require.NoError(t, err)
			require.NoError(t, there.Close())
			assert.Len(t, inBackup, int(r.Outputs[0].Bytes))
			link, err := w.stores.Objects.SignedURL(t.Context(), r.Outputs[0].Key, time.Minute)
			require.NoError(t, err)
			assert.Contains(t, link, "/backup/")

			d.closed.Store(nil)
			for _, id := range ids {
				require.Eventually(t, func() bool {
					j, r := w.resultOf(t, id)
					return j.State == ledger.Done && j.Attempts == 0 && !r.InBackup && strings.HasPrefix(r.URL(), "s3://recordings/acme/")
				}, time.Minute, 20*time.Millisecond)
				_, r := w.resultOf(t, id)
				sum, err := w.stores.Objects.SHA256(t.Context(), r.Outputs[0].Key)
				require.NoError(t, err)
				assert.Equal(t, r.Outputs[0].SHA256, sum)
				assert.True(t, strings.HasPrefix(r.Manifest.URL, "s3://recordings/acme/"), r.Manifest.URL)
			}
			require.Eventually(t, func() bool { return len(objectsIn(t, filepath.Join(filepath.Dir(srv.Dir), "backup"))) == 0 }, time.Minute, 20*time.Millisecond)
			assert.Len(t, objectsIn(t, srv.Dir), 2*len(ids), "each once, with its manifest")
			assert.Equal(t, 1, strings.Count(w.log.String(), "level=ERROR"), w.log.String())
			assert.Equal(t, 1, strings.Count(w.log.String(), "a bucket is back"), w.log.String())
		})
	}
}

// While the backup is away, too, recordings wait, and the first of both that is back gets
// them.
func TestBackupIsAwayToo(t *testing.T) {
	for name, c := range map[string]struct{ opens, at string }{
		"the bucket is back first": {"bucket", "s3://recordings/"},
		"the backup is back first": {"backup", "s3://backup/"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := buckettest.S3(t)
			srv.Setenv(t)
			other := besides(t, srv)
			bucket, at := before(t, srv)
			backup, otherAt := before(t, &buckettest.Server{URL: other})
			w := startWorkerOn(t, service.BucketOptions{Bucket: at, BackupBucket: otherAt}, service.WorkerOptions{})
			for _, d := range []*door{bucket, backup} {
				d.closed.Store(refuse(http.StatusForbidden, "ExpiredToken", ""))
			}
			ids := w.enqueue(t, 8)
			require.Eventually(t, func() bool {
				code, body := w.get("/readyz")
				return code == http.StatusServiceUnavailable && strings.Contains(body, "bucket s3://recordings has been away") && strings.Contains(body, "bucket s3://backup has been away")
			}, time.Minute, 20*time.Millisecond)
			map[string]*door{"bucket": bucket, "backup": backup}[c.opens].closed.Store(nil)
			for _, id := range ids {
				require.Eventually(t, func() bool {
					j, r := w.resultOf(t, id)
					return r != nil && strings.HasPrefix(r.URL(), c.at) && j.Attempts == 0
				}, time.Minute, 20*time.Millisecond)
			}
			code, body := w.get("/readyz")
			assert.Equal(t, http.StatusOK, code, body)
		})
	}
}

// objectsIn are the objects in a server's directory.
func objectsIn(t *testing.T, dir string) (keys []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(p, "acme") {
			keys = append(keys, p)
		}
		return err
	}))
	return keys
}

func TestBackupThatIsTheBucket(t *testing.T) {
	t.Parallel()
	dir := "file://" + t.TempDir()
	var s service.Stores
	err := s.OpenBucket(t.Context(), nil, service.BucketOptions{Bucket: dir, BackupBucket: dir}, nil)
	require.ErrorContains(t, err, "--backup-bucket")
	require.NoError(t, s.Close())
}

// Several processes move what was left at once, and none is stopped by what another was
// faster with.
func TestSeveralMoveWhatIsLeft(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	var s service.Stores
	require.NoError(t, s.OpenBucket(t.Context(), service.Buckets{s3.Driver()}, service.BucketOptions{Bucket: srv.URL, BackupBucket: besides(t, srv)}, nil))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	const objects = 60
	for i := range objects {
		_, err := s.Backup.Put(t.Context(), record.ObjectKey{
			TenantID: "acme", CallID: "c1", RecordingID: callmodel.RecordingID(fmt.Sprint("r", i)), StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
		}, record.ObjectMeta{}, func(w io.Writer) error { _, err := io.WriteString(w, "left"); return err })
		require.NoError(t, err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, err := s.MoveLeft(t.Context(), time.Now().Add(time.Hour))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.Len(t, objectsIn(t, srv.Dir), objects)
	assert.Empty(t, objectsIn(t, filepath.Join(filepath.Dir(srv.Dir), "backup")))
}

// What was left in the backup is moved home when it is old, and what home has otherwise
// stays.
func TestLeftInTheBackup(t *testing.T) {
	t.Parallel()
	var s service.Stores
	require.NoError(t, s.OpenBucket(t.Context(), nil, service.BucketOptions{Bucket: "file://" + t.TempDir(), BackupBucket: "file://" + t.TempDir()}, nil))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	put := func(to *storage.Store, id callmodel.RecordingID, text string) string {
		key := record.ObjectKey{TenantID: "acme", CallID: "c1", RecordingID: id, StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Version: 1, Ext: "wav"}
		info, err := to.Put(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		require.NoError(t, err)
		return info.Key.String()
	}
	moved, same, other := put(s.Backup, "r1", "moved"), put(s.Backup, "r2", "same"), put(s.Backup, "r3", "other")
	put(s.Objects, "r2", "same")
	put(s.Objects, "r3", "another")
	n, err := s.MoveLeft(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, n, "it is new")
	n, err = s.MoveLeft(t.Context(), time.Now().Add(time.Hour))
	require.ErrorContains(t, err, other)
	assert.Equal(t, 2, n)
	for _, key := range []string{moved, same} {
		_, err := s.Backup.Stat(t.Context(), key)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = s.Objects.Stat(t.Context(), key)
		require.NoError(t, err)
	}
	_, err = s.Backup.Stat(t.Context(), other)
	require.NoError(t, err)
}

// A recording that was set aside in the backup, and moved home from there, has its own
// bucket's URL when its job is retried.
func TestSetAsideInTheBackup(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	d, at := before(t, srv)
	w := startWorkerOn(t, service.BucketOptions{Bucket: at, BackupBucket: besides(t, srv)}, service.WorkerOptions{})
	d.closed.Store(refuse(http.StatusForbidden, "ExpiredToken", ""))
	id := w.enqueue(t, 1)[0]
	require.Eventually(t, func() bool {
		j, r := w.resultOf(t, id)
		return j.Published && r.InBackup
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, w.stores.DB.Quarantine(t.Context(), id, "op", "set aside"))
	d.closed.Store(nil)
	require.Eventually(t, func() bool {
		_, err := w.stores.MoveLeft(t.Context(), time.Now().Add(time.Hour))
		return err == nil
	}, time.Minute, 20*time.Millisecond)

	bucket, backup := w.stores.Compared()
	compare := func() reconcile.Report {
		r, err := reconcile.Run(t.Context(), w.stores.DB, bucket, t.TempDir(), &reconcile.Options{Backup: backup})
		require.NoError(t, err)
		return r
	}
	assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectMovedHome: 2}, compare().Found, "the recording and its manifest")
	require.NoError(t, w.stores.DB.Retry(t.Context(), id, "op"))
	require.Eventually(t, func() bool {
		j, r := w.resultOf(t, id)
		return j.State == ledger.Done && !r.InBackup && strings.HasPrefix(r.URL(), "s3://recordings/acme/")
	}, time.Minute, 20*time.Millisecond)
	assert.Empty(t, compare().Found)
}
