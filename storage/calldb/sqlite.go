package calldb

import (
	"database/sql"
	"errors"
	"maps"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/switchtape/switchtape/callmodel"
)

// SQLiteURL is the URL of the SQLite database in the file path.
func SQLiteURL(path string) string {
	escaped := (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	if strings.HasPrefix(escaped, "/") {
		return "sqlite://" + escaped
	}
	return "sqlite:" + escaped
}

// sqlitePath is the file that a sqlite URL names.
func sqlitePath(raw string) (string, error) {
	rest := strings.TrimPrefix(raw, "sqlite:")
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return "", badURL("%q: two slashes are followed by a host, and SQLite has none; write sqlite:%s for a relative path or sqlite:///%s for an absolute one",
				raw, after, after)
		}
		rest = after
	}
	if strings.ContainsAny(rest, "?#") {
		return "", badURL("%q: a sqlite URL takes no options; write %%3F or %%23 for a question mark or a number sign in the path", raw)
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return "", badURL("%q: %v; write %%25 for a percent sign in the path", raw, err)
	}
	switch {
	case path == "":
		return "", badURL("%q names no file; write sqlite:///abs/path.db or sqlite:rel/path.db", raw)
	case strings.Contains(path, ":memory:"):
		return "", badURL("%q: a ledger in memory would lose its jobs; give a file", raw)
	case strings.ContainsRune(path, 0):
		return "", badURL("%q: the path holds a NUL", raw)
	}
	return path, nil
}

func badURL(format string, args ...any) error {
	return callmodel.Errorf(callmodel.CodeInvalid, "calldb: database URL "+format, args...)
}

// sqliteDialect is SQLite through modernc's driver, which needs no cgo.
func sqliteDialect() *dialect {
	return &dialect{
		name:       "SQLite",
		goose:      goose.DialectSQLite3,
		migrations: "migrations/sqlite",
		// SQLite's clock counts milliseconds; it stands still within a statement.
		now:      "(CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER) * 1000)",
		turns:    "json_each(?) AS turn",
		each:     ", json_each((SELECT json_group_array(value) FROM (",
		endEach:  ")))",
		find:     "instr",
		planOnce: "''", // they are kept for good
		lazily:   "''", // commits are made together
		// What is deleted keeps its row, so the largest never goes down.
		nextChange: "(SELECT COALESCE(max(seq), 0) + 1 FROM directory)",
		prepare:    true,
		// The plus sign changes nothing, and keeps SQLite from planning for the number, which it
		// would do anew at each use.
		limit:    "LIMIT +?",
		group:    true,
		retries:  0, // the busy timeout has waited already
		classify: classifySQLite,
	}
}

// openSQLite opens one connection to write, for SQLite has one writer, and
// some to read, which WAL lets go on beside it.
func openSQLite(path string, o *Options) (write, read *sql.DB, err error) {
	base := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?"
	q := url.Values{}
	q.Add("_pragma", "busy_timeout("+strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10)+")")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)") // a committed job survives a power cut
	q.Add("_pragma", "foreign_keys(1)")
	if o.MustExist {
		q.Set("mode", "rw")
	}
	w := url.Values{"_txlock": {"immediate"}}
	maps.Copy(w, q)
	if write, err = sql.Open("sqlite", base+w.Encode()); err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetMaxIdleConns(1)
	q.Add("_pragma", "query_only(1)")
	if read, err = sql.Open("sqlite", base+q.Encode()); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(o.MaxConns)
	read.SetMaxIdleConns(o.MaxConns)
	return write, read, nil
}

func classifySQLite(err error) fault {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return faultOther
	}
	switch e.Code() & 0xff { // the low byte is the primary code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return faultLocked
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return faultUnavailable
	case sqlite3.SQLITE_CANTOPEN:
		return faultNoFile
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return faultNotDatabase
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return faultReadOnly
	}
	if strings.Contains(e.Error(), "no such table") || strings.Contains(e.Error(), "no such column") {
		return faultNoTable
	}
	return faultOther
}
