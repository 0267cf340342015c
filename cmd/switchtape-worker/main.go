// Command switchtape-worker makes recordings: it claims jobs from the ledger,
// reads the legs where they are, and uploads straight to the final bucket. Run
// one on every telephone server, or several that share the legs.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/doctor"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

type command struct{ service.WorkerProgram }

func main() {
	os.Exit(cli.Main("switchtape-worker", "The recording worker.", &command{}, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// Run works until the process is told to end, and then drains.
func (c *command) Run(ctx context.Context, s cli.Streams, settings *cli.Configuration) (err error) {
	if c.Doctor {
		plan := doctor.OfWorker(&c.WorkerProgram, buckets(), time.Now)
		plan.Settings(string(c.Config), settings.Settings())
		return doctor.Examine(ctx, plan).Print(s, false)
	}
	hangups := service.CatchHangups()
	log, level := c.Reloadable(s.Err)
	stores := &service.Stores{}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if stores.DB, err = service.OpenWorkerDB(ctx, c.DBOptions, c.Migrate); err != nil {
		return err
	}
	if err = stores.OpenBucket(ctx, buckets(), c.Within(c.JobTimeout), log); err != nil {
		return err
	}
	tracer, err := c.Tracer("switchtape-worker", c.Presence().Name, log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	m := ops.NewMetrics()
	m.Tracer = tracer.Port()
	m.Build("switchtape-worker", "", cli.Software())
	rec, legs, err := service.NewWorker(ctx, stores, c.WorkerOptions, buckets(), m, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, legs.Close()) }()
	spools, err := service.OpenSpools(c.SpoolOptions, service.SpoolPlace{Legs: c.Legs, Queue: c.SpoolQueue(), Outputs: c.SpoolOutputs()}, stores.DB, rec.Ring, m, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spools.Close()) }()
	door, err := c.WorkerDoor(c.LegOptions, m.Tracer)
	if err != nil {
		return err
	}
	messages, err := c.OpenBrokers(stores, brokers(), door, c.Presence().Name, rec.Ring, m, log)
	if err != nil {
		return err
	}
	hooks := func(context.Context) error { return nil }
	if c.Webhooks {
		d, err := c.Deliverer(stores, c.Presence().Name, m, log)
		if err != nil {
			return err
		}
		m.Webhooks(stores.DB.WebhookStats)
		hooks = d.Run
	}
	verifier, err := c.Verifier(stores, m, log)
	if err != nil {
		return err
	}
	l, err := service.Listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	admin, err := c.OpenAdmin(ctx)
	var handlers *service.Handlers
	if err == nil {
		handlers, err = service.HTTP(stores, nil, rec, l.Addr(), c.AdminOptions, m)
	}
	if err != nil {
		return errors.Join(err, l.Close(), admin.Close())
	}
	attend := service.Attend(stores, c.Presence(), m, log)
	log.InfoContext(ctx, "working", "metrics", l.Addr().String(), "database", stores.DB.String(), "bucket", c.Bucket, "legs", c.Legs, "queues", c.Served())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return rec.Run(ctx) })
	group.Go(func() error { return legs.Run(ctx) })
	group.Go(func() error { return spools.Run(ctx) })
	group.Go(func() error { return attend(ctx) })
	group.Go(func() error { return messages.Run(ctx) })
	group.Go(func() error { return hooks(ctx) })
	group.Go(func() error { return verifier.Run(ctx) })
	group.Go(func() error { return service.SweepUploads(ctx, stores.Objects, log) })
	group.Go(func() error { return stores.SweepBackup(ctx, log) })
	group.Go(func() error { return service.Serve(ctx, l, handlers.Public, log) })
	group.Go(func() error { return admin.Serve(ctx, handlers.Admin, log) })
	group.Go(func() error {
		return hangups.Run(ctx, log, stores.ReloadKeys(ctx), service.Reconfigure(settings, level, log))
	})
	return group.Wait()
}
