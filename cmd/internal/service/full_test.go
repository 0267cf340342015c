package service_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/storetest/smalldisk"
)

// While the disk of the bucket is full no job is claimed but to probe it, none is counted,
// the worker isn't ready, and nothing of a recording is left on it. When there is room they
// are made.
func TestFullBucket(t *testing.T) {
	t.Parallel()
	smalldisk.Run(t, 16, func(t *testing.T, small string) {
		t.Helper()
		bucket := filepath.Join(small, "bucket")
		w := startWorkerOn(t, service.BucketOptions{Bucket: "file://" + bucket}, service.WorkerOptions{})
		filler := fillDisk(t, small)
		ids := w.enqueue(t, 6)
		w.notReady(t, "bucket file://"+bucket+" has been away since", "(full)")
		require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "recording waits") }, time.Minute, 10*time.Millisecond)
		w.unharmed(t, ids)
		assert.Empty(t, objectsIn(t, bucket), "nothing is left of an attempt")
		require.NoError(t, os.Remove(filler))
		w.made(t, ids)
		assert.Equal(t, 1, strings.Count(w.log.String(), "level=ERROR"), w.log.String())
	})
}

// Below the reserve on the spool's disk nothing is begun at all.
func TestSpoolReserve(t *testing.T) {
	t.Parallel()
	smalldisk.Run(t, 4, func(t *testing.T, small string) {
		t.Helper()
		filler := filepath.Join(small, "filler")
		require.NoError(t, os.WriteFile(filler, make([]byte, 3<<20), 0o600))
		w := startWorkerOn(t, service.BucketOptions{Bucket: "file://" + t.TempDir(), SpoolDir: small}, service.WorkerOptions{SpoolReserve: "2MiB"})
		w.notReady(t, "the disk of "+small+" has", "less than its reserve of 2097152")
		ids := w.enqueue(t, 3)
		for range 20 {
			w.unharmed(t, ids)
		}
		_, metrics := w.get("/metrics")
		assert.Contains(t, metrics, "switchtape_spool_disk_free_bytes 1.04")
		assert.NotRegexp(t, `switchtape_recording_attempts_total\{.*\} [1-9]`, metrics)
		require.NoError(t, os.Remove(filler))
		w.made(t, ids)
	})
	for _, size := range []string{"0", "100%", "x"} {
		s := &service.Stores{}
		_, _, err := service.NewWorker(t.Context(), s, service.WorkerOptions{Legs: t.TempDir(), SpoolReserve: size}, nil, ops.NewMetrics(), slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "--spool-reserve")
	}
}

// fillDisk leaves no room on the disk, and returns the file that takes it.
func fillDisk(t *testing.T, disk string) string {
	t.Helper()
	filler := filepath.Join(disk, "filler")
	require.Error(t, os.WriteFile(filler, make([]byte, 32<<20), 0o600), "the disk is full now")
	return filler
}

func (w *runningWorker) notReady(t *testing.T, why ...string) {
	t.Helper()
	require.Eventually(t, func() bool {
		code, body := w.get("/readyz")
		for _, s := range why {
			if !strings.Contains(body, s) {
				return false
			}
		}
		return code == http.StatusServiceUnavailable
	}, time.Minute, 10*time.Millisecond)
}

// unharmed says that the jobs wait, uncounted.
func (w *runningWorker) unharmed(t *testing.T, ids []callmodel.JobID) {
	t.Helper()
	for _, id := range ids {
		j, _ := w.resultOf(t, id)
		assert.NotEqual(t, ledger.Quarantined, j.State)
		assert.Zero(t, j.Attempts)
	}
}

// made waits until the jobs are done.
func (w *runningWorker) made(t *testing.T, ids []callmodel.JobID) {
	t.Helper()
	for _, id := range ids {
		require.Eventually(t, func() bool {
			j, _ := w.resultOf(t, id)
			return j.State == ledger.Done && j.Attempts == 0
		}, time.Minute, 10*time.Millisecond, w.log)
	}
	code, body := w.get("/readyz")
	assert.Equal(t, http.StatusOK, code, body)
}
