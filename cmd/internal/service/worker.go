package service

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
)

// WorkerOptions configure the recording worker.
type WorkerOptions struct {
	Legs          string        `help:"Where the legs are: a directory, or a bucket URL." placeholder:"DIR|URL" required:""`
	Queues        []string      `help:"Queues to take jobs from: the telephone servers whose legs are here, as their calls' ended events name them (host), and default for calls that name none. Default: this machine's host name, and default. * takes jobs of every queue; a leg of a queue that isn't named besides is waited for, as it may be elsewhere." placeholder:"HOST"`
	AllLegs       bool          `help:"The legs of every queue are here, as in a bucket that all telephone servers write to: one that isn't here is missing."`
	Name          string        `help:"Name of this worker in the ledger. Default: the host's name and the process id." placeholder:"NAME"`
	Concurrency   int           `help:"Recordings made at once. 0: one a processor." default:"0"`
	LeaseTTL      time.Duration `help:"A job whose worker is silent for so long is taken over." default:"30s"`
	LegWait       time.Duration `help:"How long after hang-up legs are waited for that are missing or still being written." default:"60s"`
	FollowGrowing time.Duration `help:"For how long a leg is followed that is missing or still being written then: what there is of the recording is published, and again when the leg has come or is whole. 0: not at all." default:"24h"`
	JobTimeout    time.Duration `help:"An attempt that takes longer fails." default:"1h"`
	Grace         time.Duration `help:"How long running jobs may take to finish at SIGTERM." default:"25s"`
	LegsKeep      time.Duration `help:"Legs are deleted so long after their recording was done, as 168h, once it was read back from the bucket; they are kept while it isn't complete or another job needs them. 0: never." default:"0"`
	LegsReserve   string        `help:"No recording is begun, and the worker isn't ready, while less is free on the disk of the legs: a share as 5%, or as 20GiB. Default: none." placeholder:"SIZE"`
	SpoolReserve  string        `help:"No recording is begun, and the worker isn't ready, while less is free on the disk of --spool-dir: a share as 5%, or as 20GiB. Default: none; one that is full has recordings wait, too." placeholder:"SIZE"`
	FinishedDir   string        `help:"A directory of this worker's own, on a disk that outlives the process: recordings are noted there that are in the bucket while the database doesn't answer, so that a restart doesn't make them again." placeholder:"DIR"`

	TaskOptions
}

// NewWorker wires a worker, and where its legs are.
func NewWorker(ctx context.Context, s *Stores, o WorkerOptions, b Buckets, m *ops.Metrics, log *slog.Logger) (*worker.Worker, *WorkerLegs, error) {
	legs, err := b.OpenLegs(ctx, o.Legs, BucketOptions{}.Within(o.JobTimeout).BucketStall)
	if err != nil {
		return nil, nil, err
	}
	if dir, ok := legs.(*local.Dir); ok {
		if err := dir.Check(); err != nil { // a share may be mounted later
			log.ErrorContext(ctx, "the legs can't be read yet; recordings wait for them", "legs", o.Legs, "error", err)
		}
	}
	place := &WorkerLegs{Closer: legs}
	if err := errors.Join(o.watchDisk(place, legs, m, log), o.watchSpool(place, s.SpoolDir, m, log)); err != nil {
		return nil, nil, errors.Join(err, legs.Close())
	}
	own, err := o.deleteLegs(s, place, legs, m, log)
	if err != nil {
		return nil, nil, errors.Join(err, legs.Close())
	}
	erasing, err := o.erase(s, legs, log)
	if err != nil {
		return nil, nil, errors.Join(err, legs.Close())
	}
	kinds, recordings, err := o.kinds(s, "", slices.Concat(own, erasing)...)
	if err != nil {
		return nil, nil, errors.Join(err, legs.Close())
	}
	sweep(ctx, "", log)
	m.Worker(o.names()...)
	var p worker.Processor
	if recordings {
		p = recording.NewProcessor(legs, m.Uploads(s.Objects.String(), s.Objects), &recording.Options{Tracer: m.Tracer})
	}
	var backup worker.Backup
	if recordings && s.Backup != nil {
		backup = &backupBucket{recording.NewProcessor(legs, m.Uploads(s.Backup.String(), s.Backup), &recording.Options{Tracer: m.Tracer}), s.Objects, s.Backup}
	}
	w := worker.New(s.DB, p, &worker.Options{
		Name: o.Presence().Name, Kinds: kinds, Queues: o.Served(), AllLegs: o.AllLegs, Concurrency: o.Concurrency,
		LeaseTTL: o.LeaseTTL, MissingLegWait: noneIsNegative(o.LegWait), FollowGrowing: noneIsNegative(o.FollowGrowing), JobTimeout: o.JobTimeout, Grace: noneIsNegative(o.Grace), FinishedDir: o.FinishedDir,
		Software: cli.Software(), Probe: s.Objects.Check, BucketChanged: s.DB.TellBucket, Backup: backup, Room: place.room, Doorbell: s.DB, Tracer: m.Tracer, Logger: log, Finished: m.Attempt,
	})
	for _, bucket := range []*storage.Store{s.Objects, s.Backup} {
		if bucket != nil {
			watchBucket(w, bucket.String(), m)
		}
	}
	m.Gauge("switchtape_hanging_attempts", func() float64 { return float64(w.Abandoned()) })
	m.Gauge("switchtape_legs_away_seconds", func() float64 {
		since, _ := w.LegsAway()
		return since.Seconds()
	})
	return w, place, nil
}

// watchBucket has the metrics tell for how long the bucket has been away.
func watchBucket(w *worker.Worker, bucket string, m *ops.Metrics) {
	m.GaugeOf("switchtape_bucket_away_seconds", map[string]string{"bucket": bucket}, func() float64 {
		var longest time.Duration
		for _, b := range w.BucketsAway() {
			if b.Bucket == bucket {
				longest = max(longest, time.Since(b.Since))
			}
		}
		return longest.Seconds()
	})
}

// Served are the queues that jobs are taken from.
func (o *WorkerOptions) Served() []string {
	if len(o.Queues) == 0 {
		return []string{HostName(), ledger.DefaultQueue}
	}
	return o.Queues
}

// SpoolQueue is the queue of jobs that are made of directories on this machine: the
// first that the worker is named for, so that it, or another of them, has the legs.
func (o *WorkerOptions) SpoolQueue() string {
	for _, q := range o.Served() {
		if q != worker.AllQueues {
			return q
		}
	}
	return ledger.DefaultQueue
}

// noneIsNegative keeps a flag's explicit 0 from meaning the default.
func noneIsNegative(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// Legs is where legs are read from.
type Legs interface {
	recording.LegOpener
	io.Closer
}

// Fill gives o the defaults of its flags, for commands that don't have them.
func (o WorkerOptions) Fill() WorkerOptions {
	o.LeaseTTL = cmp.Or(o.LeaseTTL, 30*time.Second)
	o.LegWait = cmp.Or(o.LegWait, time.Minute)
	o.FollowGrowing = cmp.Or(o.FollowGrowing, 24*time.Hour)
	o.JobTimeout = cmp.Or(o.JobTimeout, time.Hour)
	o.Grace = cmp.Or(o.Grace, 25*time.Second)
	return o
}
