package main

import (
	"context"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/storage/calldb"
)

// databaseOptions say which database to work on, and how to print what was found.
type databaseOptions struct {
	DB   string `help:"Database: sqlite:///path/to.db or postgres://user@host/database, with several hosts where one takes over from another. With a password: @FILE, or in the environment." placeholder:"URL" type:"private" instead:"api"`
	JSON bool   `help:"Print JSON." name:"json"`

	secrets *calldb.SecretKeys // nil: those in the database are read and written as they are
}

// with runs do on the database, whose schema is one that this program runs on.
func (o *databaseOptions) with(ctx context.Context, do func(context.Context, *calldb.DB) error) error {
	if o.DB == "" {
		return cli.Usagef("missing flags: --db=URL")
	}
	db, err := calldb.Open(ctx, o.DB, &calldb.Options{MustExist: true, SecretKeys: o.secrets})
	if err != nil {
		return err
	}
	err = db.CheckSchema(ctx)
	if err == nil {
		err = do(ctx, db)
	}
	return errors.Join(err, db.Close())
}

// timedOptions are databaseOptions for what a database answers soon or never.
type timedOptions struct {
	databaseOptions
	Timeout time.Duration `help:"Give up when the database has not answered for so long." default:"30s"`
}

// with runs do on the database, within the timeout.
func (o *timedOptions) with(ctx context.Context, do func(context.Context, *calldb.DB) error) error {
	timed, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	err := o.databaseOptions.with(timed, do)
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database did not answer within %v: %w", o.Timeout, err)
	}
	return err
}
