package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/doctor"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

type doctorCommand struct{ cli.Nested }

func (c *doctorCommand) Run(ctx context.Context, s cli.Streams) error {
	return c.Choose(ctx, "switchtape doctor", map[string]any{"api": &doctorAPI{}, "worker": &doctorWorker{}, "serve": &doctorServe{}}, s)
}

type (
	doctorAPI struct {
		service.APIProgram
		doctorOptions
	}
	doctorWorker struct {
		service.WorkerProgram
		doctorOptions
	}
	doctorServe struct {
		serveFlags
		doctorOptions
	}
)

type doctorOptions struct {
	JSON bool `help:"Print JSON." name:"json" env:"-" once:""`
}

func (c *doctorAPI) Run(ctx context.Context, s cli.Streams, all *cli.Configuration) error {
	return c.examine(ctx, s, all, doctor.OfAPI(&c.APIProgram, buckets(), time.Now), c.Config)
}

func (c *doctorWorker) Run(ctx context.Context, s cli.Streams, all *cli.Configuration) error {
	return c.examine(ctx, s, all, doctor.OfWorker(&c.WorkerProgram, buckets(), time.Now), c.Config)
}

func (c *doctorServe) Run(ctx context.Context, s cli.Streams, all *cli.Configuration) error {
	o := oneOptions{dir: c.Dir, db: c.DB, bucket: c.Bucket, legs: c.Legs, api: c.APIOptions}
	o.places()
	plan := &doctor.Serve{Dir: o.dir, DB: o.db, Bucket: o.bucket, BackupBucket: c.BackupBucket, Legs: o.legs, Listen: c.Listen, Keys: c.EncryptionOptions, Secrets: c.SecretOptions, API: &o.api}
	if c.Legs == "" {
		plan.Legs = "" // the start makes the directory
	}
	return c.examine(ctx, s, all, doctor.OfServe(plan, buckets(), time.Now), c.Config)
}

func (o *doctorOptions) examine(ctx context.Context, s cli.Streams, all *cli.Configuration, p *doctor.Plan, config cli.ConfigFile) error {
	p.Settings(string(config), all.Settings())
	return doctor.Examine(ctx, p).Print(s, o.JSON)
}
