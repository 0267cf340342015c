package calldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func TestOpenRefusesURLs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		url, says string
		code      callmodel.Code
	}{
		{"", "no scheme", callmodel.CodeInvalid},
		{"ledger.db", "no scheme", callmodel.CodeInvalid},
		{"mysql://u:s3cret@h/db", "not one of sqlite, postgres", callmodel.CodeInvalid},
		{"sqlite:", "names no file", callmodel.CodeInvalid},
		{"sqlite://ledger.db", "sqlite:ledger.db", callmodel.CodeInvalid},
		{"sqlite::memory:", "give a file", callmodel.CodeInvalid},
		{"sqlite:x.db?mode=ro", "no options", callmodel.CodeInvalid},
		{"sqlite:50%.db", "%25", callmodel.CodeInvalid},
		{calldb.SQLiteURL(dir), "directory", callmodel.CodeInvalid},
		{calldb.SQLiteURL(filepath.Join(dir, "no", "such.db")), "directory exists", callmodel.CodeUnavailable},
		{"postgres://u:s3cret@h:port/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:s3cret%zz@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:s3cret@h/db?sslmode=perhaps", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:p@s3cret#x@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:1/s3cret@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:1?s3cret@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:s3cret@1@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"postgres://u:1@s3cret@h/db", "percent-encoded", callmodel.CodeInvalid},
		{"host=h password=s3cret dbname=db", "no scheme", callmodel.CodeInvalid},
	} {
		_, err := calldb.Open(t.Context(), c.url, &calldb.Options{ConnectTimeout: time.Second})
		require.ErrorContains(t, err, c.says, c.url)
		require.NotContains(t, err.Error(), "s3cret", "%s: %v", c.url, err)
		require.Equal(t, c.code, callmodel.CodeOf(err), "%s: %v", c.url, err)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "a refusal leaves nothing behind")
}

func TestPostgresUnreachable(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = calldb.Open(t.Context(), "postgres://ann:s3cret@"+at+"/ledger?password=s3cret", nil)
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	require.NotContains(t, err.Error(), "s3cret")
	require.ErrorContains(t, err, at)
}

func TestMustExist(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "typo.db")
	_, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), &calldb.Options{MustExist: true})
	require.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(err))
	require.ErrorContains(t, err, path)
	require.NoFileExists(t, path)
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "song.wav")
	content := []byte(strings.Repeat("RIFF not a database ", 1000))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), nil)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "not a SQLite database")
	after, rerr := os.ReadFile(path)
	require.NoError(t, rerr)
	require.Equal(t, content, after, "untouched")
}

func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 100; i < len(b); i++ {
		b[i] = 0xA5
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
	db, err = calldb.Open(t.Context(), calldb.SQLiteURL(path), nil)
	if err == nil {
		_, _, err = db.Enqueue(t.Context(), storetest.Request("c1"))
		require.NoError(t, db.Close())
	}
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "damaged")
}

func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	holder := migrated(t, calldb.SQLiteURL(path))
	waiting, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), &calldb.Options{BusyTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, waiting.Close()) })

	require.NoError(t, holder.Exec(t.Context(), "BEGIN IMMEDIATE"))
	_, _, err = waiting.Enqueue(t.Context(), storetest.Request("c1"))
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	for _, word := range []string{path, "locked by another process", "50ms"} {
		require.ErrorContains(t, err, word)
	}
	_, err = waiting.Stats(t.Context())
	require.NoError(t, err, "reading goes on")
	require.NoError(t, holder.Exec(t.Context(), "COMMIT"))
	_, _, err = waiting.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
}

func TestLockedFromTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	holder, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	holder.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, holder.Close()) })
	_, err = holder.ExecContext(t.Context(), "CREATE TABLE mine (x)")
	require.NoError(t, err)
	_, err = holder.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	_, err = calldb.Open(t.Context(), calldb.SQLiteURL(path), &calldb.Options{BusyTimeout: 20 * time.Millisecond})
	require.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "locked by another process")
}

// TestWaitingEndsWithItsContext: who waits behind a locked file for its turn
// to write goes when its context ends, and has written nothing.
func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	holder := migrated(t, calldb.SQLiteURL(path))
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(path), &calldb.Options{BusyTimeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	require.NoError(t, holder.Exec(t.Context(), "BEGIN IMMEDIATE"))

	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, err := db.Enqueue(t.Context(), storetest.Request("leader"))
		assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	})
	for _, id := range []string{"a", "b", "c"} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, _, err := db.Enqueue(ctx, storetest.Request(id))
			assert.Error(t, err)
		})
	}
	wg.Wait()
	require.NoError(t, holder.Exec(t.Context(), "COMMIT"))
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, jobs)
	_, created, err := db.Enqueue(t.Context(), storetest.Request("a"))
	require.NoError(t, err, "and the next one is served")
	require.True(t, created)
}

// TestConnectionsCut: a database that cuts its connections gives errors that
// say so, and is used again as soon as it is back.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	at := pgtest.URL(t)
	db, admin := migrated(t, at), open(t, at)
	for i := range 20 {
		require.NoError(t, admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`))
		id := fmt.Sprintf("c%d", i)
		require.Eventually(t, func() bool {
			_, _, err := db.Enqueue(t.Context(), storetest.Request(id))
			if err != nil {
				assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
			}
			return err == nil
		}, 30*time.Second, 5*time.Millisecond)
	}
	q, err := db.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 20, q.Queued)
}
