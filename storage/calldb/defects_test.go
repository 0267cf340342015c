package calldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// recorded is the recording of a call that ended a moment ago, which is counted.
func recorded(t *testing.T, db *calldb.DB, id callmodel.CallID, software string, defects ...record.DefectCode) {
	t.Helper()
	endNow(t, db, id)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{record.Kind}, TTL: time.Minute})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	r := storetest.Result(string(id))
	r.HostSoftware, r.Defects = software, nil
	for _, code := range defects {
		r.Defects = append(r.Defects, record.Defect{Code: code, Leg: "agent"})
	}
	require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(r)))
	require.NoError(t, db.Exec(t.Context(), "UPDATE promises SET look_at = 0"))
	for more := true; more; {
		more, err = db.CountReports(t.Context())
		require.NoError(t, err)
	}
}

// Each recording counts once for each kind of defect that it has, at the telephone server's
// software, and once if it has none.
func TestDefectsAreCounted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		recorded(t, db, "c1", "Asterisk 20.9.1", record.DefectEndBurst, record.DefectEndBurst, record.DefectTruncated)
		recorded(t, db, "c2", "Asterisk 20.9.1", record.DefectEndBurst)
		recorded(t, db, "c3", "Asterisk 22.1.0")
		recorded(t, db, "c4", "", record.DefectInsertedSilence)
		now, err := db.Now(t.Context())
		require.NoError(t, err)
		q := &reports.Query{TenantID: "acme", Since: now.Add(-24 * time.Hour), Until: now.Add(time.Hour), By: []reports.Dimension{reports.Server, reports.Software, reports.Defect}}
		r, err := db.ReportDefects(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []reports.Row[reports.Defects]{
			{Of: []string{"pbx-1", "", "inserted_silence"}, Sums: reports.Defects{Recordings: 1}},
			{Of: []string{"pbx-1", "Asterisk 20.9.1", "end_burst"}, Sums: reports.Defects{Recordings: 2}},
			{Of: []string{"pbx-1", "Asterisk 20.9.1", "truncated"}, Sums: reports.Defects{Recordings: 1}},
			{Of: []string{"pbx-1", "Asterisk 22.1.0", ""}, Sums: reports.Defects{Recordings: 1}},
		}, r.Rows)
		q.By, q.Where = []reports.Dimension{reports.Software}, map[reports.Dimension]string{reports.Defect: "end_burst"}
		r, err = db.ReportDefects(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []reports.Row[reports.Defects]{{Of: []string{"Asterisk 20.9.1"}, Sums: reports.Defects{Recordings: 2}}}, r.Rows)
		q.TenantID, q.Where = "beta", nil
		r, err = db.ReportDefects(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, r.Rows, "another tenant has none")
		q.By = []reports.Dimension{reports.Version}
		_, err = db.ReportDefects(t.Context(), q)
		require.ErrorContains(t, err, "by")
	})
}

// Before the schema counts defects none are, and the report says what to do.
func TestDefectsOnTheSchemaBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := between(t, at, calldb.DefectsSchema-1)
		recorded(t, db, "c1", "Asterisk 20.9.1", record.DefectEndBurst)
		q := &reports.Query{Since: time.Now().Add(-24 * time.Hour), Until: time.Now().Add(time.Hour)}
		_, err := db.ReportDefects(t.Context(), q)
		require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "migrate up")
		_, err = open(t, at).Migrate(t.Context())
		require.NoError(t, err)
		recorded(t, db, "c2", "Asterisk 20.9.1", record.DefectEndBurst)
		r, err := db.ReportDefects(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, []reports.Row[reports.Defects]{{Of: []string{}, Sums: reports.Defects{Recordings: 1}}}, r.Rows)
	})
}

// A report reads the rows of its hours alone.
func TestDefectsAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		require.NoError(t, db.Exec(t.Context(), "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) INSERT INTO defect_hours SELECT 'acme', i, '', '', '', 1 FROM g"))
		require.NoError(t, db.Exec(t.Context(), "ANALYZE"))
		for _, query := range []string{
			"SELECT sum(recordings) FROM defect_hours WHERE hour >= 4990 AND hour < 5000",
			"SELECT sum(recordings) FROM defect_hours WHERE tenant_id = 'acme' AND hour >= 4990 AND hour < 5000",
		} {
			plan, err := db.Plan(t.Context(), query)
			require.NoError(t, err)
			require.NotContains(t, plan, "Seq Scan", query)
			require.NotContains(t, plan, "SCAN defect_hours", query)
		}
	})
}
