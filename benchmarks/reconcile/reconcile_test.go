//go:build linux

package reconcile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/recording/reconcile/reconciletest"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// from is a number of the environment, or n.
func from(b *testing.B, name string, n int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err, name)
	return n
}

// cpu is the processor time that this process has used, in seconds.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// resident is this process's memory in MiB, at the most since the last forget.
func resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, line, found := strings.Cut(string(text), "VmHWM:")
	require.True(b, found)
	kib, err := strconv.Atoi(strings.Fields(line)[0])
	require.NoError(b, err)
	return float64(kib) / 1024
}

// forget has the memory's peak counted from now on; see proc(5).
func forget(b *testing.B) {
	b.Helper()
	require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600))
}

// compare is a comparison, and what it took.
func compare(b *testing.B, l reconcile.Ledger, v *reconciletest.Vast) {
	b.Helper()
	dir := b.TempDir()
	disk, steps := int64(0), 0
	o := &reconcile.Options{Kept: func(reconcile.Report) {
		if steps++; steps%10 != 0 {
			return
		}
		now := int64(0)
		files, err := os.ReadDir(dir)
		require.NoError(b, err)
		for _, f := range files {
			if info, err := f.Info(); err == nil {
				now += info.Size()
			}
		}
		disk = max(disk, now)
	}}
	forget(b)
	used := cpu(b)
	b.ResetTimer()
	r, err := reconcile.Run(b.Context(), l, v, dir, o)
	b.StopTimer()
	require.NoError(b, err)
	missing, unknown := v.Mismatches()
	require.Equal(b, map[reconcile.Kind]int64{reconcile.ObjectMissing: missing, reconcile.ObjectUnknown: unknown}, r.Found)
	require.EqualValues(b, v.N, r.Jobs)
	require.Equal(b, int64(v.N)-missing+unknown, r.Objects)
	took := b.Elapsed().Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took, "s")
	b.ReportMetric((cpu(b)-used)/float64(v.N)*1e6, "cpu-us/object")
	b.ReportMetric(float64(v.N)/took, "objects/s")
	b.ReportMetric(resident(b), "peak-MiB")
	b.ReportMetric(float64(disk)/(1<<20), "disk-MiB")
}

// BenchmarkVast compares a ledger and a bucket that are made up as they are asked for: a
// million recordings, RECONCILE_OBJECTS for another number. Making them up is in its time:
// some third of it.
func BenchmarkVast(b *testing.B) {
	compareOnce(b, func() {
		v := &reconciletest.Vast{N: from(b, "RECONCILE_OBJECTS", 1_000_000), Missing: 100_000, Unknown: 150_000}
		compare(b, v, v)
	})
}

// compareOnce runs do once, whatever b.N is.
func compareOnce(b *testing.B, do func()) {
	b.Helper()
	if b.N > 1 {
		b.Skip("give -benchtime 1x")
	}
	do()
}

// BenchmarkLedger compares a real ledger with a bucket that is made up: 20,000 recordings with
// their calls' entries and their events in the outbox, RECONCILE_JOBS for another number.
func BenchmarkLedger(b *testing.B) {
	for name, at := range map[string]func() string{
		"sqlite":   func() string { return calldb.SQLiteURL(filepath.Join(b.TempDir(), "l.db")) },
		"postgres": func() string { return pgtest.URL(b) },
	} {
		b.Run(name, func(b *testing.B) {
			compareOnce(b, func() {
				db, err := calldb.Open(b.Context(), at(), &calldb.Options{MaxConns: 16})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, db.Close()) })
				_, err = db.Migrate(b.Context())
				require.NoError(b, err)
				v := &reconciletest.Vast{N: from(b, "RECONCILE_JOBS", 20_000), Missing: 5_000, Unknown: 7_000}
				fill(b, db, v)
				compare(b, db, v)
			})
		})
	}
}

// fill puts the recordings in the ledger, as done.
func fill(b *testing.B, db *calldb.DB, v *reconciletest.Vast) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Minute)
	defer cancel()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for j := int(next.Add(1)) - 1; j < v.N && ctx.Err() == nil; j = int(next.Add(1)) - 1 {
				if err := adopt(ctx, db, v, j); err != nil {
					b.Error(err)
					cancel()
				}
			}
		})
	}
	all.Wait()
	require.False(b, b.Failed())
}

func adopt(ctx context.Context, db *calldb.DB, v *reconciletest.Vast, j int) error {
	id, key, bytes, sum := v.Object(j)
	k, ok := record.ParseObjectKey(key)
	if !ok {
		return fmt.Errorf("%q is no key of a recording", key)
	}
	s, res := storetest.Spec(id), storetest.Result(id)
	s.StartedAt, s.CallID, s.RecordingID = k.StartedAt, callmodel.CallID(id), k.RecordingID
	s.EndedAt = s.StartedAt.Add(time.Minute)
	o := &res.Outputs[0]
	o.Key, o.Bytes, o.SHA256, o.URL = key, bytes, sum, v.URL(key)
	_, _, err := db.Adopt(ctx, storetest.RequestOf(s), storetest.Outcome(res))
	return err
}
