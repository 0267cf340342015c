package worker_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/worker"
)

// A recording that is in its bucket while the ledger doesn't answer is committed by the
// worker that is started in the place of one that ended meanwhile, and not made again;
// unless what was noted of it can't be read.
func TestFinishedRecordingOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(file string) error
		runs   int64
	}{
		"whole":   {func(string) error { return nil }, 1},
		"cut":     {func(file string) error { return os.Truncate(file, 20) }, 2},
		"emptied": {func(file string) error { return os.Truncate(file, 0) }, 2},
		"another job's": {func(file string) error {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			b[len(`{"job_id":"`)+1] ^= 1
			return os.WriteFile(file, b, 0o600)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := &flakyQueue{DB: jobLedger(t)}
			q.down.Store(1 << 40)
			id := enqueue(t, q, 1)[0]
			var runs atomic.Int64
			p := processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
				runs.Add(1)
				return made, nil
			})
			o := options()
			o.FinishedDir, o.Grace = filepath.Join(t.TempDir(), "finished"), time.Millisecond
			stop := start(t, worker.New(q, p, o))
			var notes []string
			require.Eventually(t, func() bool {
				notes, _ = filepath.Glob(filepath.Join(o.FinishedDir, "*.json"))
				return len(notes) == 1
			}, 30*time.Second, time.Millisecond)
			stop()
			require.NoError(t, c.damage(notes[0]))
			q.down.Store(0)
			start(t, worker.New(q, p, o))
			j := waitState(t, q, id, ledger.Done)
			require.NotEmpty(t, j.Result)
			require.Zero(t, j.Attempts)
			require.Equal(t, c.runs, runs.Load())
			require.Eventually(t, func() bool {
				left, err := os.ReadDir(o.FinishedDir)
				return err == nil && len(left) == 0
			}, 30*time.Second, time.Millisecond)
		})
	}
}

// A directory that can't be used costs nothing but the work, should the worker end.
func TestFinishedRecordingThatCantBeNoted(t *testing.T) {
	t.Parallel()
	q := &flakyQueue{DB: jobLedger(t)}
	q.down.Store(3)
	id := enqueue(t, q, 1)[0]
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	o := options()
	o.FinishedDir = file
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) { return made, nil }), o))
	waitState(t, q, id, ledger.Done)
}
