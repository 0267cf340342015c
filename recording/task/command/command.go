package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// Kind is the kind of the jobs that run a program.
const Kind = "command"

// Payload is what a job is to run, and on what.
type Payload struct {
	// Command is the name of one of the worker's programs.
	Command   string        `json:"command"`
	Recording stored.Source `json:"recording"`
}

// Validate reports every fault of the payload, as FieldErrors.
func (p *Payload) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("command", p.Command)
	e.AddAll("recording", p.Recording.Validate())
	return e.Err()
}

// Options bound the programs. The zero value works.
type Options struct {
	// Timeout is how long a program may take. 0 means 10 minutes.
	Timeout time.Duration
	// MaxOutput is how many bytes it may write to its standard output. 0 means 1 MiB.
	// What it writes to its standard error is cut to 4 KiB, and told if it fails.
	MaxOutput int64
	// MaxMemory is how many bytes of address space each of its processes may have. 0
	// means 1 GiB; negative: any number.
	MaxMemory int64
	// MaxFile is how many bytes each file that it writes may have. 0 means 1 GiB;
	// negative: any number.
	MaxFile int64
	// Env is its environment, as NAME=VALUE, beside HOME and TMPDIR, which are its
	// directory, and SWITCHTAPE_JOB_ID, _TENANT_ID, _CALL_ID and _RECORDING_ID. Nil: a
	// usual PATH and LANG=C.UTF-8.
	Env []string
	// TempDir is where the programs' directories are made. "" means the system's
	// temporary directory. What is left there by a worker that was killed
	// task.SweepWorkdirs removes.
	TempDir string
}

// Defaults of Options.
const (
	defaultTimeout   = 10 * time.Minute
	defaultMaxOutput = 1 << 20
	defaultMaxMemory = 1 << 30
	defaultMaxFile   = 1 << 30
	maxErrorOutput   = 4 << 10
)

// env is Env, or its default.
func (o *Options) env() []string {
	if o == nil || o.Env == nil {
		return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	}
	return o.Env
}

// New is the kind of the jobs that run one of these programs. Their payload is a
// [Payload]. l may be nil where such jobs are only enqueued; so may o.
func New(l *stored.Library, programs Programs, o *Options) task.Kind {
	if l == nil {
		return task.Of[Payload](Kind, nil)
	}
	r := runner{library: l, programs: maps.Clone(programs)}
	if o != nil {
		r.opts = *o
	}
	r.opts.Timeout = cmp.Or(r.opts.Timeout, defaultTimeout)
	r.opts.MaxOutput = cmp.Or(r.opts.MaxOutput, defaultMaxOutput)
	r.opts.MaxMemory = cmp.Or(r.opts.MaxMemory, defaultMaxMemory)
	r.opts.MaxFile = cmp.Or(r.opts.MaxFile, defaultMaxFile)
	r.opts.Env = r.opts.env()
	return task.Of(Kind, r.do)
}

type runner struct {
	library  *stored.Library
	programs Programs
	opts     Options
}

// Description is what job.json says.
type Description struct {
	JobID       callmodel.JobID       `json:"job_id"`
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	StartedAt   time.Time             `json:"started_at"` // of the call's timeline
	DurationMS  int64                 `json:"duration_ms"`
	Legs        []string              `json:"legs"` // their names, by the channel of outputs that have them apart
	Files       []File                `json:"files"`
}

// File is one of the files beside job.json.
type File struct {
	File string `json:"file"` // its name
	// What it is of; empty of the manifest.
	Name     string        `json:"name,omitempty"` // the output's
	Codec    record.Codec  `json:"codec,omitempty"`
	Layout   record.Layout `json:"layout,omitempty"`
	Channels int           `json:"channels,omitempty"`
	Rate     int           `json:"rate,omitempty"` // Hz
}

func (r *runner) do(ctx context.Context, j *task.Job, p Payload) (result any, err error) {
	argv := r.programs[p.Command]
	if len(argv) == 0 {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid,
			"this worker has no command %q; it has: %s", p.Command, strings.Join(slices.Sorted(maps.Keys(r.programs)), ", ")))
	}
	rec, err := r.library.Find(ctx, j, p.Recording)
	if err != nil {
		return nil, err
	}
	if !rec.Result.Made() {
		return absent{Status: record.StatusAbsent, Reason: rec.Result.Reason}, nil
	}
	own, err := task.NewWorkdir(r.opts.TempDir, Kind)
	if err != nil {
		return nil, stored.DiskFault(err)
	}
	defer func() { err = errors.Join(err, own.Remove()) }()
	dir := own.Path
	if err := r.lay(ctx, j, rec, dir); err != nil {
		return nil, stored.DiskFault(err)
	}
	env := append(slices.Clone(r.opts.Env), "HOME="+dir, "TMPDIR="+dir,
		"SWITCHTAPE_JOB_ID="+string(j.ID), "SWITCHTAPE_TENANT_ID="+string(j.TenantID),
		"SWITCHTAPE_CALL_ID="+string(rec.Spec.CallID), "SWITCHTAPE_RECORDING_ID="+string(rec.Spec.RecordingID))
	out, err := r.run(ctx, argv, dir, env)
	if err != nil {
		return nil, fmt.Errorf("command %q: %w", p.Command, err)
	}
	return outcomeOf(p.Command, out)
}

// absent is the result of a command on a recording that there isn't.
type absent struct {
	Status record.Status `json:"status"`
	Reason string        `json:"reason,omitempty"`
}

// Retriable reports that the recording may have been made meanwhile.
func (absent) Retriable() bool { return true }

// outcomeOf is the outcome by what the program wrote; nothing is no result.
func outcomeOf(command string, out []byte) (any, error) {
	if len(strings.TrimSpace(string(out))) == 0 {
		return nil, nil //nolint:nilnil // the payload's function says: nil is no result
	}
	var v json.RawMessage
	err := json.Unmarshal(out, &v)
	if err == nil {
		var read any // finds numbers that no reader can take, as 1e999
		err = json.Unmarshal(out, &read)
	}
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "command %q ended well, and what it wrote isn't JSON: %w", command, err)
	}
	return v, nil
}

// lay puts the recording's parts into the directory.
func (r *runner) lay(ctx context.Context, j *task.Job, rec *stored.Recording, dir string) error {
	d := Description{
		JobID: j.ID, TenantID: j.TenantID, CallID: rec.Spec.CallID, RecordingID: rec.Spec.RecordingID,
		StartedAt: rec.Spec.StartedAt, DurationMS: rec.Result.Duration.Milliseconds(), Legs: []string{}, Files: []File{},
	}
	for i := range rec.Result.Legs {
		d.Legs = append(d.Legs, rec.Result.Legs[i].Name)
	}
	objects, err := rec.Objects()
	if err != nil {
		return err
	}
	for i := range objects {
		o := &objects[i]
		f := File{File: "manifest.json"}
		if out := o.Output; out != nil {
			f = File{
				File: cmp.Or(out.Name, "recording") + "." + out.Codec.Ext(), Name: out.Name, Codec: out.Codec,
				Layout: out.Layout, Channels: out.Channels, Rate: out.Rate,
			}
		}
		d.Files = append(d.Files, f)
		err := write(filepath.Join(dir, f.File), func(w io.Writer) error { return r.library.Copy(ctx, w, o) })
		if damage, ok := errors.AsType[*stored.DamageError](err); ok {
			return callmodel.Permanent(damage)
		}
		if err != nil {
			return err
		}
	}
	return write(filepath.Join(dir, "job.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(d) })
}

func write(name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // in the job's own directory
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
