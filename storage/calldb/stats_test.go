package calldb_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// fill adds rows as a program writes them that knows no kinds: n jobs that are done,
// made at, in microseconds since 1970.
func fill(t testing.TB, db *calldb.DB, prefix string, n int, at int64) {
	t.Helper()
	require.NoError(t, db.Exec(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, result, created_at, run_at, finished_at)
		SELECT '00000000', 'default', 0, 'done', 'acme', 'c', '%s' || i, '{}', '{"status":"completed"}', %d, 1, 1 FROM n`, n, prefix, at)))
}

func statsOf(t testing.TB, db *calldb.DB) ledger.Stats {
	t.Helper()
	q, err := db.Stats(t.Context())
	require.NoError(t, err)
	q.OldestQueued = 0
	return q
}

// The count of all jobs is kept and always right: behind it rows are counted, those of
// every release, and what became wrong in it is put right by itself.
func TestStatsAreKeptAndRight(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		const old = 50_000
		want := func(done int64, more ledger.Counts) {
			t.Helper()
			more.Done = done
			s := ledger.Stats{Queued: more.Queued, Running: more.Running, Done: done, Quarantined: more.Quarantined}
			s.ByKind = map[string]ledger.Counts{record.Kind: more}
			require.Equal(t, s, statsOf(t, db))
		}
		fill(t, db, "old", old, 1)
		want(old, ledger.Counts{})
		want(old, ledger.Counts{})
		kept := func() string {
			t.Helper()
			rows, err := db.Rows(t.Context(), "SELECT through || ' ' || counts FROM job_totals")
			require.NoError(t, err)
			require.Len(t, rows, 1)
			return rows[0]
		}
		require.Equal(t, fmt.Sprintf(`%d {"record":%d}`, old, old), kept())

		now := time.Now().UnixMicro()
		fill(t, db, "new", 300, now)
		_, _, err := db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)
		want(old+300, ledger.Counts{Queued: 1})
		require.Equal(t, fmt.Sprintf(`%d {"record":%d}`, old, old), kept(), "some transaction may still put a row among the new ones")
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		want(old+300, ledger.Counts{Running: 1})
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(record.Result{Status: record.StatusAbsent})))
		want(old+301, ledger.Counts{})
		require.NoError(t, db.Retry(t.Context(), leases[0].Job.ID, "ann"))
		want(old+300, ledger.Counts{Queued: 1})

		// Rows are taken away, or the count is damaged: the second count finds it.
		require.NoError(t, db.Exec(t.Context(), "DELETE FROM jobs WHERE recording_id LIKE 'old1%'"))
		rows, err := db.Rows(t.Context(), "SELECT CAST(count(*) AS text) FROM jobs WHERE state = 'done'")
		require.NoError(t, err)
		heals := func() {
			t.Helper()
			for range 20 {
				if fmt.Sprint(statsOf(t, db).Done) == rows[0] {
					return
				}
				require.NoError(t, db.Exec(t.Context(), "UPDATE job_totals SET at = 0"), "half a minute passes")
			}
			require.Equal(t, rows[0], fmt.Sprint(statsOf(t, db).Done))
		}
		heals()
		require.NoError(t, db.Exec(t.Context(), `UPDATE job_totals SET counts = '{"record": 7}', at = 0`))
		heals()
		require.NoError(t, db.Exec(t.Context(), `UPDATE job_totals SET through = 0, counts = '{}', again_through = 0, again_counts = '{}', at = 0`))
		heals()
	})
}

// BenchmarkStats is a scrape at a million jobs, STATS_JOBS for another number.
func BenchmarkStats(b *testing.B) {
	n := 1_000_000
	if s := os.Getenv("STATS_JOBS"); s != "" {
		_, err := fmt.Sscan(s, &n)
		require.NoError(b, err)
	}
	for name, at := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": migratedPostgres} {
		b.Run(name, func(b *testing.B) {
			db := migrated(b, at(b))
			fill(b, db, "x", n, 1)
			require.NoError(b, db.Exec(b.Context(), "ANALYZE jobs"), "as the database does by itself in time")
			require.EqualValues(b, n, statsOf(b, db).Done)
			for b.Loop() {
				if _, err := db.Stats(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
