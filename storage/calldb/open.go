package calldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Options tunes a [DB]. The zero value is what a service needs.
type Options struct {
	// MaxConns bounds the connections: all of them to PostgreSQL, those that
	// read to SQLite, which has one writer besides. 0 means 8.
	MaxConns int
	// BusyTimeout is how long SQLite waits for another process to let go of
	// the file. 0 means 5 s.
	BusyTimeout time.Duration
	// ConnectTimeout bounds a connection attempt to PostgreSQL, unless the URL
	// says connect_timeout. 0 means 5 s.
	ConnectTimeout time.Duration
	// Timeout bounds Open, and every use of the stores whose context ends later, or
	// never: CodeUnavailable. On SQLite a write that has begun ends by itself.
	// Migrations, which may take long, are not bounded. 0 means 30 s, or twice
	// BusyTimeout if that is longer.
	Timeout time.Duration
	// ReplicaURL is a standby of the PostgreSQL database that is asked for lists of
	// calls and for reports as long as it can be and is at most MaxLag behind; else the
	// database is. It has MaxConns connections of its own. "" means none.
	ReplicaURL string
	// MaxLag is how old lists and reports may be. 0 means 30 s.
	MaxLag time.Duration
	// SecretKeys encrypt the secrets of webhooks, those that are there already when they
	// are changed next or by [DB.EncryptSecrets]. Nil: they are kept as they are, and
	// nothing can be signed with those that are encrypted.
	SecretKeys *SecretKeys
	// MustExist refuses to create a missing SQLite file: for commands that only look.
	MustExist bool
	// Later opens without asking the database anything, for services that start
	// without it. Until [DB.CheckSchema] finds nothing wrong, every use asks it
	// again, and fails with what it finds.
	Later bool
}

// DB keeps calls, jobs, rule sets, audit and outbox in one SQL database. It
// implements every store of Switchtape and is safe for concurrent use.
type DB struct {
	dialect *dialect
	name    string // for messages: kind and place, without a password
	opts    Options
	write   *pool
	read    *pool // the same as write on PostgreSQL
	replica *replica
	group   *group // of SQLite's transactions; nil elsewhere
	// together stores new calls on PostgreSQL; nil elsewhere.
	together  *together
	turns     storeform.Turns
	bells     bells
	listeners listeners
	// listenTo is how to connect to listen for jobs; nil where that can't be.
	listenTo *pgx.ConnConfig
	usable   atomic.Bool  // the schema was looked at, or somebody else sees to it
	schema   atomic.Int64 // its version when it was looked at last; 0: not known
}

// Open connects to the database that rawURL names and checks that it is there:
//
//	sqlite:///abs/path.db, sqlite:rel/path.db       a file, made if it is missing
//	postgres://user:password@host:port/database     or postgresql://
//
// It changes no schema: see [DB.Migrate]. A schema of a later release that
// doesn't admit this program is refused. The errors name the database, never its
// password: CodeInvalid for a URL that can't be read, CodeUnavailable for a
// database that can't be reached, is locked or can't be written, CodeConflict
// for such a schema.
func Open(ctx context.Context, rawURL string, o *Options) (*DB, error) {
	d := &DB{}
	if o != nil {
		d.opts = *o
	}
	if d.opts.MaxConns <= 0 {
		d.opts.MaxConns = 8
	}
	if d.opts.BusyTimeout <= 0 {
		d.opts.BusyTimeout = 5 * time.Second
	}
	if d.opts.Timeout <= 0 {
		d.opts.Timeout = max(30*time.Second, 2*d.opts.BusyTimeout)
	}
	if d.opts.MaxLag <= 0 {
		d.opts.MaxLag = 30 * time.Second
	}
	if d.opts.ConnectTimeout <= 0 {
		d.opts.ConnectTimeout = 5 * time.Second
	}
	scheme, _, found := strings.Cut(rawURL, ":")
	postgres := scheme == "postgres" || scheme == "postgresql"
	switch {
	case !found:
		return nil, badURL("%s has no scheme; write sqlite:///abs/path.db or postgres://user@host/database", redact(rawURL))
	case scheme == "sqlite":
		if err := d.openSQLite(rawURL); err != nil {
			return nil, err
		}
	case postgres:
		d.dialect, d.name = postgresDialect(), "PostgreSQL "+redact(rawURL)
		db, cfg, err := openPostgres(rawURL, &d.opts)
		if err != nil {
			return nil, err
		}
		d.listenTo = cfg
		d.write = newPool(db, d.dialect)
		d.read = d.write
		d.together = &together{d: d}
		if d.opts.ReplicaURL != "" {
			if d.replica, err = openReplica(&d.opts); err != nil {
				return nil, errors.Join(err, db.Close())
			}
		}
	default:
		return nil, badURL("%s: %q is not one of sqlite, postgres", redact(rawURL), scheme)
	}
	if d.opts.ReplicaURL != "" && !postgres {
		return nil, errors.Join(badURL("%s has no replica; leave it out", redact(rawURL)), d.Close())
	}
	if d.opts.Later {
		return d, nil
	}
	d.usable.Store(true)
	err := d.bounded(ctx, "open", func(ctx context.Context) error {
		if err := d.Ping(ctx); err != nil {
			return err
		}
		_, err := d.schemaVersion(ctx)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) openSQLite(rawURL string) error {
	path, err := sqlitePath(rawURL)
	if err != nil {
		return err
	}
	d.dialect, d.name = sqliteDialect(), "SQLite "+path
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return badURL("%q names a directory; give a file in it", rawURL)
	case errors.Is(err, os.ErrNotExist) && d.opts.MustExist:
		return callmodel.Errorf(callmodel.CodeNotFound,
			"calldb: %s: there is no such file; check the path, or run \"switchtape migrate up\" to make it", d.name)
	}
	write, read, err := openSQLite(path, &d.opts)
	if err != nil {
		return d.fail("open", err)
	}
	d.write, d.read = newPool(write, d.dialect), newPool(read, d.dialect)
	d.group = &group{d: d}
	return nil
}

// Ping checks that the database answers.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.write.PingContext(ctx); err != nil {
		return d.fail("connect", err)
	}
	// Opening a file reads nothing of it; this does.
	var one int
	err := d.read.QueryRowContext(ctx, "SELECT 1 FROM (SELECT count(*) AS n FROM "+d.catalogue()+") AS tables").Scan(&one)
	return d.fail("connect", err)
}

func (d *DB) catalogue() string {
	if d.dialect.numbered {
		return "pg_catalog.pg_namespace"
	}
	return "sqlite_schema"
}

// Close closes all connections.
func (d *DB) Close() error {
	err := d.write.Close()
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	if d.replica != nil {
		err = errors.Join(err, d.replica.pool.Close())
	}
	return err
}

// Connections is how the connections stand, by what they are for: "calls", on SQLite
// those that "read" besides, and those to the "replica". It asks no database.
func (d *DB) Connections() map[string]sql.DBStats {
	all := map[string]sql.DBStats{"calls": d.write.Stats()}
	if d.read != d.write {
		all["read"] = d.read.Stats()
	}
	if d.replica != nil {
		all["replica"] = d.replica.pool.Stats()
	}
	return all
}

// String is the database for messages, without its password.
func (d *DB) String() string { return d.name }

// Now is the database's clock.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	var us int64
	if err := d.read.QueryRowContext(ctx, d.read.text("SELECT @now")).Scan(&us); err != nil {
		return time.Time{}, d.fail("read the clock", err)
	}
	return time.UnixMicro(us).UTC(), nil
}

// redact is a database URL without its password, for messages. Of a URL whose
// password can't be told from the rest only the scheme is shown.
func redact(raw string) string {
	raw, hosts := oneHost(raw)
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Scheme == "" || ambiguous(raw) {
		if scheme, _, ok := strings.Cut(raw, ":"); ok && callmodel.ValidID(scheme) {
			return scheme + ":…"
		}
		return "…"
	}
	shown := url.URL{Scheme: u.Scheme, Host: cmp.Or(hosts, u.Host), Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	if host := u.Query().Get("host"); host != "" && u.Host == "" {
		shown.RawQuery = "host=" + host
	}
	return shown.String()
}

// oneHost is the URL of several hosts, as PostgreSQL has them, with the first of them
// alone, and all of them; "" where there is one.
func oneHost(raw string) (first, hosts string) {
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return raw, ""
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	at := strings.LastIndex(authority, "@") + 1
	one, _, several := strings.Cut(authority[at:], ",")
	if !several {
		return raw, ""
	}
	return scheme + "://" + authority[:at] + one + path, authority[at:]
}

// ambiguous reports a URL that one reader may split elsewhere than another: a
// password with a bare '@', '/', '?' or '#' would be taken for a host or a
// path, and shown.
func ambiguous(raw string) bool {
	_, rest, _ := strings.Cut(raw, "://")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	at := strings.Count(rest, "@")
	return at > 1 || at != strings.Count(authority, "@") || strings.Contains(rest, "#")
}
