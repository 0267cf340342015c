//go:build unix

package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// deleterOf has the test binary, as deleterDir does, delete and redact recordings, on the
// bucket of that URL.
const deleterOf = "SWITCHTAPE_TEST_DELETER_BUCKET"

// mortalErasures is a ledger whose process is killed before and after what it commits.
type mortalErasures struct {
	*calldb.DB
	*steps
}

func (l mortalErasures) BeginErasure(ctx context.Context, b retention.Begin) (retention.Erasure, error) {
	l.step()
	e, err := l.DB.BeginErasure(ctx, b)
	l.step()
	return e, err
}

func (l mortalErasures) EndErasure(ctx context.Context, found retention.Erasure, worker string) (retention.Erasure, error) {
	l.step()
	e, err := l.DB.EndErasure(ctx, found, worker)
	l.step()
	return e, err
}

func (l mortalErasures) Complete(ctx context.Context, lease ledger.Lease, o ledger.Outcome) error {
	l.step()
	return l.DB.Complete(ctx, lease, o)
}

// mortalBucket deletes one key at a time, so that the process is killed between two.
type mortalBucket struct {
	*storage.Store
	*steps
}

func (b mortalBucket) Erase(ctx context.Context, prefix string, which func(string) bool) (gone []retention.Object, err error) {
	there, err := b.Inventory(ctx, prefix, which)
	if err != nil {
		return nil, err
	}
	for _, o := range there {
		b.step()
		some, err := b.Store.Erase(ctx, prefix, func(key string) bool { return key == o.Key })
		gone = append(gone, some...)
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

func (b mortalBucket) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	b.step()
	return b.Store.Put(ctx, key, m, write)
}

func eraseUntilKilled(dir, step string) error {
	n, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s := &steps{left: n}
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	if err != nil {
		return err
	}
	store, err := storage.Open(ctx, os.Getenv(deleterOf), &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
	if err != nil {
		return err
	}
	backup, err := storage.Open(ctx, fileURL(filepath.Join(dir, "backup")), nil)
	if err != nil {
		return err
	}
	place := mortalPlace{local.NewDir(filepath.Join(dir, "legs")), s}
	on := mortalErasures{db, s}
	e, err := lifecycle.NewEraser(on, lifecycle.EraserOptions{
		Buckets: []lifecycle.Bucket{mortalBucket{store, s}, mortalBucket{backup, s}}, Legs: place,
		Redactor: stored.NewRedactor(stored.NewLibrary(db, mortalBucket{store, s}), place, nil),
	})
	if err != nil {
		return err
	}
	kinds, err := task.NewKinds(e.Kinds()...)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	w := worker.New(on, nil, &worker.Options{
		Name: fmt.Sprint("process-", os.Getpid()), AllLegs: true, Kinds: kinds, LeaseTTL: 200 * time.Millisecond, Poll: 5 * time.Millisecond,
		Finished: func(r worker.Report) {
			if r.Outcome == worker.Done {
				stop()
			}
		},
	})
	return errors.Join(w.Run(running), ctx.Err(), place.Close(), store.Close(), backup.Close(), db.Close())
}

// TestKilledWhileErasing and TestKilledWhileRedacting: a process that is killed at any step
// of a deletion or a redaction leaves it to be repeated to its end: nothing is half gone, and
// it is told once.
func TestKilledWhileErasing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	killedAtEach(t, aDirectory, 1, func(t *testing.T, a *archive) {
		t.Helper()
		a.erase(t, "c1")
	}, func(t *testing.T, a *archive) {
		t.Helper()
		require.Empty(t, there(t, a.home))
	}, outbox.RecordingErased)
}

func TestKilledWhileRedacting(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	killedAtEach(t, aDirectory, 1, redactAll, leftRedacted, outbox.RecordingRedacted)
}

// TestKilledWhileErasingVersions and TestKilledWhileRedactingVersions are the same on S3 with
// versions, where older ones are left for the next process to find. They take fewer steps.
func TestKilledWhileErasingVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	killedAtEach(t, versions(t), 3, func(t *testing.T, a *archive) {
		t.Helper()
		a.erase(t, "c1")
	}, func(t *testing.T, a *archive) {
		t.Helper()
		require.Empty(t, there(t, a.home))
	}, outbox.RecordingErased)
}

func TestKilledWhileRedactingVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	killedAtEach(t, versions(t), 4, redactAll, leftRedacted, outbox.RecordingRedacted)
}

// aBucket is the URL of a bucket for a directory's test, and what makes an older version of an
// object there; nil in a bucket without versions.
type aBucket func(dir string) (at string, overwrite func(t testing.TB, key, text, sha256 string))

func aDirectory(dir string) (string, func(testing.TB, string, string, string)) {
	return fileURL(filepath.Join(dir, "bucket")), nil
}

// versions is one bucket of S3 with versions for all tests.
func versions(t *testing.T) aBucket {
	t.Helper()
	s := buckettest.S3Versions(t)
	s.Setenv(t)
	return func(string) (string, func(testing.TB, string, string, string)) { return s.URL, s.Overwrite }
}

func redactAll(t *testing.T, a *archive) {
	t.Helper()
	r, err := erasure.RedactionJob(a.job(t, record.Kind, "c1"), []record.Redaction{{From: redactFrom, To: redactTo}}, "a number", "ann")
	require.NoError(t, err)
	a.enqueue(t, r)
}

func leftRedacted(t *testing.T, a *archive) {
	t.Helper()
	now := a.made(t, "c1")
	require.Len(t, there(t, a.home), len(now.Outputs)+1, "and its manifest")
	a.heard(t, now, true)
}

// killedAtEach kills a process at every so many steps.
func killedAtEach(t *testing.T, bucketOf aBucket, every int, order, end func(t *testing.T, a *archive), event string) {
	t.Helper()
	// The last step is the one at which a process isn't killed any more.
	for step := 0; ; step += every {
		killed := false
		if !t.Run(strconv.Itoa(step), func(t *testing.T) {
			dir := t.TempDir()
			bucket, overwrite := bucketOf(dir)
			a := newArchive(t, dir, bucket)
			a.ended(t, "c1", record.OutputSpec{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000})
			a.work(t)
			r := a.made(t, "c1")
			_, err := a.backup.TakeFrom(t.Context(), a.home, r.Outputs[0].Key, r.Outputs[0].SHA256)
			require.NoError(t, err)
			if overwrite != nil {
				overwrite(t, r.Outputs[0].Key, "somebody else's", "")
			}
			order(t, a)
			process := func(at int) error {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
				cmd.Env = append(os.Environ(), deleterDir+"="+dir, deleterOf+"="+bucket, deleterStep+"="+strconv.Itoa(at))
				cmd.Stderr = os.Stderr
				return cmd.Run()
			}
			if err := process(step); err != nil {
				dead, ok := errors.AsType[*exec.ExitError](err)
				require.True(t, ok)
				status, ok := dead.Sys().(syscall.WaitStatus)
				require.True(t, ok)
				require.Equal(t, syscall.SIGKILL, status.Signal())
				killed = true
				require.NoError(t, process(1000))
			}
			end(t, a)
			require.Empty(t, there(t, a.backup))
			require.False(t, exists(t, filepath.Join(a.legs, "c1", "agent.wav")))
			require.False(t, exists(t, filepath.Join(a.legs, "c1", "customer.wav")))
			list, err := a.db.Erasures(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, retention.Done, list[0].State)
			found := false
			for _, o := range list[0].Objects {
				found = found || o.Key == r.Outputs[0].Key && o.SHA256 == r.Outputs[0].SHA256
			}
			require.True(t, found, "what was where is known, whoever has deleted it")
			events, err := a.db.OutboxEvents(t.Context(), 0, 1000)
			require.NoError(t, err)
			told := 0
			for _, e := range events {
				if e.Type == event {
					told++
				}
			}
			require.Equal(t, 1, told)
			require.Empty(t, a.mismatches(t).Found)
			_, err = a.home.Erase(t.Context(), "", func(string) bool { return true }) // for the next step
			require.NoError(t, err)
		}) || !killed {
			break
		}
		require.Less(t, step, 40)
	}
}
