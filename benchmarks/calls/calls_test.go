package calls_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// began is when the first call was made; one comes every 100 ms.
var began = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// doc is a call as the database has it, by its number i: some 900 bytes.
const doc = `'{"id":"c' || i || '","tenant_id":"acme","state":"' || state || '","type":"voice","direction":"' ||
	CASE i % 2 WHEN 0 THEN 'inbound' ELSE 'outbound' END || '","priority":3,"from":{"number":"+1202555' || (i % 10000) || '"},"to":{"number":"+1202555010' || (i % 7) ||
	'"},"metadata":{"agent":"a' || (i % 500) || '","filler":"' || 'FILLER' || '","order":"' || i || '"},"trunk":"t' || (i % 20) ||
	'","created_at":"2026-11-0' || (1 + i / 864000) || 'T' || CASE WHEN i / 36000 % 24 < 10 THEN '0' ELSE '' END || (i / 36000 % 24) || ':00:00Z' ||
	'","decision":{"source":"rules","rule":"r1","destinations":[{"id":"a","uri":"sip:a.example.com"},{"id":"b","uri":"sip:b.example.com"}]},"recording":{"enabled":true},' ||
	'"answered_at":"2026-11-01T00:00:00Z","ended_at":"2026-11-01T00:01:00Z"}'`

// fill makes n calls, with what they are found by and their recordings:
// one of a thousand failed, the last 200 are answered, one recording of
// a thousand is degraded, one of 10,000 is pending.
func fill(b *testing.B, driver, at string, n int) {
	b.Helper()
	db, err := sql.Open(driver, at)
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	numbers := "generate_series(0, %d) AS g(i)"
	if driver == "sqlite" {
		numbers = "(WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g)"
	}
	numbers = fmt.Sprintf(numbers, n-1)
	for _, stmt := range []string{
		fmt.Sprintf(`INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc, terms)
			SELECT 'acme', 'c' || i, state, '+1202555' || (i %% 10000), '+1202555010' || (i %% 7), at, `+strings.NewReplacer("FILLER", strings.Repeat("x", 300), "%", "%%").Replace(doc)+`, 1
			FROM (SELECT i, %d + CAST(i AS BIGINT) * 100000 AS at, CASE WHEN i >= %d THEN 'answered' WHEN i %% 1000 = 1 THEN 'failed' ELSE 'ended' END AS state FROM `+numbers+`) AS s`,
			began.UnixMicro(), n-200),
		fmt.Sprintf(`INSERT INTO call_terms (tenant_id, term, created_at, call_id)
			SELECT 'acme', term, %d + CAST(i AS BIGINT) * 100000, 'c' || i FROM (
				SELECT i, 'morder=' || i AS term FROM `+numbers+` UNION ALL SELECT i, 'magent=a' || (i %% 500) FROM `+numbers+` UNION ALL SELECT i, 't' || 't' || (i %% 20) FROM `+numbers+`
			) AS s`, began.UnixMicro()),
		fmt.Sprintf(`INSERT INTO call_recordings (tenant_id, call_id, recording_id, finished_at, doc)
			SELECT 'acme', 'c' || i, 'c' || i, %d + CAST(i AS BIGINT) * 100000, '{"recording_id":"c' || i || '","job_id":"j","status":"completed' || CASE i %% 1000 WHEN 1 THEN '_degraded' ELSE '' END || '","url":"file:///c' || i || '.mp3","duration_ms":60000,"finished_at":"2026-11-0' || (1 + i / 864000) || 'T00:00:00Z"}'
			FROM `+numbers+` WHERE i %% 10000 <> 5`, began.UnixMicro()),
		fmt.Sprintf(`INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at)
			SELECT '00000000', 'default', 0, CASE i %% 10000 WHEN 5 THEN 'queued' ELSE 'done' END, 'acme', 'c' || i, 'c' || i, '{}', %d + CAST(i AS BIGINT) * 100000, 0 FROM `+numbers,
			began.UnixMicro()),
		"ANALYZE",
		map[string]string{"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "pgx": "CHECKPOINT"}[driver],
	} {
		_, err := db.ExecContext(b.Context(), stmt)
		require.NoError(b, err)
	}
}

// howMany calls there are: CALLS, or a million.
func howMany(b *testing.B) int {
	b.Helper()
	s := os.Getenv("CALLS")
	if s == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(s)
	require.NoError(b, err, "CALLS")
	return n
}

// filled is a new database of the kind with n calls, and its URL.
func filled(b *testing.B, kind string, n int) (string, *calldb.DB) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "calls.db")
	at, driver, raw := calldb.SQLiteURL(file), "sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()
	if kind == "postgres" {
		at = pgtest.URL(b)
		driver, raw = "pgx", at
	}
	db, err := calldb.Open(b.Context(), at, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.Migrate(b.Context())
	require.NoError(b, err)
	fill(b, driver, raw, n)
	return at, db
}

// BenchmarkSearch is a page of 50 calls of a million: the mean of the first five pages, what
// 95 % of them keep to, and the longest, which reads the disk.
func BenchmarkSearch(b *testing.B) {
	n := howMany(b)
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			_, db := filled(b, kind, n)
			day := began.Add(time.Duration(n/2) * 100 * time.Millisecond)
			for _, c := range []struct {
				name string
				f    calls.Filter
			}{
				{"newest", calls.Filter{}},
				{"time", calls.Filter{Since: day, Until: day.Add(time.Hour)}},
				{"rare number", calls.Filter{Number: "+12025554711"}},
				{"common number", calls.Filter{Number: "+12025550103"}},
				{"common number and state", calls.Filter{Number: "+12025550103", State: calls.Failed}},
				{"direction", calls.Filter{Direction: calls.Outbound}},
				{"trunk", calls.Filter{Trunk: "t7"}},
				{"trunk and state", calls.Filter{Trunk: "t1", State: calls.Failed}},
				{"metadata of one", calls.Filter{Metadata: map[string]string{"order": "4711"}}},
				{"metadata of many", calls.Filter{Metadata: map[string]string{"agent": "a77"}}},
				{"two pairs", calls.Filter{Metadata: map[string]string{"agent": "a11", "order": "4711"}}},
				{"rare state", calls.Filter{State: calls.Failed}},
				{"no such state", calls.Filter{State: calls.Rejected}},
				{"completed", calls.Filter{Recording: calls.RecordingCompleted}},
				{"degraded", calls.Filter{Recording: calls.RecordingDegraded}},
				{"pending", calls.Filter{Recording: calls.RecordingPending}},
				{"missing", calls.Filter{Recording: calls.RecordingMissing}},
				{"none", calls.Filter{Recording: calls.RecordingNone}},
				{"quarantined", calls.Filter{Recording: calls.RecordingQuarantined}},
				{"key", calls.Filter{IdempotencyKey: "k"}},
			} {
				b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
					var took []time.Duration
					found := 0
					for b.Loop() {
						f := c.f
						for range 5 {
							start := time.Now()
							page, err := db.Calls(b.Context(), "acme", f)
							took = append(took, time.Since(start))
							require.NoError(b, err)
							found = max(found, len(page.Calls))
							if f.Before = page.Next; f.Before == "" {
								break
							}
						}
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95_ms")
					b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "worst_ms")
					var sum time.Duration
					for _, d := range took {
						sum += d
					}
					b.ReportMetric(float64(sum.Microseconds())/1000/float64(len(took)), "ms/page")
					b.ReportMetric(float64(found), "calls/page")
					b.ReportMetric(0, "ns/op")
				})
			}
			reportOn(b, db, n)
		})
	}
}

// reportOn counts the calls and recordings for the reports, and makes some.
func reportOn(b *testing.B, db *calldb.DB, n int) {
	b.Helper()
	start := time.Now()
	for more := true; more; {
		var err error
		more, err = db.CountReports(b.Context())
		require.NoError(b, err)
	}
	took := time.Since(start)
	b.Logf("%d calls and their recordings counted in %v, %.0f calls/s", n, took.Round(time.Second), float64(n)/took.Seconds())
	all := func(by ...reports.Dimension) *reports.Query {
		return &reports.Query{TenantID: "acme", Since: began, Until: began.Add(time.Duration(n) * 100 * time.Millisecond), By: by}
	}
	for _, c := range []struct {
		name string
		q    *reports.Query
	}{
		{"all", all()},
		{"hour", all(reports.Hour)},
		{"trunk", all(reports.Trunk)},
		{"hour trunk destination cause", all(reports.Hour, reports.Trunk, reports.Destination, reports.Cause)},
	} {
		b.Run("report/"+strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
			rows := 0
			for b.Loop() {
				r, err := db.ReportCalls(b.Context(), c.q)
				require.NoError(b, err)
				rows = len(r.Rows)
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
	b.Run("report/recordings", func(b *testing.B) {
		for b.Loop() {
			r, err := db.ReportRecordings(b.Context(), all(reports.Day, reports.Status))
			require.NoError(b, err)
			require.NotEmpty(b, r.Rows)
		}
	})
}
