package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// A run over many objects takes little memory, and comes to the same however often it is
// stopped and gone on with.
func TestManyObjectsStoppedAndGoneOnWith(t *testing.T) {
	onBoth(t, func(t *testing.T, at string) {
		recordings := 2_000 // of an object and a manifest each
		if os.Getenv("SWITCHTAPE_LONG_TESTS") != "" && !strings.HasPrefix(at, "postgres") {
			recordings = 10_000
		}
		srv := buckettest.S3(t)
		srv.Setenv(t)
		p := newPlace(t, drivertest.Open(t, srv.URL, s3.Driver()), at)
		const text = "a recording"
		file := func(key, text string) {
			name := filepath.Join(srv.Dir, filepath.FromSlash(key))
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		}
		for i := range recordings {
			s := storetest.Spec(fmt.Sprintf("call-%05d", i*7919%recordings)) // not in the order of the keys
			res := storetest.Result(string(s.RecordingID))
			key, manifest := s.Key(s.Outputs[0]).String(), s.ManifestKey().String()
			res.Outputs[0].Key, res.Outputs[0].Bytes = key, int64(len(text))
			res.Manifest = &record.ManifestResult{Key: manifest, Bytes: int64(len(text)), URL: p.store.URL(manifest)}
			_, created, err := p.db.Adopt(t.Context(), storetest.RequestOf(s), storetest.Outcome(res))
			require.NoError(t, err)
			require.True(t, created)
			for n, k := range []string{key, manifest} {
				switch {
				case i%1000 == 7 && n == 0: // missing
				case i%1000 == 8:
					file(k, text+", and more")
				default:
					file(k, text)
				}
			}
			if i%2000 == 9 {
				file(strings.ReplaceAll(key, "call-", "nobody-"), text)
			}
		}
		thousands := int64(recordings / 1000)
		want := map[reconcile.Kind]int64{
			reconcile.ObjectMissing: thousands, reconcile.ObjectDiffers: 2 * thousands, reconcile.ObjectUnknown: (thousands + 1) / 2,
		}
		var most uint64
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		var r reconcile.Report
		runs := 0
		for ; !r.Done; runs++ {
			require.Less(t, runs, 100)
			ctx, cancel := context.WithCancel(t.Context())
			kept := 0
			var err error
			r, err = reconcile.Run(ctx, p.db, p.store, p.dir, &reconcile.Options{SortEntries: recordings / 7, Kept: func(reconcile.Report) {
				most = max(most, heap())
				if kept++; kept == 5 {
					cancel()
				}
			}})
			if !r.Done {
				require.ErrorIs(t, err, context.Canceled)
			}
			cancel()
		}
		t.Logf("%d objects in %d runs; heap %d KiB at most above what there was", r.Objects, runs, (int64(most)-int64(before))>>10)
		assert.Greater(t, runs, 1)
		assert.Equal(t, want, r.Found)
		assert.EqualValues(t, recordings, r.Jobs)
		assert.Equal(t, int64(2*recordings)-want[reconcile.ObjectMissing]+want[reconcile.ObjectUnknown], r.Objects)
		assert.Less(t, int64(most)-int64(before), int64(24<<20))
		var found int64
		require.NoError(t, reconcile.Findings(p.dir, func(reconcile.Finding) error { found++; return nil }))
		assert.Equal(t, r.Left(), found)

		whole, err := reconcile.Run(t.Context(), p.db, p.store, t.TempDir(), nil)
		require.NoError(t, errors.Join(err))
		whole.BegunAt = r.BegunAt
		assert.Equal(t, whole, r)
	})
}
