package service

import (
	"log/slog"
	"slices"

	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
)

// erase is the kinds of job that delete and redact recordings, those of them that the worker
// does. One that doesn't know which legs are here deletes none: recordings whose legs may be
// kept wait for another.
func (o *WorkerOptions) erase(s *Stores, legs Legs, log *slog.Logger) ([]task.Kind, error) {
	if s.Objects == nil {
		return nil, nil
	}
	opts := lifecycle.EraserOptions{
		Buckets: []lifecycle.Bucket{s.Objects.Alone()}, Logger: log,
		Redactor: stored.NewRedactor(stored.NewLibrary(s.DB, s.Objects), legs, nil),
	}
	if s.Backup != nil {
		opts.Buckets = append(opts.Buckets, s.Backup)
	}
	if !o.AllLegs {
		opts.Queues = slices.DeleteFunc(slices.Clone(o.Served()), func(q string) bool { return q == worker.AllQueues })
	}
	if place, can := legs.(lifecycle.Place); can && (o.AllLegs || len(opts.Queues) > 0) {
		opts.Legs = place
	}
	e, err := lifecycle.NewEraser(s.DB, opts)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(e.Kinds(), func(k task.Kind) bool { return !slices.Contains(o.names(), k.Name) }), nil
}
