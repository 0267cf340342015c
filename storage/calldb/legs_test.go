package calldb_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/storetest"
)

// TestLegsDuePages: each look is at a part of the jobs, and all parts together are all.
func TestLegsDuePages(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		done := func(id string) {
			t.Helper()
			_, _, err := db.Enqueue(t.Context(), storetest.Request(id))
			require.NoError(t, err)
			leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w"})
			require.NoError(t, err)
			require.Len(t, leases, 1)
			require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Completed(id)))
		}
		done("first")
		require.NoError(t, db.Exec(t.Context(), `INSERT INTO jobs (nonce, queue, priority, state, tenant_id, call_id, recording_id, spec, created_at, run_at, finished_at, kind)
			SELECT '00000000', 'default', 0, 'done', 'acme', '', 'verify/' || i, '{}', 1, 1, 1, 'verify'
			FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500) SELECT i FROM n) AS n`))
		done("last")
		var keys []string
		pages := 0
		for place := int64(0); ; pages++ {
			f, err := db.LegsDue(t.Context(), ledger.LegsDue{By: "delete-legs", After: place})
			require.NoError(t, err)
			require.Greater(t, f.Next, place)
			require.False(t, f.Open)
			for i := range f.Jobs {
				keys = append(keys, f.Jobs[i].Key)
			}
			if place = f.Next; f.End {
				break
			}
		}
		require.Equal(t, []string{"first", "last"}, keys)
		require.Equal(t, 2, pages)
	})
}

// However many jobs are done, a look walks over a part of them alone, and who needs a leg
// is looked for among those that aren't.
func TestLegsUseTheIndexes(t *testing.T) {
	t.Parallel()
	db := migrated(t, sqliteURL(t))
	plan := explain(t, db, `SELECT seq FROM jobs AS j WHERE j.seq > 5 AND j.seq <= 2005 AND j.kind = 'record' AND j.queue = 'pbx-1' AND j.state = 'done'
		AND j.finished_at <= 7 AND NOT EXISTS (SELECT 1 FROM jobs AS d WHERE d.tenant_id = j.tenant_id AND d.recording_id = 'delete-legs/' || j.recording_id) ORDER BY j.seq`)
	require.Contains(t, plan, "PRIMARY KEY (rowid>? AND rowid<?)")
	require.Contains(t, plan, "(tenant_id=? AND recording_id=?)")
	for state, index := range map[string]string{"queued": "jobs_", "running": "jobs_leased", "quarantined": "jobs_set_aside"} {
		require.Contains(t, explain(t, db, "SELECT seq, nonce, spec FROM jobs WHERE state = '"+state+"' AND kind = 'record'"), "INDEX "+index)
	}
}
