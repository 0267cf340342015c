package calldb

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/switchtape/switchtape/callmodel"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// versions is the table in which goose notes the schema's version.
const versions = "goose_db_version"

// The rule for schemas: expand, then contract. A migration adds what the programs
// of the release before its own can do without, and what they have no more use
// for is taken away by a migration of a later release. So every program runs on
// the schema before and after its own.
const (
	// newestSchema is the version that this program's migrations make.
	newestSchema = 19
	// oldestSchema is the oldest version that this program runs on: the newest one
	// of the release before.
	oldestSchema = 2
	// kindsSchema is the version from which jobs have a kind and a reason. Before it
	// every job is a recording's, and reasons are not kept.
	kindsSchema = 3
	// fairSchema is the version from which suspects run alone, and jobs that wait are
	// out of the line. Before it an expired lease counts at once.
	fairSchema = 4
	// fleetSchema is the version from which processes say that they are there, and
	// the number of jobs is kept.
	fleetSchema = 5
	// turnsSchema is the version from which tenants take turns, fresh jobs and the
	// backlog have a share each, and emergency calls' recordings come first.
	turnsSchema = 6
	// termsSchema is the version from which calls are found by their metadata and their
	// trunk, and jobs by their call. Before it calls are looked at one by one, and of the
	// jobs of a call those alone are found whose recording has the call's id.
	termsSchema = 7
	// directorySchema is the version from which users and tenants are kept. Before it
	// there are none, and none can be stored.
	directorySchema = 8
	// keysSchema is the version from which there are API keys, and the audit log is
	// sealed. Before it there are none, and it isn't.
	keysSchema = 9
	// reportsSchema is the version from which calls and recordings are counted by the
	// hour. Before it there are no reports.
	reportsSchema = 10
	// retentionSchema is the version from which answers to idempotency keys are found by
	// their age. Before it nothing is forgotten.
	retentionSchema = 11
	// rulePartsSchema is the version from which the text of a large rule set is stored in
	// parts. Before it each is stored at once.
	rulePartsSchema = 12
	// intakeSchema is the version from which messages that could not be taken are kept,
	// and how far the outbox's readers have come. Before it neither is, and a try at a
	// message that was delivered before is always taken for its first.
	intakeSchema = 13
	// webhooksSchema is the version from which webhooks are kept. Before it there are none,
	// and none can be made.
	webhooksSchema = 14
	// promiseSchema is the version from which it is counted what became of each call that
	// was to be recorded. Before it there are no reports on that.
	promiseSchema = 15
	// defectsSchema is the version from which recordings' defects are counted by the
	// telephone server and its software. Before it there are no reports on that.
	defectsSchema = 16
	// keepingSchema is the version from which there are legal holds and recordings are
	// deleted. Before it nothing is held, and no recording is deleted.
	keepingSchema = 17
	// sharesSchema is the version from which share links are kept. Before it there are none,
	// and none can be made.
	sharesSchema = 18
	// subjectsSchema is the version from which lines of the audit log are found by what
	// they are about. Before it all of a tenant's are looked at.
	subjectsSchema = 19
	// compatibility is the table in which migrations note the oldest program that
	// runs on the schema, by the newest version that it knows. Only a migration that
	// contracts changes it.
	compatibility = "schema_compatibility"
)

// Migration is one step of the schema.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"` // of its file
	Applied bool   `json:"applied"`
}

// Migrate brings the schema up to date and returns the steps it took; none if
// there was nothing to do. Several processes may do it at once, under programs of
// the release before. A newer schema is left as it is if it admits this program,
// and refused with CodeConflict if it doesn't.
func (d *DB) Migrate(ctx context.Context) ([]Migration, error) {
	return d.migrate(ctx, migrateUp, func(p *goose.Provider) ([]*goose.MigrationResult, error) { return p.Up(ctx) })
}

// MigrateDown takes the newest step back, with all the data that it holds, and
// returns it; none if the database is empty.
func (d *DB) MigrateDown(ctx context.Context) ([]Migration, error) {
	return d.migrate(ctx, "migrate down", func(p *goose.Provider) ([]*goose.MigrationResult, error) {
		r, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil, nil
		}
		if r == nil {
			return nil, err
		}
		return []*goose.MigrationResult{r}, err
	})
}

// MigrationStatus lists every step that this program knows, oldest first.
func (d *DB) MigrationStatus(ctx context.Context) ([]Migration, error) {
	at, err := d.boundedVersion(ctx)
	if err != nil {
		return nil, err
	}
	p, err := d.provider()
	if err != nil {
		return nil, d.fail("read the migrations", err)
	}
	var all []Migration
	for _, s := range p.ListSources() {
		all = append(all, Migration{Version: s.Version, Name: path.Base(s.Path), Applied: s.Version <= at})
	}
	return all, nil
}

// CheckSchema reports a schema that this program doesn't run on, for a service
// that doesn't migrate. A program runs on the schema of the release before its
// own, and on every newer one that admits it: CodeUnavailable for an older one,
// CodeConflict for a newer one. The messages say what to do.
func (d *DB) CheckSchema(ctx context.Context) error {
	at, err := d.boundedVersion(ctx)
	if err != nil {
		return err
	}
	if at < oldestSchema {
		return callmodel.Errorf(callmodel.CodeUnavailable,
			"calldb: %s: its schema is version %d, and this program needs version %d or, better, %d: run \"switchtape migrate up\"",
			d.name, at, oldestSchema, newestSchema)
	}
	return nil
}

// racers bounds how often a migration is begun again because another process
// was at it: every time the schema has come further.
const racers = 10

func (d *DB) migrate(ctx context.Context, op string, run func(*goose.Provider) ([]*goose.MigrationResult, error)) ([]Migration, error) {
	var done []Migration
	for try := 0; ; try++ {
		before, err := d.schemaVersion(ctx)
		if err != nil {
			return done, err
		}
		if before > newestSchema {
			return done, d.newer(op, before)
		}
		p, err := d.provider()
		if err != nil {
			return done, d.fail(op, err)
		}
		results, err := run(p)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			results = partial.Applied
		}
		for _, r := range results {
			done = append(done, Migration{Version: r.Source.Version, Name: path.Base(r.Source.Path), Applied: r.Direction == "up"})
		}
		if err == nil {
			_, err = d.schemaVersion(ctx)
			return done, err
		}
		// SQLite has no lock that outlives a transaction. Each step is one, so
		// the loser of a race changed nothing; it looks again at what is left.
		after, verr := d.schemaVersion(ctx)
		if d.dialect.numbered || try >= racers || verr != nil || after == before && !d.raced(ctx, err, before) {
			return done, d.fail(op, err)
		}
	}
}

// newer is what a migration of a newer schema comes to: up there is nothing to
// do, and down only the program that made it knows the way.
func (d *DB) newer(op string, at int64) error {
	if op == migrateUp {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeConflict,
		"calldb: %s: its schema is version %d, and this program knows the way back from version %d: use the switchtape that made it; nothing was changed",
		d.name, at, newestSchema)
}

const migrateUp = "migrate up"

// raced reports whether a migration lost its race to the very first table,
// goose's own, which is there now.
func (d *DB) raced(ctx context.Context, err error, before int64) bool {
	exists, eerr := d.hasTable(ctx, versions)
	return before == 0 && eerr == nil && exists && d.dialect.classify(err) == faultOther && ctx.Err() == nil
}

func (d *DB) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, d.dialect.migrations)
	if err != nil {
		return nil, err
	}
	o := []goose.ProviderOption{
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true), goose.WithTableName(versions),
	}
	if d.dialect.numbered {
		// Tried every second for a minute: a migration may be long.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, err
		}
		o = append(o, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(d.dialect.goose, d.write.DB, dir, o...)
}

// schemaVersion is the database's version, 0 for an empty one, which the
// statements keep to from now on. A newer version that doesn't admit this program
// is refused.
func (d *DB) schemaVersion(ctx context.Context) (int64, error) {
	at, err := d.lookAtSchema(ctx)
	if err != nil {
		return 0, err
	}
	d.schema.Store(at)
	return at, nil
}

// boundedVersion is schemaVersion within Options.Timeout.
func (d *DB) boundedVersion(ctx context.Context) (at int64, err error) {
	err = d.bounded(ctx, "read the schema's version", func(ctx context.Context) error {
		at, err = d.schemaVersion(ctx)
		return err
	})
	return at, err
}

func (d *DB) lookAtSchema(ctx context.Context) (int64, error) {
	exists, err := d.hasTable(ctx, versions)
	if err != nil || !exists {
		return 0, err
	}
	var at int64
	err = d.read.QueryRowContext(ctx, "SELECT COALESCE(max(version_id), 0) FROM "+versions).Scan(&at)
	if err != nil {
		return 0, d.fail("read the schema's version", err)
	}
	if at <= newestSchema {
		return at, nil
	}
	oldest, err := d.oldestProgram(ctx, at)
	if err != nil {
		return 0, err
	}
	if newestSchema < oldest {
		return 0, callmodel.Errorf(callmodel.CodeConflict,
			"calldb: %s: its schema is version %d, which programs that know version %d or later run on, and this program knows up to version %d: "+
				"run a newer switchtape, or take the schema back with the one that made it (\"switchtape migrate down\"); nothing was changed",
			d.name, at, oldest, newestSchema)
	}
	return at, nil
}

// oldestProgram is the newest schema version that a program must know at least to
// run on the database's schema, which is at the version at.
func (d *DB) oldestProgram(ctx context.Context, at int64) (int64, error) {
	exists, err := d.hasTable(ctx, compatibility)
	if err != nil || !exists {
		return at, err
	}
	var oldest int64
	err = d.read.QueryRowContext(ctx, "SELECT COALESCE(max(oldest_program), 0) FROM "+compatibility).Scan(&oldest)
	return oldest, d.fail("read which programs the schema admits", err)
}

func (d *DB) hasTable(ctx context.Context, name string) (bool, error) {
	query := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '" + name + "'"
	if d.dialect.numbered {
		query = "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('" + name + "')"
	}
	var n int
	if err := d.read.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return false, d.fail("look for the schema", err)
	}
	return n > 0, nil
}

// String is the step as a line of text.
func (m Migration) String() string {
	state := "pending"
	if m.Applied {
		state = "applied"
	}
	return fmt.Sprintf("%-7s %s", state, m.Name)
}
