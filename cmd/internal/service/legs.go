package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// WorkerLegs are a worker's legs: they are closed at its end.
type WorkerLegs struct {
	io.Closer

	deleter *lifecycle.Legs // nil: they are kept for ever
	disk    *lifecycle.Disk // nil: they are in a bucket
	spool   *lifecycle.Disk // on which large recordings wait for their upload; nil: it isn't watched
}

// Run looks after the legs until ctx ends: for those to delete, if they aren't kept for
// ever, and for how full their disk is.
func (l *WorkerLegs) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if l.deleter != nil {
		group.Go(func() error { return l.deleter.Run(ctx) })
	}
	for _, disk := range l.disks() {
		group.Go(func() error { return disk.Run(ctx) })
	}
	return group.Wait()
}

// disks are those that are watched.
func (l *WorkerLegs) disks() []*lifecycle.Disk {
	return slices.DeleteFunc([]*lifecycle.Disk{l.disk, l.spool}, func(d *lifecycle.Disk) bool { return d == nil })
}

// room is an error while there is none for jobs of that kind. Those that delete legs make
// some.
func (l *WorkerLegs) room(kind string) error {
	if kind == lifecycle.KindDeleteLegs || kind == retention.KindErase {
		return nil
	}
	var faults []error
	for _, disk := range l.disks() {
		faults = append(faults, disk.Room())
	}
	return errors.Join(faults...)
}

// watchSpool has the disk of the spool directory watched, if there is a reserve on it.
func (o *WorkerOptions) watchSpool(w *WorkerLegs, dir string, m *ops.Metrics, log *slog.Logger) error {
	bytes, share, err := parseSize(o.SpoolReserve)
	if err != nil {
		return callmodel.FieldErrors{{Path: "--spool-reserve", Message: err.Error()}}
	}
	if o.SpoolReserve == "" {
		return nil
	}
	if w.spool, err = lifecycle.NewDisk(cmp.Or(dir, os.TempDir()), lifecycle.DiskOptions{
		Reserve: bytes, ReserveShare: share, Every: spoolEvery, Now: clock.Now, Logger: log,
	}); err != nil {
		return err
	}
	m.Gauge("switchtape_spool_disk_free_bytes", func() float64 { return float64(w.spool.State().Free) })
	m.Gauge("switchtape_spool_disk_reserve_bytes", func() float64 { return float64(w.spool.State().Reserve) })
	return nil
}

// spoolEvery is how often the disk of the spool is looked at: recordings fill it, and empty
// it, within seconds.
const spoolEvery = 5 * time.Second

// watchDisk has the disk of the legs watched, if they are on one.
func (o *WorkerOptions) watchDisk(w *WorkerLegs, legs Legs, m *ops.Metrics, log *slog.Logger) error {
	bytes, share, err := parseSize(o.LegsReserve)
	if err != nil {
		return callmodel.FieldErrors{{Path: "--legs-reserve", Message: err.Error()}}
	}
	if _, onDisk := legs.(*local.Dir); !onDisk {
		if o.LegsReserve != "" {
			return cli.Usagef("--legs-reserve: the legs are in a bucket, %s, which has none", o.Legs)
		}
		return nil
	}
	if w.disk, err = lifecycle.NewDisk(strings.TrimPrefix(o.Legs, "file://"), lifecycle.DiskOptions{
		Reserve: bytes, ReserveShare: share, Now: clock.Now, Logger: log,
	}); err != nil {
		return err
	}
	m.Gauge("switchtape_legs_disk_free_bytes", func() float64 { return float64(w.disk.State().Free) })
	m.Gauge("switchtape_legs_disk_size_bytes", func() float64 {
		if s := w.disk.State(); s.Err == nil {
			return float64(s.Size)
		}
		return 0
	})
	m.Gauge("switchtape_legs_disk_reserve_bytes", func() float64 { return float64(w.disk.State().Reserve) })
	m.Gauge("switchtape_legs_disk_full_in_seconds", func() float64 {
		if in := w.disk.State().FullIn; in > 0 {
			return in.Seconds()
		}
		return math.Inf(1)
	})
	return nil
}

// parseSize reads a share, as 5%, or a size in bytes, as 20GiB. "" is none.
func parseSize(s string) (bytes int64, share float64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(n > 0 && n < 100) {
			return 0, 0, fmt.Errorf("%q is no share above 0%% and below 100%%", s)
		}
		return 0, n / 100, nil
	}
	number, unit := s, int64(1)
	for i, name := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(s, name); ok {
			number, unit = rest, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, 0, fmt.Errorf("%q is neither a share as 5%% nor a size as 20GiB", s)
	}
	return n * unit, 0, nil
}

// held is lifecycle.Options.Held by the legal holds of the database.
func held(db *calldb.DB) func(context.Context, *record.Spec) (string, error) {
	return func(ctx context.Context, r *record.Spec) (string, error) {
		by, err := db.HeldBy(ctx, retention.Recording{TenantID: r.TenantID, CallID: r.CallID, RecordingID: r.RecordingID})
		if by == nil || err != nil {
			return "", err
		}
		return by.Error(), nil
	}
}

// deleteLegs is the kind of job that deletes legs; none if they are kept for ever.
func (o *WorkerOptions) deleteLegs(s *Stores, w *WorkerLegs, legs Legs, m *ops.Metrics, log *slog.Logger) ([]task.Kind, error) {
	if o.LegsKeep == 0 {
		return nil, nil
	}
	if o.LegsKeep < lifecycle.MinKeep {
		return nil, callmodel.FieldErrors{{Path: "--legs-keep", Message: fmt.Sprintf("is %v; give at least %v, or 0 to keep legs for ever", o.LegsKeep, lifecycle.MinKeep)}}
	}
	place, ok := legs.(lifecycle.Place)
	if !ok {
		return nil, callmodel.Errorf(callmodel.CodeUnsupported, "--legs-keep: nothing can be deleted from %s", o.Legs)
	}
	var queues []string
	if !o.AllLegs {
		if queues = slices.DeleteFunc(slices.Clone(o.Served()), func(q string) bool { return q == worker.AllQueues }); len(queues) == 0 {
			return nil, cli.Usagef("--legs-keep: which legs are here? Name the telephone servers by --queues, or give --all-legs")
		}
	}
	var err error
	if w.deleter, err = lifecycle.NewLegs(s.DB, place, stored.NewLibrary(s.DB, s.Objects), lifecycle.Options{
		Keep: o.LegsKeep, Queues: queues, Held: held(s.DB), Now: clock.Now, Logger: log,
	}); err != nil {
		return nil, err
	}
	m.CounterOf("switchtape_legs_deleted_total", nil, func() float64 {
		files, _ := w.deleter.Removed()
		return float64(files)
	})
	m.CounterOf("switchtape_legs_deleted_bytes_total", nil, func() float64 {
		_, bytes := w.deleter.Removed()
		return float64(bytes)
	})
	return []task.Kind{w.deleter.Kind()}, nil
}
