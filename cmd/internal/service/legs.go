package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
)

// WorkerLegs are a worker's legs: they are closed at its end.
type WorkerLegs struct {
	io.Closer

	deleter *lifecycle.Legs // nil: they are kept for ever
}

// Run looks for legs to delete until ctx ends, if they aren't kept for ever.
func (l *WorkerLegs) Run(ctx context.Context) error {
	if l.deleter == nil {
		return nil
	}
	return l.deleter.Run(ctx)
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
		Keep: o.LegsKeep, Queues: queues, Now: time.Now, Logger: log,
	}); err != nil {
		return nil, err
	}
	m.CounterOf("switchtape_legs_deleted_total", "Files of legs that this process has deleted.", nil, func() float64 {
		files, _ := w.deleter.Removed()
		return float64(files)
	})
	m.CounterOf("switchtape_legs_deleted_bytes_total", "Bytes of the legs that this process has deleted.", nil, func() float64 {
		_, bytes := w.deleter.Removed()
		return float64(bytes)
	})
	return []task.Kind{w.deleter.Kind()}, nil
}
