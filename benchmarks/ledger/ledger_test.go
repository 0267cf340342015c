package ledger_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func databases() map[string]func(*testing.B) string {
	return map[string]func(*testing.B) string{
		"sqlite": func(b *testing.B) string { b.Helper(); return calldb.SQLiteURL(filepath.Join(b.TempDir(), "l.db")) },
		"postgres": func(b *testing.B) string {
			b.Helper()
			at := pgtest.URL(b)
			pgtest.Durable(b)
			return at
		},
	}
}

func open(b *testing.B, at string) *calldb.DB {
	b.Helper()
	db, err := calldb.Open(b.Context(), at, &calldb.Options{MaxConns: 16})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.Migrate(b.Context())
	require.NoError(b, err)
	return db
}

// share runs fn for 0…n-1 in workers goroutines.
func share(b *testing.B, n, workers int, fn func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := fn(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkLedger takes b.N waiting jobs through claim and completion, by 16
// workers that claim 20 at a time and complete each on its own.
func BenchmarkLedger(b *testing.B) {
	for name, at := range databases() {
		b.Run(name, func(b *testing.B) {
			db := open(b, at(b))
			share(b, b.N, 16, func(i int) error {
				_, _, err := db.Enqueue(b.Context(), storetest.Request(fmt.Sprintf("c%d", i)))
				return err
			})
			var done atomic.Int64
			outcome := storetest.Completed("c")
			b.ReportAllocs()
			b.ResetTimer()
			share(b, 16, 16, func(w int) error {
				for {
					leases, err := db.Claim(b.Context(), ledger.Claim{
						Worker: fmt.Sprint(w), Kinds: []string{record.Kind}, Queues: []string{ledger.DefaultQueue}, Limit: 20, TTL: time.Hour,
					})
					if err != nil || len(leases) == 0 {
						return err
					}
					for _, l := range leases {
						if err := db.Complete(b.Context(), l, outcome); err != nil {
							return err
						}
						done.Add(1)
					}
				}
			})
			b.StopTimer()
			require.EqualValues(b, b.N, done.Load())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkEnqueue puts b.N jobs in the ledger, one at a time, from 16 callers.
func BenchmarkEnqueue(b *testing.B) {
	for name, at := range databases() {
		b.Run(name, func(b *testing.B) {
			db := open(b, at(b))
			b.ReportAllocs()
			b.ResetTimer()
			share(b, b.N, 16, func(i int) error {
				_, _, err := db.Enqueue(b.Context(), storetest.Request(fmt.Sprintf("c%d", i)))
				return err
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

// BenchmarkCreateCall stores b.N calls with an idempotency key, from 16 callers.
func BenchmarkCreateCall(b *testing.B) {
	for name, at := range databases() {
		b.Run(name, func(b *testing.B) {
			db := open(b, at(b))
			b.ReportAllocs()
			b.ResetTimer()
			share(b, b.N, 16, func(i int) error {
				id := fmt.Sprintf("c%d", i)
				n := storetest.NewCall(id)
				n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = id, id, 201, []byte(`{"id":"c"}`)
				_, err := db.CreateCall(b.Context(), n)
				return err
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
