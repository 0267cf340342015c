package main

import (
	"context"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

type configCommand struct {
	Check checkCommand `cmd:"" help:"Say what is wrong with a program's settings, without starting it."`
	Print printCommand `cmd:"" help:"Print a program's settings, and where each is from, as a file of settings."`
}

type (
	checkCommand struct{ cli.Nested }
	printCommand struct{ cli.Nested }
)

func (c *checkCommand) Run(ctx context.Context, s cli.Streams) error {
	return c.Choose(ctx, "switchtape config check", map[string]any{"api": &checkAPI{}, "worker": &checkWorker{}, "serve": &checkServe{}}, s)
}

func (c *printCommand) Run(ctx context.Context, s cli.Streams) error {
	return c.Choose(ctx, "switchtape config print", map[string]any{"api": &printAPI{}, "worker": &printWorker{}, "serve": &printServe{}}, s)
}

type (
	checkAPI    struct{ service.APIProgram }
	checkWorker struct{ service.WorkerProgram }
	checkServe  struct{ serveFlags }

	printAPI struct {
		service.APIProgram
		printOptions
	}
	printWorker struct {
		service.WorkerProgram
		printOptions
	}
	printServe struct {
		serveFlags
		printOptions
	}
)

func (c *checkAPI) Run(s cli.Streams, all *cli.Configuration) error {
	return checked(s, all, c.Check())
}

func (c *checkWorker) Run(s cli.Streams, all *cli.Configuration) error {
	return checked(s, all, c.Check())
}

func (c *checkServe) Run(s cli.Streams, all *cli.Configuration) error {
	return checked(s, all, c.Check())
}

// checked says that the settings can be meant.
func checked(s cli.Streams, all *cli.Configuration, err error) error {
	if err != nil {
		return err
	}
	given := 0
	for _, x := range all.Settings() {
		if !x.Default() {
			given++
		}
	}
	s.Printf("%d settings are given, %d are as they are by default: all are understood. doctor says whether they work here.\n", given, len(all.Settings())-given)
	return nil
}

type printOptions struct {
	Given bool `help:"Only what is given, without what is by default." env:"-" once:""`
	JSON  bool `help:"Print JSON." name:"json" env:"-" once:""`
}

func (c *printAPI) Run(s cli.Streams, all *cli.Configuration) error    { return c.print(s, all) }
func (c *printWorker) Run(s cli.Streams, all *cli.Configuration) error { return c.print(s, all) }
func (c *printServe) Run(s cli.Streams, all *cli.Configuration) error  { return c.print(s, all) }

func (o *printOptions) print(s cli.Streams, all *cli.Configuration) error {
	list := []cli.Setting{}
	for _, x := range all.Settings() {
		if o.Given && x.Default() {
			continue
		}
		list = append(list, x)
	}
	if o.JSON {
		return s.JSON(struct {
			Settings []cli.Setting `json:"settings"`
		}{list})
	}
	for _, x := range list {
		switch text, err := x.Text(); {
		case err != nil:
			return err
		case x.Secret:
			s.Printf("# %s: a secret  # %s\n", x.Name, x.Origin)
		default:
			s.Printf("%s: %s  # %s\n", x.Name, text, x.Origin)
		}
	}
	return nil
}
