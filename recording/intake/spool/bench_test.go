package spool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// BenchmarkSweep looks at a tree all of which is handed over, as it is nearly always: 100
// directories of 1,000 files. "after a start" reads them and asks the index about each
// call; "settled" asks whether a directory has changed.
func BenchmarkSweep(b *testing.B) {
	const dirs, calls = 100, 500
	dir := b.TempDir()
	for d := range dirs {
		at := filepath.Join(dir, fmt.Sprintf("2026/11/%03d", d))
		require.NoError(b, os.MkdirAll(at, 0o750))
		for c := range calls {
			for _, leg := range []string{"in", "out"} {
				require.NoError(b, os.WriteFile(filepath.Join(at, fmt.Sprintf("1743042317.%d-%s.wav", c, leg)), nil, 0o600))
			}
		}
	}
	patterns, err := spool.Patterns("asterisk")
	require.NoError(b, err)
	now := time.Unix(0, 0)
	o := &spool.Options{
		Patterns: patterns, Tenant: "acme", Outputs: []record.OutputSpec{{Codec: record.CodecMP3}}, Renamed: true,
		Index: filepath.Join(b.TempDir(), "index"), Now: func() time.Time { return now },
	}
	db := memdb.New(nil)
	open := func() *spool.Spool {
		s, err := spool.New(dir, db, o)
		require.NoError(b, err)
		return s
	}
	first := open()
	require.NoError(b, first.Sweep(b.Context()))
	require.EqualValues(b, dirs*calls, first.Stats().HandedOver)
	require.NoError(b, first.Close())
	sweep := func(b *testing.B, s *spool.Spool) {
		b.Helper()
		now = now.Add(time.Minute)
		require.NoError(b, s.Sweep(b.Context()))
	}
	b.Run("after a start", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := open()
			sweep(b, s)
			require.Zero(b, s.Stats().Known+s.Stats().HandedOver)
			require.NoError(b, s.Close())
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*dirs*calls), "ns/file")
	})
	b.Run("settled", func(b *testing.B) {
		s := open()
		sweep(b, s)
		sweep(b, s)
		b.ReportAllocs()
		for b.Loop() {
			sweep(b, s)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*dirs*calls), "ns/file")
		require.NoError(b, s.Close())
	})
}
