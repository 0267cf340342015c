package ledger_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// grow gives the ledger at that URL n recordings that are done, with their entries and events:
// copies of one that went its whole way.
func grow(b *testing.B, db *calldb.DB, at string, n int) {
	b.Helper()
	const seed = "seed-of-many"
	_, _, err := db.Adopt(b.Context(), storetest.Request(seed), storetest.Completed(seed))
	require.NoError(b, err)
	driver, name, numbers := "pgx", at, "generate_series(1, %d) AS g(i)"
	if u, err := url.Parse(at); err == nil && u.Scheme == "sqlite" {
		driver, name = "sqlite", u.Path
		numbers = "(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g)"
	}
	raw, err := sql.Open(driver, name)
	require.NoError(b, err)
	defer func() { require.NoError(b, raw.Close()) }()
	numbers = fmt.Sprintf(numbers, n-1)
	for _, table := range []struct{ name, own, seeded string }{ // own is the key that the database gives
		{"jobs", "seq", "call_id"}, {"call_recordings", "", "call_id"}, {"outbox", "id", "subject"},
	} {
		columns := slices.DeleteFunc(columnsOf(b, raw, table.name), func(c string) bool { return c == table.own })
		values := slices.Clone(columns)
		for i, c := range columns {
			switch c {
			case "event_key":
				values[i] = "'done-' || i"
			case "call_id", "recording_id", "spec", "result", "doc", "subject":
				values[i] = "replace(" + c + ", '" + seed + "', 'done-' || i)"
			}
		}
		done, err := raw.ExecContext(b.Context(), "INSERT INTO "+table.name+" ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(values, ", ")+
			" FROM "+table.name+" CROSS JOIN "+numbers+" WHERE "+table.seeded+" = '"+seed+"'")
		require.NoError(b, err, table.name)
		made, err := done.RowsAffected()
		require.NoError(b, err)
		require.GreaterOrEqual(b, made, int64(n-1), table.name)
	}
	for _, stmt := range []string{"ANALYZE", map[string]string{"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "pgx": "CHECKPOINT"}[driver]} {
		_, err := raw.ExecContext(b.Context(), stmt)
		require.NoError(b, err)
	}
}

func columnsOf(b *testing.B, raw *sql.DB, table string) []string {
	b.Helper()
	rows, err := raw.QueryContext(b.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
	require.NoError(b, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(b, errors.Join(err, rows.Err()))
	return columns
}

// BenchmarkLedgerWithDone takes b.N jobs their whole way through a ledger with 300,000 that
// are done, LEDGER_DONE for another number: enqueued by 16 callers, one at a time, while 16
// workers claim 20 at a time and complete each on its own. First each half of that by itself:
// enqueued/s, and claimed and completed, finished/s.
//
//	go test -run xxx -bench LedgerWithDone -benchtime 20000x ./benchmarks/ledger
func BenchmarkLedgerWithDone(b *testing.B) {
	done := 300_000
	if n, err := strconv.Atoi(os.Getenv("LEDGER_DONE")); err == nil {
		done = n
	}
	for name, at := range databases() {
		b.Run(name, func(b *testing.B) {
			if b.N == 1 {
				return // the first round only measures; it isn't worth the jobs
			}
			where := at(b)
			db := open(b, where)
			grow(b, db, where, done)
			enqueue := func(name string) {
				share(b, b.N, 16, func(i int) error {
					_, _, err := db.Enqueue(b.Context(), storetest.Request(fmt.Sprintf("%s%d", name, i)))
					return err
				})
			}
			outcome := storetest.Completed("c")
			var finished atomic.Int64
			finish := func() {
				finished.Store(0)
				share(b, 16, 16, func(w int) error {
					for finished.Load() < int64(b.N) {
						leases, err := db.Claim(b.Context(), ledger.Claim{
							Worker: fmt.Sprint(w), Kinds: []string{record.Kind}, Queues: []string{ledger.DefaultQueue}, Limit: 20, TTL: time.Hour,
						})
						if err != nil {
							return err
						}
						if len(leases) == 0 {
							time.Sleep(time.Millisecond) // the rest is about to be enqueued, or is another one's
						}
						for _, l := range leases {
							if err := db.Complete(b.Context(), l, outcome); err != nil {
								return err
							}
							finished.Add(1)
						}
					}
					return nil
				})
			}
			rate := func(do func()) float64 {
				began := time.Now()
				do()
				return float64(b.N) / time.Since(began).Seconds()
			}
			b.ReportAllocs()
			enqueued, ended := rate(func() { enqueue("a") }), rate(finish)
			b.ResetTimer()
			whole := rate(func() {
				var both sync.WaitGroup
				both.Go(func() { enqueue("b") })
				both.Go(finish)
				both.Wait()
			})
			b.StopTimer()
			b.ReportMetric(enqueued, "enqueued/s")
			b.ReportMetric(ended, "finished/s")
			b.ReportMetric(whole, "jobs/s")
			require.EqualValues(b, b.N, finished.Load())
		})
	}
}
