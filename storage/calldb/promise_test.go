package calldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// endNow is a call that ended a moment ago.
func endNow(t *testing.T, db *calldb.DB, id callmodel.CallID) {
	t.Helper()
	now, err := db.Now(t.Context())
	require.NoError(t, err)
	n := storetest.NewCall(string(id))
	n.Call.CreatedAt = now.Add(-time.Minute)
	_, err = db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	for i, ev := range []calls.Event{{Type: calls.EventAnswered, At: now.Add(-30 * time.Second)}, {Type: calls.EventEnded, At: now}} {
		ev.ID = string(rune('a' + i))
		_, err = db.AppendEvent(t.Context(), "acme", id, ev, "pbx", storetest.Defaults())
		require.NoError(t, err)
	}
}

func promiseOf(t *testing.T, db *calldb.DB) reports.Promise {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = db.CountReports(t.Context())
		require.NoError(t, err)
	}
	now, err := db.Now(t.Context())
	require.NoError(t, err)
	r, err := db.ReportPromise(t.Context(), &reports.Query{TenantID: "acme", Since: now.Add(-24 * time.Hour), Until: now.Add(time.Hour)})
	require.NoError(t, err)
	if len(r.Rows) == 0 {
		return reports.Promise{}
	}
	require.Len(t, r.Rows, 1)
	return r.Rows[0].Sums
}

// A call whose job was lost is unexplained at once; when it has one again it waits, and then
// its URL is there, in the time that it took. Nothing is counted twice on the way.
func TestUnexplained(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		soon := func() { // all are looked at again
			t.Helper()
			require.NoError(t, db.Exec(t.Context(), "UPDATE promises SET look_at = 0"))
		}
		endNow(t, db, "c1")
		require.Equal(t, reports.Promise{Calls: 1, Waiting: 1}, promiseOf(t, db))
		require.NoError(t, db.Exec(t.Context(), "DELETE FROM jobs"))
		soon()
		require.Equal(t, reports.Promise{Calls: 1, Unexplained: 1}, promiseOf(t, db))
		n, err := db.Unexplained(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		done, err := db.Rerecord(t.Context(), "acme", "c1", "op", storetest.Defaults())
		require.NoError(t, err)
		require.True(t, done)
		done, err = db.Rerecord(t.Context(), "acme", "c1", "op", storetest.Defaults())
		require.NoError(t, err)
		require.False(t, done)
		soon()
		require.Equal(t, reports.Promise{Calls: 1, Waiting: 1}, promiseOf(t, db))
		n, err = db.Unexplained(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)

		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		require.NoError(t, db.Publish(t.Context(), leases[0], storetest.Completed("c1"), 0))
		soon()
		require.Equal(t, reports.Promise{Calls: 1, Explained: 1}, promiseOf(t, db), "a whole one may follow")
		leases, err = db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
		require.NoError(t, err)
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Completed("c1")))
		soon()
		got := promiseOf(t, db)
		assert.EqualValues(t, 1, got.Calls)
		assert.EqualValues(t, 1, got.Recorded)
		assert.EqualValues(t, 1, got.Short, "it is truncated")
		assert.Positive(t, got.After)
		assert.EqualValues(t, 1, got.By[len(got.By)-1])
		open, err := db.Rows(t.Context(), "SELECT call_id FROM promises")
		require.NoError(t, err)
		require.Empty(t, open)
		require.Equal(t, got, promiseOf(t, db))
	})
}

// What isn't done in its time is unexplained, unless it is named why; and nothing is looked
// at more often than its age is worth.
func TestOverduePromises(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for _, id := range []callmodel.CallID{"named", "silent", "fresh"} {
			endNow(t, db, id)
		}
		require.Equal(t, reports.Promise{Calls: 3, Waiting: 3}, promiseOf(t, db))
		require.NoError(t, db.Exec(t.Context(), "UPDATE jobs SET reason = 'bucket_away' WHERE call_id = 'named'"))
		require.NoError(t, db.Exec(t.Context(), "UPDATE promises SET look_at = 0, ended_at = ended_at - 3600000000 WHERE call_id <> 'fresh'"))
		require.Equal(t, reports.Promise{Calls: 3, Waiting: 1, Explained: 1, Unexplained: 1}, promiseOf(t, db))
		waits, err := db.Rows(t.Context(), "SELECT call_id FROM promises WHERE look_at > (SELECT max(look_at) FROM promises WHERE call_id = 'fresh') + 60000000 ORDER BY call_id")
		require.NoError(t, err)
		require.Equal(t, []string{"named", "silent"}, waits)
	})
}

// Before the schema counts promises nothing is counted, and the report says what to do.
func TestPromisesOnTheSchemaBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := between(t, at, calldb.PromiseSchema-1)
		endNow(t, db, "c1")
		_, err := db.CountReports(t.Context())
		require.NoError(t, err)
		now := time.Now()
		_, err = db.ReportPromise(t.Context(), &reports.Query{Since: now.Add(-time.Hour), Until: now})
		require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "migrate up")
		n, err := db.Unexplained(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = open(t, at).Migrate(t.Context())
		require.NoError(t, err)
		endNow(t, db, "c2")
		require.Equal(t, reports.Promise{Calls: 1, Waiting: 1}, promiseOf(t, db))
	})
}

// Neither a look at what is open nor a report reads the rows of other hours.
func TestPromisesAreFoundByTheirIndexes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		numbers := "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) "
		require.NoError(t, db.Exec(t.Context(), numbers+`INSERT INTO promises (tenant_id, call_id, hour, server, ended_at, state, reason, look_at)
			SELECT 'acme', 'c' || i, i, '', i, CASE WHEN i < 3 THEN 'unexplained' ELSE 'waiting' END, '', i FROM g`))
		require.NoError(t, db.Exec(t.Context(), numbers+`INSERT INTO promise_hours SELECT 'acme', i, '', '', '', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM g`))
		require.NoError(t, db.Exec(t.Context(), "ANALYZE"))
		for _, query := range []string{
			"SELECT call_id FROM promises WHERE look_at <= 5 ORDER BY look_at LIMIT 100",
			"SELECT count(*) FROM (SELECT 1 FROM promises WHERE state = 'unexplained' LIMIT 10000) AS open",
			"SELECT sum(waiting) FROM promise_hours WHERE hour >= 4990 AND hour < 5000",
			"SELECT sum(waiting) FROM promise_hours WHERE tenant_id = 'acme' AND hour >= 4990 AND hour < 5000",
		} {
			plan, err := db.Plan(t.Context(), query)
			require.NoError(t, err)
			require.NotContains(t, plan, "Seq Scan", query)
			require.NotRegexp(t, `(?m)SCAN promises$|SCAN promise_hours`, plan, query)
		}
		n, err := db.Unexplained(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
