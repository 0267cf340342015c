package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// Taking a migration back loses what its tables hold, and breaks what runs: it is asked
// for, and refused while anybody uses the database.
func TestMigrateDownAsks(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { t.Helper(); return calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db")) },
		"PostgreSQL": pgtest.URL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := at(t)
			applied := func() (n int) {
				t.Helper()
				var list struct {
					Migrations []migrationJSON `json:"migrations"`
				}
				runJSON(t, &list, "migrate", "status", "--db", url)
				for _, m := range list.Migrations {
					if m.Applied {
						n++
					}
				}
				return n
			}
			code, _, errs := run(t, "migrate", "up", "--db", url)
			require.Zero(t, code, errs)
			all := applied()

			code, _, errs = run(t, "migrate", "down", "--db", url)
			require.Equal(t, 2, code)
			require.Contains(t, errs, "say --yes")
			null, err := os.Open(os.DevNull)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, null.Close()) })
			code, _, _ = runAnswering(t, null, "migrate", "down", "--db", url)
			require.Equal(t, 2, code, "a file is nobody")
			for _, answer := range []string{"no\n", "y\n", ""} {
				code, _, errs = runAnswering(t, strings.NewReader(answer), "migrate", "down", "--db", url)
				require.Equal(t, 1, code)
				require.Contains(t, errs, "What its tables and columns hold is lost. [yes/no]")
				require.Contains(t, errs, "nothing was changed")
			}
			require.Equal(t, all, applied())
			code, out, errs := runAnswering(t, strings.NewReader("yes\n"), "migrate", "down", "--db", url)
			require.Zero(t, code, errs)
			require.Contains(t, out, "taken back")
			require.Equal(t, all-1, applied())

			db := openLedger(t, url)
			w := ledger.Presence{Role: ledger.RoleWorker, Name: "pbx-1-77"}
			require.NoError(t, db.Present(t.Context(), w))
			code, _, errs = run(t, "migrate", "down", "--yes", "--db", url)
			require.Equal(t, 1, code)
			require.Regexp(t, `worker pbx-1-77, seen \ds ago`, errs)
			require.Contains(t, errs, "--force")
			require.NoError(t, db.Gone(t.Context(), w))
			if name == "PostgreSQL" { // one that says nothing is connected all the same
				code, _, errs = run(t, "migrate", "down", "--yes", "--db", url)
				require.Equal(t, 1, code)
				require.Regexp(t, `connections of switchtape from .*: \d`, errs)
			}
			require.NoError(t, db.Present(t.Context(), w))
			require.Equal(t, all, applied(), "what looks at the database brought it up to date")
			code, _, errs = runAnswering(t, strings.NewReader("no\n"), "migrate", "down", "--force", "--db", url)
			require.Equal(t, 1, code)
			require.Contains(t, errs, "In use by worker pbx-1-77")
			code, _, errs = run(t, "migrate", "down", "--force", "--yes", "--db", url)
			require.Zero(t, code, errs)
			require.Equal(t, all-1, applied())
		})
	}
}
