package calldb_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func sqliteURL(t testing.TB) string {
	t.Helper()
	return calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger #1 50%?.db"))
}

// onBoth runs test on an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, at string)) {
	t.Helper()
	for name, at := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": pgtest.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, at(t))
		})
	}
}

func open(t testing.TB, at string) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func migrated(t testing.TB, at string) *calldb.DB {
	t.Helper()
	db := open(t, at)
	_, err := db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

// migratedPostgres is a database of its own with the newest schema.
func migratedPostgres(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, "newest schema", func(t testing.TB, at string) {
		t.Helper()
		db, err := calldb.Open(t.Context(), at, nil)
		require.NoError(t, err)
		_, err = db.Migrate(t.Context())
		require.NoError(t, errors.Join(err, db.Close()))
	})
}

// env is the database as the suites see it.
func env(db *calldb.DB) storetest.Env {
	e := storetest.Of(db)
	e.Older = func(t *testing.T, d time.Duration) {
		t.Helper()
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("UPDATE jobs SET created_at = created_at - %d", d.Microseconds())))
	}
	return e
}

// envKeeping is env for a schema that says until when recordings are kept.
func envKeeping(db *calldb.DB) storetest.Env {
	e := env(db)
	made := e.Older
	e.Older = func(t *testing.T, d time.Duration) {
		t.Helper()
		made(t, d)
		require.NoError(t, db.Exec(t.Context(), fmt.Sprintf("UPDATE jobs SET retain_until = retain_until - %d WHERE retain_until > 0", d.Microseconds())))
	}
	return e
}

func TestStores(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": migratedPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.All(t, func(t *testing.T) storetest.Env { t.Helper(); return envKeeping(migrated(t, at(t))) })
		})
	}
}
