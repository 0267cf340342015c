package calldb_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Lines about a subject are found without reading those about others, and routine isn't in
// their index.
func TestLinesAreFoundByTheirSubject(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		require.NoError(t, db.Exec(t.Context(), `WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
			INSERT INTO audit (tenant_id, at, actor, action, subject, detail)
			SELECT 'acme', i, 'ann', CASE WHEN i % 2 = 0 THEN 'call.event' ELSE 'recording.listened' END, 'j' || (i / 2), '' FROM g`))
		require.NoError(t, db.Exec(t.Context(), "ANALYZE"))
		query, subjects := db.LinesAbout("j77", "j78", "j79")
		args := append(append([]any{"acme"}, subjects...), 0, 100)
		plan, err := db.Plan(t.Context(), query, args...)
		require.NoError(t, err)
		require.Contains(t, plan, "audit_subjects", plan)
		lines, err := db.AuditAbout(t.Context(), "acme", []string{"j77", "j78", "j79"}, 0, 100)
		require.NoError(t, err)
		require.Len(t, lines, 3)
	})
}
