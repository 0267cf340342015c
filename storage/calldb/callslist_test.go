package calldb_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// manyCalls are n calls of the tenant "acme" as a program of the release before stores
// them, the newest last, by one statement: c0 is the only one that was rejected and the
// only one of shop a, and every second came in by the trunk t1.
func manyCalls(t testing.TB, db *calldb.DB, n int) {
	t.Helper()
	numbers := "generate_series(0, %d) AS g(i)"
	if db.Kind() == "SQLite" {
		numbers = "(WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g)"
	}
	state := "CASE i WHEN 0 THEN 'rejected' ELSE 'ended' END"
	require.NoError(t, db.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc)
		SELECT 'acme', 'c' || i, `+state+`, '+1', '+2', i,
			'{"id":"c' || i || '","tenant_id":"acme","state":"' || `+state+` || '","from":{"number":"+1"},"to":{"number":"+2"},' ||
			'"metadata":{"shop":"' || CASE i WHEN 0 THEN 'a' ELSE 'b' END || '"}' || CASE i %% 2 WHEN 0 THEN ',"trunk":"t1"' ELSE '' END || '}'
		FROM `+numbers, n-1)))
}

// A page ends after a bounded number of calls that aren't of it, and the next one goes
// on there: whatever is asked for is found, once.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		const n = 2*calldb.MaxLookedAt + 10
		manyCalls(t, db, n)
		for name, f := range map[string]calls.Filter{
			"all":      {State: calls.Rejected},
			"number":   {State: calls.Rejected, Number: "+2"},
			"unlisted": {Metadata: map[string]string{"shop": "a"}},
		} {
			pages, found := 0, []calls.Call{}
			for {
				page, err := db.Calls(t.Context(), "acme", f)
				require.NoError(t, err)
				pages, found = pages+1, append(found, page.Calls...)
				if f.Before = page.Next; f.Before == "" {
					break
				}
			}
			require.Len(t, found, 1, name)
			require.Equal(t, "c0", string(found[0].ID), name)
			require.Equal(t, 3, pages, name)
		}
		page, err := db.Calls(t.Context(), "acme", calls.Filter{Number: "+1", Limit: 2})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("c", n-1), string(page.Calls[0].ID))
	})
}

// What a program before stored is found by its terms once the schema is migrated, but
// for what JSON functions can't read, which is found all the same; and so is what such
// a program stores later.
func TestTermsOfCallsBefore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := between(t, at, calldb.TermsSchema-1)
		manyCalls(t, db, 2500)
		nul := storetest.NewCall("nul")
		nul.Call.Trunk = "t1"
		_, err := db.CreateCall(t.Context(), nul)
		require.NoError(t, err)
		count := func(f calls.Filter) (n int) {
			t.Helper()
			for {
				page, err := db.Calls(t.Context(), "acme", f)
				require.NoError(t, err)
				n += len(page.Calls)
				if f.Before = page.Next; f.Before == "" {
					return n
				}
			}
		}
		check := func(trunk, shop int) {
			t.Helper()
			require.Equal(t, trunk, count(calls.Filter{Trunk: "t1"}))
			require.Equal(t, shop, count(calls.Filter{Metadata: map[string]string{"shop": "a"}}))
			require.Equal(t, 1, count(calls.Filter{Metadata: nul.Call.Metadata}))
		}
		check(1251, 1)
		_, err = db.Migrate(t.Context())
		require.NoError(t, err)
		check(1251, 1)
		rows, err := db.Rows(t.Context(), "SELECT id FROM calls WHERE terms = 0")
		require.NoError(t, err)
		require.Equal(t, []string{"nul"}, rows)
		rows, err = db.Rows(t.Context(), "SELECT count(*) FROM call_terms")
		require.NoError(t, err)
		require.Equal(t, []string{"3750"}, rows)

		require.NoError(t, db.Exec(t.Context(), `INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc)
			VALUES ('acme', 'old', 'ended', '', '', 7, '{"id":"old","metadata":{"shop":"a"},"trunk":"t1"}')`))
		check(1252, 2)
		_, err = db.MigrateDown(t.Context())
		require.NoError(t, err)
	})
}
