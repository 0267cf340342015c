package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/worker"
)

type serveCommand struct{ serveFlags }

// serveFlags are all that serve can be told.
type serveFlags struct {
	Config cli.ConfigFile `help:"File of settings (YAML), by the names of these flags, which go before it; read again at SIGHUP." type:"path" placeholder:"FILE" program:"serve" once:""`

	Dir    string `help:"Directory of the database, the recordings and, by default, the legs. Made if it doesn't exist." type:"path" required:"" placeholder:"DIR"`
	Listen string `help:"Address to serve on." default:"127.0.0.1:8080" placeholder:"ADDR"`
	DB     string `help:"Database, as for the other commands. Default: SQLite in the directory." placeholder:"URL" type:"private"`
	Bucket string `help:"Bucket. Default: the directory's recordings folder." placeholder:"URL"`
	Legs   string `help:"Where the legs are. Default: the directory's legs folder." placeholder:"DIR|URL"`

	BackupBucket string `help:"Where recordings are stored, and served from, while their bucket is away; they are moved to it, and removed here, when it is back. Default: they wait." placeholder:"URL"`

	service.EncryptionOptions
	service.SecretOptions
	service.APIOptions
	service.SpoolOptions
	service.TraceOptions
	Worker serveWorker `embed:"" prefix:"worker-"`
	ops.LogOptions
}

// serveWorker is what serve lets people say of its worker.
type serveWorker struct {
	Concurrency   int           `help:"Recordings made at once. 0: one a processor." default:"0"`
	LeaseTTL      time.Duration `help:"A job whose worker is silent for so long is taken over." default:"30s"`
	LegWait       time.Duration `help:"How long after hang-up legs are waited for that are missing or still being written." default:"60s"`
	FollowGrowing time.Duration `help:"For how long a leg is followed that is missing or still being written then: what there is of the recording is published, and again when the leg has come or is whole. 0: not at all." default:"24h"`
	LegsKeep      time.Duration `help:"Legs are deleted so long after their recording was done, as 168h, once it was read back from the bucket; they are kept while it isn't complete or another job needs them. 0: never." default:"0"`
	LegsReserve   string        `help:"No recording is begun while less is free on the disk of the legs: a share as 5%, or as 20GiB. Default: none." placeholder:"SIZE"`
	Grace         time.Duration `help:"How long running jobs may take to finish at SIGTERM." default:"25s"`

	service.TaskOptions
}

func (c *serveCommand) Run(ctx context.Context, s cli.Streams, settings *cli.Configuration) error {
	if c.Lane != service.LaneBoth {
		return cli.Usagef("--lane %s is for switchtape-api: serve is all in one process", c.Lane)
	}
	hangups := service.CatchHangups()
	log, level := c.Reloadable(s.Err)
	tracer, err := c.Tracer("switchtape serve", c.Presence().Name, log)
	if err != nil {
		return err
	}
	defer tracer.Close()
	l, err := service.Listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	one, err := startOne(ctx, oneOptions{
		dir: c.Dir, db: c.DB, bucket: c.Bucket, backup: c.BackupBucket, legs: c.Legs, listener: l, keys: c.EncryptionOptions, secrets: c.SecretOptions, api: c.APIOptions, spool: c.SpoolOptions, tracer: tracer.Port(),
		worker: service.WorkerOptions{
			Concurrency: c.Worker.Concurrency, LeaseTTL: c.Worker.LeaseTTL, LegWait: c.Worker.LegWait,
			FollowGrowing: c.Worker.FollowGrowing, LegsKeep: c.Worker.LegsKeep, LegsReserve: c.Worker.LegsReserve, Grace: c.Worker.Grace, TaskOptions: c.Worker.TaskOptions,
		},
	}, log)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s.Printf("switchtape serves on %s\n  legs        %s\n  recordings  %s\n  database    %s\n",
		one.url, one.legs, one.bucket, one.stores.DB)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return one.run(ctx) })
	group.Go(func() error {
		return hangups.Run(ctx, log, service.Reload{Name: "the API keys", Do: one.api.Reload},
			service.Reload{Name: "the certificate", Do: one.doors.Reload}, one.stores.ReloadKeys(ctx), service.Reconfigure(settings, level, log))
	})
	return group.Wait()
}

// oneOptions is a whole service in one process.
type oneOptions struct {
	dir, db, bucket, legs string
	backup                string // "": there is none
	keys                  service.EncryptionOptions
	secrets               service.SecretOptions
	listener              net.Listener
	api                   service.APIOptions
	worker                service.WorkerOptions
	spool                 service.SpoolOptions
	tracer                tracing.Tracer // nil: nothing is traced
}

// places fills in what is in the directory unless somebody says otherwise.
func (o *oneOptions) places() {
	o.db = cmp.Or(o.db, service.SQLiteURL(o.dir))
	o.bucket = cmp.Or(o.bucket, service.FileURL(filepath.Join(o.dir, "recordings")))
	o.legs = cmp.Or(o.legs, filepath.Join(o.dir, "legs"))
	o.api.Journal = cmp.Or(o.api.Journal, filepath.Join(o.dir, "journal"))
	o.api.VerifyDir = cmp.Or(o.api.VerifyDir, filepath.Join(o.dir, "verify"))
}

// one is the API and the worker of one process, wired and not yet running.
type one struct {
	url, legs, bucket string
	stores            *service.Stores
	api               *service.API
	doors             *service.Doors
	run               func(ctx context.Context) error
}

// startOne opens everything in o.dir and wires it together.
func startOne(ctx context.Context, o oneOptions, log *slog.Logger) (_ *one, err error) {
	ownLegs := o.legs == ""
	o.places()
	scheme := "http://"
	if o.api.TLSCert != "" {
		scheme = "https://"
	}
	w := &one{stores: &service.Stores{}, url: scheme + o.listener.Addr().String(), legs: o.legs, bucket: o.bucket}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stores.Close())
		}
	}()
	if ownLegs {
		if err := os.MkdirAll(w.legs, 0o750); err != nil {
			return nil, fmt.Errorf("the directory can't be used: %w", err)
		}
	}
	if err := os.MkdirAll(o.dir, 0o750); err != nil {
		return nil, fmt.Errorf("the directory can't be used: %w", err)
	}
	o.worker.FinishedDir = filepath.Join(o.dir, "finished")
	secret, err := signSecret(o.dir)
	if err != nil {
		return nil, err
	}
	stores, prepare, err := service.OpenForCalls(ctx, service.DBOptions{DB: o.db, SecretOptions: o.secrets}, true, o.api)
	if err != nil {
		return nil, err
	}
	w.stores = stores
	if err = w.stores.OpenBucket(ctx, buckets(), service.BucketOptions{Bucket: w.bucket, BackupBucket: o.backup, PublicURL: w.url, SignSecret: cli.Secret(secret), EncryptionOptions: o.keys}, log); err != nil {
		return nil, err
	}
	m := ops.NewMetrics()
	m.Tracer = o.tracer
	m.Build("switchtape serve", o.api.Lane, cli.Software())
	// Its API and its worker are one: whatever host a call names, its legs are here or nowhere.
	o.worker.Legs, o.worker.Queues, o.worker.AllLegs = w.legs, []string{worker.AllQueues}, true
	rec, legs, err := service.NewWorker(ctx, w.stores, o.worker, buckets(), m, log)
	if err != nil {
		return nil, err
	}
	if w.api, err = service.NewAPI(ctx, w.stores, o.api, m, log, rec.Ring); err != nil {
		return nil, errors.Join(err, legs.Close())
	}
	w.api.Later("preparing the database", prepare)
	spools, err := service.OpenSpools(o.spool, o.api.SpoolPlace(w.legs), w.stores.DB, rec.Ring, m, log)
	if err != nil {
		return nil, errors.Join(err, legs.Close())
	}
	messages, err := o.api.OpenBrokers(w.stores, brokers(), w.api.Door(), o.worker.Presence().Name, rec.Ring, m, log)
	if err != nil {
		return nil, errors.Join(err, spools.Close(), legs.Close())
	}
	admin, err := o.api.OpenAdmin(ctx)
	var handlers *service.Handlers
	if err == nil {
		handlers, err = service.HTTP(w.stores, w.api, rec, o.listener.Addr(), o.api.AdminOptions, m)
	}
	if err == nil {
		w.doors, err = o.api.OpenDoors(ctx, o.listener, o.api.Guarded())
	}
	if err == nil {
		err = w.api.Start(ctx) // everything else is checked
	}
	if err != nil {
		return nil, errors.Join(err, legs.Close(), spools.Close(), admin.Close())
	}
	w.doors.Metrics(m)
	attend := service.Attend(w.stores, o.worker.Presence(), m, log)
	w.run = func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return w.doors.Serve(ctx, handlers.Public, log) })
		group.Go(func() error { return admin.Serve(ctx, handlers.Admin, log) })
		group.Go(func() error { return w.api.Run(ctx) })
		group.Go(func() error { return rec.Run(ctx) })
		group.Go(func() error { return legs.Run(ctx) })
		group.Go(func() error { return spools.Run(ctx) })
		group.Go(func() error { return attend(ctx) })
		group.Go(func() error { return messages.Run(ctx) })
		group.Go(func() error { return service.SweepUploads(ctx, w.stores.Objects, log) })
		group.Go(func() error { return w.stores.SweepBackup(ctx, log) })
		return errors.Join(group.Wait(), spools.Close(), legs.Close(), w.stores.Close())
	}
	return w, nil
}

// signSecret is the directory's own secret for signed links, made at first use.
func signSecret(dir string) (string, error) {
	path := filepath.Join(dir, "link-secret")
	b, err := os.ReadFile(path) //nolint:gosec // the operator's directory
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the directory can't be used: %w", err)
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	secret := hex.EncodeToString(raw[:])
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		return "", fmt.Errorf("the directory can't be used: %w", err)
	}
	return secret, nil
}
