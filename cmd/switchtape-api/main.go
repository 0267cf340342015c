// Command switchtape-api is the call handling service: calls, events, rules
// and recordings over HTTP, on PostgreSQL or SQLite. Run as many as the load
// needs; they share nothing but the database.
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
	"github.com/switchtape/switchtape/routing/subprocess"
)

type command struct{ service.APIProgram }

func main() {
	if subprocess.Main() {
		return
	}
	os.Exit(cli.Main("switchtape-api", "The call handling service.", &command{}, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// Run serves until the process is told to end.
func (c *command) Run(ctx context.Context, s cli.Streams, settings *cli.Configuration) (err error) {
	if c.Doctor {
		plan := doctor.OfAPI(&c.APIProgram, buckets(), time.Now)
		plan.Settings(string(c.Config), settings.Settings())
		return doctor.Examine(ctx, plan).Print(s, false)
	}
	defer service.HoldHeap()()
	hangups := service.CatchHangups()
	log, level := c.Reloadable(s.Err)
	ctx, ending, cancel := service.Drained(ctx, c.Drain, log)
	defer cancel()
	stores, prepare, err := service.OpenForCalls(ctx, c.DBOptions, c.Migrate, c.APIOptions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if c.Bucket != "" {
		bucket := service.BucketOptions{Bucket: c.Bucket, BackupBucket: c.BackupBucket, PublicURL: c.PublicURL, SignSecret: c.SignSecret, EncryptionOptions: c.EncryptionOptions}
		if err = stores.OpenBucket(ctx, buckets(), bucket, log); err != nil {
			return err
		}
	}
	tracer, err := c.Tracer("switchtape-api", c.Presence().Name, log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	m := ops.NewMetrics()
	m.Tracer = tracer.Port()
	m.Build("switchtape-api", c.Lane, cli.Software())
	api, err := service.NewAPI(ctx, stores, c.APIOptions, m, log, nil)
	if err != nil {
		return err
	}
	api.Later("preparing the database", prepare)
	messages, err := c.OpenBrokers(stores, brokers(), api.Door(), c.Presence().Name, nil, m, log)
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
		handlers, err = service.HTTP(stores, api, nil, l.Addr(), c.AdminOptions, m, ending.Check())
	}
	var doors *service.Doors
	if err == nil {
		doors, err = c.OpenDoors(ctx, l, c.Guarded())
	}
	if err == nil {
		err = api.Start(ctx) // everything else is checked: from here on others may notice
	}
	if err != nil {
		return errors.Join(err, l.Close(), admin.Close())
	}
	doors.Metrics(m)
	attend := service.Attend(stores, c.Presence(), m, log)
	log.InfoContext(ctx, "serving", "address", l.Addr().String(), "database", stores.DB.String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return doors.Serve(ctx, ending.Handler(handlers.Public), log) })
	group.Go(func() error { return admin.Serve(ctx, handlers.Admin, log) })
	group.Go(func() error { return api.Run(ctx) })
	group.Go(func() error { return attend(ctx) })
	group.Go(func() error { return messages.Run(ctx) })
	group.Go(func() error {
		return hangups.Run(ctx, log, service.Reload{Name: "the API keys", Do: api.Reload},
			service.Reload{Name: "the certificate", Do: doors.Reload}, stores.ReloadKeys(ctx), service.Reconfigure(settings, level, log))
	})
	return group.Wait()
}
