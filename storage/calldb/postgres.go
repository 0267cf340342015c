package calldb

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// lineLock is the advisory lock of the functions in migrations/postgres that
// give out the ids of audit lines and outbox events.
const lineLock = "7286232109"

// postgresDialect is PostgreSQL 12 or later through pgx.
func postgresDialect() *dialect {
	return &dialect{
		name:       "PostgreSQL",
		goose:      goose.DialectPostgres,
		migrations: "migrations/postgres",
		// The statement's time, not now(), which is the transaction's: a
		// statement may have waited for others. Stable, so that indexes serve.
		now:        "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint",
		forUpdate:  "FOR UPDATE",
		skipLocked: "FOR UPDATE SKIP LOCKED",
		turns:      "json_array_elements_text(?::json) WITH ORDINALITY AS turn(value, key)",
		each:       "CROSS JOIN LATERAL (",
		endEach:    ")",
		find:       "strpos",
		nextChange: "next_line('directory_seq')",
		indexed:    `COLLATE "default"`,
		limit:      "LIMIT ?",
		lazily:     "set_config('synchronous_commit', 'off', true)",
		planOnce:   "set_config('plan_cache_mode', 'force_generic_plan', true)",
		numbered:   true,
		notifies:   true,
		awaitLines: "SELECT pg_advisory_xact_lock(" + lineLock + ")",
		retries:    5,
		classify:   classifyPostgres,
	}
}

// applicationName is what our connections are called, unless the URL says otherwise.
const applicationName = "switchtape"

func openPostgres(raw string, o *Options) (*sql.DB, *pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(raw)
	if err != nil || ambiguous(raw) {
		// pgx's own message may hold what it couldn't parse, password included.
		return nil, nil, badURL("%s can't be read: check that it has the form postgres://user:password@host:port/database?sslmode=…, "+
			"with special characters in the password percent-encoded", redact(raw))
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = o.ConnectTimeout
	}
	cfg.DialFunc = dialer(cfg.ConnectTimeout).DialContext
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = applicationName
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(idleConn) // of an idle process one stays, and not as many as it once needed
	return db, cfg, nil
}

// idleConn is after how long a connection is closed that nobody needs.
const idleConn = time.Minute

// A connection whose other end has vanished without a word is noticed within
// deadAfter: while nothing is sent, by keepalives, and while something is that
// isn't acknowledged, by the user timeout where the system has one. A server that is
// there and silent is another matter: the deadline of each call ends that.
const (
	deadAfter       = 30 * time.Second
	keepaliveIdle   = 15 * time.Second
	keepaliveEvery  = 5 * time.Second
	keepaliveProbes = 3
)

func dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout: timeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: keepaliveIdle, Interval: keepaliveEvery, Count: keepaliveProbes,
		},
		Control: userTimeout,
	}
}

func classifyPostgres(err error) fault {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == "40001" || e.Code == "40P01": // serialisation failure, deadlock
			return faultRetry
		case e.Code == "42P01" || e.Code == "42703" || e.Code == "42883": // no table, column, function
			return faultNoTable
		case e.Code == "3D000" || strings.HasPrefix(e.Code, "28"): // no database; authorisation
			return faultAccess
		case e.Code == "25006": // read-only: a standby
			return faultUnavailable
		case strings.HasPrefix(e.Code, "08"), // connection
			strings.HasPrefix(e.Code, "53"),  // out of connections, memory, disk
			strings.HasPrefix(e.Code, "57P"), // shutting down, starting up
			strings.HasPrefix(e.Code, "58"):  // its system failed
			return faultUnavailable
		}
		return faultOther
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "unexpected EOF") ||
		strings.Contains(err.Error(), "conn closed") {
		return faultUnavailable
	}
	return faultOther
}
