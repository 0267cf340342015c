package calldb_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb"
)

// waiting are n jobs that wait, of 100 tenants in two queues, half of them for an hour,
// made by one statement.
func waiting(t testing.TB, db *calldb.DB, n int) {
	t.Helper()
	numbers, now := "generate_series(1, %d) AS g(i)", "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
	if db.Kind() == "SQLite" {
		numbers, now = "(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g)", "unixepoch() * 1000000"
	}
	require.NoError(t, db.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at)
		SELECT '00000000', CASE i %% 2 WHEN 0 THEN 'default' ELSE 'pbx-1' END, i %% 3, 'queued', 't' || (i %% 100), 'c' || i, 'c' || i, '{}', `+now+" - (i / 100 %% 2) * 3600000000, "+now+`
		FROM `+numbers, n)))
}

// What a claim looks at doesn't grow with what waits: it walks from tenant to tenant in
// an index, and takes the first of each from it, whatever the planner knows of the
// table.
func TestClaimsWalkTheLine(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		waiting(t, db, 20_000)
		for round, learn := range []string{"", "ANALYZE"} {
			if learn != "" {
				require.NoError(t, db.Exec(t.Context(), learn))
			}
			for i, queues := range [][]string{nil, {"pbx-1"}, {"default", "pbx-1"}, nil, {"pbx-1"}, {"default", "pbx-1"}} {
				look, line, take, err := db.ClaimQueries(t.Context(), []string{record.Kind}, queues, i/3, callmodel.TenantID("t5"), `["t6","t7"]`, 10)
				require.NoError(t, err)
				for _, q := range []calldb.Query{look, line, take} {
					plan, err := db.Plan(t.Context(), q.Text, q.Args...)
					require.NoError(t, err)
					t.Logf("round %d, queues %v\n%s", round, queues, plan)
					index := map[bool]string{true: "jobs_(fresh|backlog)_any", false: "jobs_(fresh|backlog)"}[queues == nil]
					require.Regexp(t, index+" ", plan)
					require.NotContains(t, plan, "jobs_due", "that has all that waits")
					if db.Kind() == "SQLite" {
						for _, scan := range regexp.MustCompile("SCAN jobs .*").FindAllString(plan, -1) {
							require.Regexp(t, "jobs_(emergency|suspect)", scan, "but for what is nearly always empty")
						}
						continue
					}
					require.NotContains(t, plan, "Seq Scan on jobs")
					require.Less(t, buffers(t, plan), 500)
				}
			}
		}
	})
}

// A statement is planned once a connection: SQLite does that anew at each use where a plan
// depends on an argument, and spends more on it than on the claim.
func TestClaimsArePlannedOnce(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqliteURL(t))
	waiting(t, db, 200)
	planned := 0 // how often a statement's plan was found to read of the jobs
	require.NoError(t, db.OnPlan(t.Context(), func(reads string) {
		if reads == "jobs" {
			planned++
		}
	}))
	for round := range 20 {
		for _, queues := range [][]string{nil, {"pbx-1"}, {"default", "pbx-1"}} {
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind, "transcode"}, Queues: queues, Limit: 2, TTL: time.Hour})
			require.NoError(t, err)
			require.Len(t, leases, 2)
		}
		if round == 2 { // a statement is prepared after its first use
			require.Positive(t, planned)
			planned = 0
		}
	}
	require.Zero(t, planned)
}

// buffers is how many pages the plan says that its query touched.
func buffers(t *testing.T, plan string) int {
	t.Helper()
	_, rest, found := strings.Cut(plan, "Buffers: shared hit=")
	require.True(t, found, plan)
	n, err := strconv.Atoi(rest[:strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })])
	require.NoError(t, err)
	return n
}
