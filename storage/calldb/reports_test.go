package calldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/storetest"
)

// What can't be read is named once and left out; the rest is counted.
func TestUnreadableIsLeftOutOfReports(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for _, id := range []string{"a", "b"} {
			n := storetest.NewCall(id)
			n.Call.State = calls.Failed
			_, err := db.CreateCall(t.Context(), n)
			require.NoError(t, err)
			_, _, err = db.Enqueue(t.Context(), storetest.Request(id))
			require.NoError(t, err)
		}
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, Limit: 2, TTL: time.Minute})
		require.NoError(t, err)
		for _, l := range leases {
			require.NoError(t, db.Complete(t.Context(), l, storetest.Completed("x")))
		}
		q := func(back time.Duration) *reports.Query {
			now := time.Now().Add(back)
			return &reports.Query{Since: now.Add(-24 * time.Hour), Until: now.Add(24 * time.Hour)}
		}
		back := time.Until(storetest.NewCall("x").Call.CreatedAt)
		for _, table := range []string{"calls", "call_recordings"} {
			id := map[string]string{"calls": "id", "call_recordings": "call_id"}[table]
			require.NoError(t, db.Exec(t.Context(), "UPDATE "+table+" SET doc = '{' WHERE "+id+" = 'a'"))
		}
		_, err = db.CountReports(t.Context())
		require.ErrorContains(t, err, "the document of call a")
		require.ErrorContains(t, err, "recording a of call a")
		more, err := db.CountReports(t.Context())
		require.NoError(t, err)
		require.False(t, more)
		made, err := db.ReportCalls(t.Context(), q(back))
		require.NoError(t, err)
		require.Zero(t, made.Waiting)
		require.EqualValues(t, 1, made.Rows[0].Sums.Calls)
		recorded, err := db.ReportRecordings(t.Context(), q(0))
		require.NoError(t, err)
		require.Zero(t, recorded.Waiting)
		require.EqualValues(t, 1, recorded.Rows[0].Sums.Recordings)
	})
}

// What waits to be counted is found call by call, and not by reading all calls.
func TestCountingReadsNoOtherCalls(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		numbers := "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) "
		require.NoError(t, db.Exec(t.Context(), numbers+`INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc, terms)
			SELECT 'acme', 'c' || i, 'ended', '', '', i, '{"id":"c' || i || '"}', 1 FROM g`))
		require.NoError(t, db.Exec(t.Context(), "ANALYZE"))
		plan, err := db.Plan(t.Context(), db.EndedCalls(4), 7, 8, 9, 10)
		require.NoError(t, err)
		require.NotContains(t, plan, "Seq Scan on calls")
		require.NotContains(t, plan, "SCAN c")
	})
}
