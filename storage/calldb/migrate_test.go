package calldb_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// columns is every column of every table, as "table.column" in the order of
// names: what both databases must agree on.
func columns(t *testing.T, db *calldb.DB) []string {
	t.Helper()
	query := `SELECT m.name || '.' || c.name || ' ' || max(c."notnull", c.pk > 0) FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%' ORDER BY 1`
	if db.Kind() == "PostgreSQL" {
		query = `SELECT c.table_name || '.' || c.column_name || ' ' || CASE c.is_nullable WHEN 'NO' THEN '1' ELSE '0' END
			FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name NOT LIKE 'goose%' ORDER BY 1`
	}
	all, err := db.Rows(t.Context(), query)
	require.NoError(t, err)
	return all
}

// things is everything else that a migration makes.
func things(t *testing.T, db *calldb.DB) []string {
	t.Helper()
	query := "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE 'goose%' ORDER BY 1"
	if db.Kind() == "PostgreSQL" {
		query = `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'
			UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequencename NOT LIKE 'goose%'
			UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`
	}
	all, err := db.Rows(t.Context(), query)
	require.NoError(t, err)
	return all
}

func TestMigrateUpDownUp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := open(t, at)
		requireUnavailable := func(err error) {
			t.Helper()
			require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "migrate up")
		}
		requireUnavailable(db.CheckSchema(t.Context()))
		_, err := db.Stats(t.Context())
		requireUnavailable(err)

		status, err := db.MigrationStatus(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, status)
		require.False(t, status[0].Applied)

		done, err := db.Migrate(t.Context())
		require.NoError(t, err)
		require.Len(t, done, len(status))
		require.NoError(t, db.CheckSchema(t.Context()))
		first, firstThings := columns(t, db), things(t, db)
		require.NotEmpty(t, first)
		_, _, err = db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)

		done, err = db.Migrate(t.Context())
		require.NoError(t, err)
		require.Empty(t, done, "nothing left to do")

		for range status {
			done, err = db.MigrateDown(t.Context())
			require.NoError(t, err)
			require.Len(t, done, 1)
			require.False(t, done[0].Applied)
		}
		done, err = db.MigrateDown(t.Context())
		require.NoError(t, err)
		require.Empty(t, done)
		require.Empty(t, columns(t, db), "down leaves nothing behind")
		require.Empty(t, things(t, db))

		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		require.Equal(t, first, columns(t, db))
		require.Equal(t, firstThings, things(t, db))
		_, created, err := db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, err)
		require.True(t, created)
	})
}

func TestSchemasAreEqual(t *testing.T) { //nolint:tparallel // the group must end before it is looked at
	t.Parallel()
	var mu sync.Mutex
	schemas := map[string][]string{}
	t.Run("each", func(t *testing.T) {
		onBoth(t, func(t *testing.T, at string) {
			c := columns(t, migrated(t, at))
			mu.Lock()
			defer mu.Unlock()
			schemas[t.Name()] = c
		})
	})
	if len(schemas) < 2 {
		// pgtest has failed already where services are required.
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: one of the databases can't be had")
	}
	var first []string
	for _, s := range schemas {
		if first == nil {
			first = s
		}
		require.Equal(t, first, s)
	}
}

// TestMigrateAtOnce: services that start together all migrate.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	onBoth(t, func(t *testing.T, at string) {
		const many = 6
		dbs := make([]*calldb.DB, many)
		for i := range dbs {
			dbs[i] = open(t, at)
		}
		var mu sync.Mutex
		steps := 0
		var wg sync.WaitGroup
		for _, db := range dbs {
			wg.Go(func() {
				done, err := db.Migrate(t.Context())
				assert.NoError(t, err)
				mu.Lock()
				steps += len(done)
				mu.Unlock()
			})
		}
		wg.Wait()
		status, err := dbs[0].MigrationStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(status), steps, "each step was taken once")
		for _, s := range status {
			require.True(t, s.Applied)
		}
		rows, err := dbs[0].Rows(t.Context(), "SELECT CAST(count(*) AS text) FROM goose_db_version WHERE version_id > 0")
		require.NoError(t, err)
		require.Equal(t, []string{strconv.Itoa(len(status))}, rows)
	})
}

// A schema of a later release, of which no program of this one is left that runs.
func TestContractedSchemaIsRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		require.NoError(t, db.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)"))
		require.NoError(t, db.CheckSchema(t.Context()), "it says nothing of this program")
		require.NoError(t, db.Exec(t.Context(), "UPDATE schema_compatibility SET oldest_program = 98"))
		before := columns(t, db)
		refused := func(err error) {
			t.Helper()
			require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
			for _, word := range []string{"version 99", "version 98", fmt.Sprint("version ", calldb.NewestSchema), "newer switchtape", "nothing was changed"} {
				require.ErrorContains(t, err, word)
			}
		}
		_, err := db.Migrate(t.Context())
		refused(err)
		_, err = db.MigrateDown(t.Context())
		refused(err)
		_, err = db.MigrationStatus(t.Context())
		refused(err)
		refused(db.CheckSchema(t.Context()))
		_, err = calldb.Open(t.Context(), at, nil)
		refused(err)
		require.NoError(t, db.Exec(t.Context(), "DROP TABLE schema_compatibility"))
		_, err = calldb.Open(t.Context(), at, nil)
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "it doesn't say that this program is admitted: %v", err)
		require.Equal(t, before[:5], columns(t, db)[:5])
	})
}

// TestHistoryOfOldSchema: a version that was active before there was a history
// is its first entry.
func TestHistoryOfOldSchema(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		require.NoError(t, db.PutRuleSet(t.Context(), rulesets.Version{TenantID: "acme", Hash: "h1", Body: []byte("{}")}, "ann"))
		_, err := db.ChangeRuleSet(t.Context(), rulesets.Change{TenantID: "acme", Action: rulesets.ActionActivate, Hash: "h1", Actor: "ann"})
		require.NoError(t, err)
		before, err := db.RuleSetState(t.Context(), "acme")
		require.NoError(t, err)
		for {
			steps, err := db.MigrateDown(t.Context())
			require.NoError(t, err)
			require.Len(t, steps, 1)
			if steps[0].Version == 2 {
				break
			}
		}
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		after, err := db.RuleSetState(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, "h1", after.ActiveHash())
		require.Equal(t, before.Active.At, after.Active.At)
		require.Equal(t, int64(1), after.Active.ID)
	})
}
