package main

import (
	"context"
	"errors"

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
	migrateDown   struct{ migrateOptions }
	migrateStatus struct{ migrateOptions }
)

func (c *migrateUp) Run(ctx context.Context, s cli.Streams) error {
	return c.do(ctx, s, false, "applied", "nothing to apply: the schema is up to date", (*calldb.DB).Migrate)
}

func (c *migrateDown) Run(ctx context.Context, s cli.Streams) error {
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

type migrationJSON struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}
