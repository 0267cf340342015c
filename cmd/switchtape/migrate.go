package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply every migration that the database lacks."`
	Down   migrateDown   `cmd:"" help:"Take back the newest migration."`
	Status migrateStatus `cmd:"" help:"List the migrations and which are applied."`
}

type migrateOptions struct {
	service.DBOptions
	JSON bool `help:"Print the migrations as JSON." name:"json"`
}

type (
	migrateUp     struct{ migrateOptions }
	migrateStatus struct{ migrateOptions }
)

func (c *migrateUp) Run(ctx context.Context, s cli.Streams) error {
	return c.do(ctx, s, false, "applied", "nothing to apply: the schema is up to date", (*calldb.DB).Migrate)
}

type migrateDown struct {
	migrateOptions
	Yes   bool `help:"Don't ask."`
	Force bool `help:"Do it though processes use the database. They fail on what is missing then, until they are stopped or the migration is applied again: calls are refused, but for emergency calls, and recordings aren't made."`
}

func (c *migrateDown) Run(ctx context.Context, s cli.Streams) error {
	name, newest, users, err := c.before(ctx)
	switch {
	case err != nil:
		return err
	case newest == "":
	case len(users) > 0 && !c.Force:
		return callmodel.Errorf(callmodel.CodeConflict, "%s is in use: %s; stop them first (a process that was killed counts for %v), or see --force; nothing was changed",
			name, strings.Join(users, "; "), ledger.PresenceTTL)
	case !c.Yes:
		question := name + ": take back " + newest + "? What its tables and columns hold is lost."
		if len(users) > 0 {
			question += " In use by " + strings.Join(users, "; ") + ": they will fail."
		}
		yes, asked := s.Confirm(question)
		if !asked {
			return cli.Usagef("taking %s back loses what its tables and columns hold, and there is nobody to ask: say --yes", newest)
		}
		if !yes {
			return callmodel.Errorf(callmodel.CodeConflict, "nothing was changed")
		}
	}
	return c.do(ctx, s, true, "taken back", "nothing to take back: the database has no schema", (*calldb.DB).MigrateDown)
}

func (c *migrateStatus) Run(ctx context.Context, s cli.Streams) error {
	return c.do(ctx, s, true, "", "there are no migrations", (*calldb.DB).MigrationStatus)
}

func (o *migrateOptions) do(ctx context.Context, s cli.Streams, mustExist bool, did, nothing string,
	step func(*calldb.DB, context.Context) ([]calldb.Migration, error),
) error {
	db, err := calldb.Open(ctx, o.DB, &calldb.Options{MustExist: mustExist})
	if err != nil {
		return err
	}
	steps, err := step(db, ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if o.JSON {
		list := make([]migrationJSON, 0, len(steps))
		for _, m := range steps {
			list = append(list, migrationJSON(m))
		}
		return s.JSON(struct {
			Migrations []migrationJSON `json:"migrations"`
		}{list})
	}
	if len(steps) == 0 {
		s.Printf("%s\n", nothing)
	}
	for _, m := range steps {
		word := did
		if word == "" {
			word = "not applied"
			if m.Applied {
				word = "applied"
			}
		}
		s.Printf("%05d %-30s %s\n", m.Version, m.Name, word)
	}
	return nil
}

// before is the database's name, the newest migration that is applied, "" if none is,
// and by whom the database is used.
func (c *migrateDown) before(ctx context.Context) (name, newest string, users []string, err error) {
	db, err := calldb.Open(ctx, c.DB, &calldb.Options{MustExist: true, MaxConns: 1})
	if err != nil {
		return "", "", nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	steps, err := db.MigrationStatus(ctx)
	if err != nil {
		return "", "", nil, err
	}
	for _, m := range steps {
		if m.Applied {
			newest = m.Name
		}
	}
	// A connection that was closed a moment ago, as of the command before, is still
	// listed: what is listed is looked at again for a second.
	for try := 0; newest != ""; try++ {
		users, err = db.InUse(ctx)
		if err != nil || len(users) == 0 || try == 5 {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return db.String(), newest, users, err
}

type migrationJSON struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}
