package service

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/command"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// TaskOptions say which kinds of job a worker does.
type TaskOptions struct {
	Kinds          []string      `help:"Kinds of job to do: record, verify, transcode, export, data-export, erase-recording, redact-recording, rewrap, command. Default: all, but command only if there is a --command." placeholder:"KIND"`
	Commands       []string      `name:"command" help:"A program that jobs of the kind command may name, with its arguments, between spaces. It gets a recording's parts as files. May be given again." placeholder:"NAME=PROGRAM" sep:"none"`
	CommandTimeout time.Duration `help:"A program that takes longer is killed, with all that it has started." default:"10m"`
	CommandMemory  int64         `help:"Address space of each process of a program, in MiB; -1: any." default:"1024"`
}

// names are the kinds of job that the worker does.
func (o *TaskOptions) names() []string {
	if len(o.Kinds) > 0 {
		if slices.Contains(o.Kinds, dataexport.Kind) && !slices.Contains(o.Kinds, dataexport.KindDelete) {
			return append(slices.Clone(o.Kinds), dataexport.KindDelete) // who makes exports deletes them
		}
		return o.Kinds
	}
	names := []string{record.Kind, stored.KindVerify, stored.KindTranscode, stored.KindExport, stored.KindRewrap, dataexport.Kind, dataexport.KindDelete, retention.KindErase, retention.KindRedact}
	if len(o.Commands) > 0 {
		names = append(names, command.Kind)
	}
	return names
}

// kinds are the kinds that the worker does, more of them besides, and whether recordings are among them.
func (o *TaskOptions) kinds(s *Stores, tempDir string, more ...task.Kind) (k task.Kinds, recordings bool, err error) {
	programs, err := command.ParsePrograms(o.Commands)
	if err != nil {
		return k, false, err
	}
	memory := o.CommandMemory
	if memory > 0 {
		memory <<= 20
	}
	bounds := &command.Options{Timeout: o.CommandTimeout, MaxMemory: memory, TempDir: tempDir}
	if slices.Contains(o.names(), command.Kind) && len(programs) == 0 {
		return k, false, callmodel.FieldErrors{{Path: "kinds", Message: "jobs of the kind command are to be done, and there is no program for them: name one by --command NAME=PROGRAM"}}
	}
	if err := programs.Check(bounds); err != nil {
		return k, false, err
	}
	library := stored.NewLibrary(s.DB, s.Objects)
	all, err := task.NewKinds(slices.Concat(stored.Kinds(library, &stored.TranscodeOptions{TempDir: tempDir}),
		[]task.Kind{
			task.Recordings(nil), command.New(library, programs, bounds),
			dataexport.NewExporter(s.DB, s.DB, s.Objects).Kind(s.Objects), dataexport.Delete(s.DB, s.Objects),
		}, more)...)
	names := o.names()
	for i := range more {
		if !slices.Contains(names, more[i].Name) {
			names = append(names, more[i].Name)
		}
	}
	if err == nil {
		k, err = all.Only(names...)
	}
	return k, slices.Contains(o.names(), record.Kind), err
}

// sweep removes what workers on this machine that were killed have left in tempDir. What
// it can't remove is in nobody's way.
func sweep(ctx context.Context, tempDir string, log *slog.Logger) {
	n, err := task.SweepWorkdirs(tempDir, command.Kind, stored.KindTranscode, retention.KindRedact)
	if err != nil {
		log.WarnContext(ctx, "directories of jobs whose worker was killed can't be removed", "error", err)
	}
	if n > 0 {
		log.InfoContext(ctx, "directories of jobs whose worker was killed were removed", "directories", n)
	}
}

// Enqueued are the kinds of job, besides recordings, that this program enqueues for
// workers: it checks them, and does none.
func Enqueued() (task.Kinds, error) {
	return task.NewKinds(append(stored.Kinds(nil, nil), command.New(nil, nil, nil))...)
}
