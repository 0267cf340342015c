// Command switchtape-api is the call handling service: calls, events, rules
// and recordings over HTTP, on PostgreSQL or SQLite. Run as many as the load
// needs; they share nothing but the database.
package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing/subprocess"
)

type command struct {
	Listen  string `help:"Address to serve on." default:"127.0.0.1:8080" placeholder:"ADDR"`
	Migrate bool   `help:"Bring the database's schema up to date at the start."`
	Bucket  string `help:"Bucket of the recordings, to serve them from. Default: none are served." placeholder:"URL"`

	BackupBucket string     `help:"The workers' backup bucket: recordings are served from it while theirs is away." placeholder:"URL"`
	PublicURL    string     `help:"URL under which this server is reached, for signed links to a file:// bucket." placeholder:"URL"`
	SignSecret   cli.Secret `help:"Secret that signs links to a file:// bucket; the same on every server. In a file, or in the environment." placeholder:"@FILE"`

	service.DBOptions
	service.APIOptions
	ops.LogOptions
}

func main() {
	if subprocess.Main() {
		return
	}
	os.Exit(cli.Main("switchtape-api", "The call handling service.", &command{}, os.Args[1:], cli.Streams{Out: os.Stdout, Err: os.Stderr}))
}

// Run serves until the process is told to end.
func (c *command) Run(ctx context.Context, s cli.Streams) (err error) {
	defer service.HoldHeap()()
	hangups := service.CatchHangups()
	log, level := c.Reloadable(s.Err)
	stores, prepare, err := service.OpenForCalls(ctx, c.DBOptions, c.Migrate, c.APIOptions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	if c.Bucket != "" {
		bucket := service.BucketOptions{Bucket: c.Bucket, BackupBucket: c.BackupBucket, PublicURL: c.PublicURL, SignSecret: c.SignSecret}
		if err = stores.OpenBucket(ctx, buckets(), bucket, log); err != nil {
			return err
		}
	}
	m := ops.NewMetrics()
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
		handlers, err = service.HTTP(stores, api, nil, l.Addr(), c.AdminOptions, m)
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
	attend := service.Attend(stores, c.Presence(), m, log)
	log.InfoContext(ctx, "serving", "address", l.Addr().String(), "database", stores.DB.String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return doors.Serve(ctx, handlers.Public, log) })
	group.Go(func() error { return admin.Serve(ctx, handlers.Admin, log) })
	group.Go(func() error { return api.Run(ctx) })
	group.Go(func() error { return attend(ctx) })
	group.Go(func() error { return messages.Run(ctx) })
	group.Go(func() error {
		return hangups.Run(ctx, log, service.Reload{Name: "the API keys", Do: api.Reload},
			service.Reload{Name: "the certificate", Do: doors.Reload}, service.Reload{Name: "the log level", Do: level})
	})
	return group.Wait()
}
