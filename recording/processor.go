package recording

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// Progress is told how far a recording is: frames of the timeline done and in
// total, at the highest rate among the outputs. It is called by the goroutine
// of Process, for every block and at the end; it should be quick.
type Progress func(framesDone, framesTotal int64)

// DefaultBlockFrames is the default of Options.BlockFrames.
const DefaultBlockFrames = 8192

// Options configure a [Processor]. The zero value works.
type Options struct {
	// Codecs are the formats to read and write. Nil: BuiltinCodecs().
	Codecs *codec.Registry
	// BlockFrames is how many frames go through the pipeline at a time, at the
	// highest rate among the outputs. 0 means DefaultBlockFrames; the most is
	// 65536. It doesn't change the bytes that come out.
	BlockFrames int
	// Stages change the audio of legs, in this order.
	Stages []Stage
	// Taps measure every recording besides what its spec asks for.
	Taps []NewTap
	// Progress is told of every recording; nil for nobody.
	Progress Progress
	// Tracer makes a span of each phase of a recording. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Logger gets a line for every recording. Nil: nothing is logged.
	Logger *slog.Logger
}

// ProcessOptions are about one recording. The zero value works.
type ProcessOptions struct {
	// AcceptMissing makes the recording although legs are missing or empty. They
	// are silent then. Without it such a leg is a [*LegsNotReadyError].
	AcceptMissing bool
	// AcceptGrowing makes it although files are still being written. It holds what
	// was in them at first. Without it such a leg is a [*LegsNotReadyError].
	AcceptGrowing bool
	// QuietSince is since when nobody may have written to a file: one that was
	// modified later counts as still being written, even if it becomes no longer
	// while it is read. The time of the modification is the ModTime that a leg's
	// reader gives, by Stat as *os.File does; readers without Stat aren't asked.
	// Zero: only files that become longer are still being written.
	QuietSince time.Time
	// CutQuietSince is the same for files that may be the beginning of something:
	// those that end within their audio or before it, whose header has sizes that
	// are wrong or not filled in, or that can't be read at all. Zero: QuietSince
	// alone holds.
	CutQuietSince time.Time
	// NewVersion says that the recording was made before, of less audio. Then it is
	// no surprise that objects with other bytes have its keys.
	NewVersion bool
	// Version is the one, from 1, that the recording's objects get, or the next that is free
	// for all of them: see record.Result.Version. 0 means 1.
	Version int
	// Manifest is the SHA-256, in hex, of the manifest that there is of Version: if it comes
	// out otherwise, all objects get the next version. "": it isn't known.
	Manifest string
	// RefuseOutside makes redactions and pauses that begin after the call's end, which
	// silence nothing, [callmodel.FieldErrors] before anything is put. Without it they
	// are defects.
	RefuseOutside bool
	// RefuseUnreadable makes legs that can't be decoded, which are silence otherwise,
	// [callmodel.FieldErrors] before anything is put.
	RefuseUnreadable bool
	// Progress is told of this recording, besides Options.Progress.
	Progress Progress
}

// Processor makes recordings. It may be used by several goroutines at once.
type Processor struct {
	legs     LegOpener
	objects  Objects
	codecs   *codec.Registry
	stages   []Stage
	taps     []NewTap
	block    int
	progress Progress
	log      *slog.Logger
	tracer   tracing.Tracer
}

// NewProcessor makes a Processor that takes legs from legs and puts recordings
// into objects. o may be nil.
func NewProcessor(legs LegOpener, objects Objects, o *Options) *Processor {
	if o == nil {
		o = &Options{}
	}
	p := &Processor{
		legs: legs, objects: objects, codecs: o.Codecs, stages: o.Stages, taps: o.Taps, block: min(max(o.BlockFrames, 0), 1<<16),
		progress: o.Progress, log: o.Logger, tracer: o.Tracer,
	}
	if p.codecs == nil {
		p.codecs = BuiltinCodecs()
	}
	if p.block == 0 {
		p.block = DefaultBlockFrames
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p
}

// Check is the function [Check] with the Processor's codecs.
func (p *Processor) Check(spec record.Spec) error { return Check(spec, p.codecs) }

// Process makes the recording. o may be nil. What the spec leaves out gets the
// values of its WithDefaults.
//
// Every outcome in which nothing is left to do is a result without an error:
// completed, completed_degraded, absent and quarantined. The errors are:
//
//   - [callmodel.FieldErrors], as a [callmodel.PermanentError]: the spec can't be
//     done, or, with RefuseOutside, asks for what lies after the call's end, or, with
//     RefuseUnreadable, has a leg that can't be decoded;
//   - [*LegsNotReadyError]: legs are missing or empty, or still being written, and
//     AcceptMissing or AcceptGrowing isn't set. No object was put;
//   - [*LegsAwayError]: the place where the legs are couldn't be looked into;
//   - ctx's error, and those of legs, with the leg and the file, and of objects:
//     the attempt failed and may be repeated. Objects that were finished before
//     stay. The next attempt meets them by their keys.
func (p *Processor) Process(ctx context.Context, spec record.Spec, o *ProcessOptions) (record.Result, error) {
	if o == nil {
		o = &ProcessOptions{}
	}
	spec = spec.WithDefaults()
	if err := p.Check(spec); err != nil {
		return record.Result{}, callmodel.Permanent(err)
	}
	if spec.Consent == retention.ConsentDenied {
		return emptyResult(record.StatusAbsent, retention.ReasonNoConsent), nil
	}
	if spec.Span == 0 && spec.EndedAt.Equal(spec.StartedAt) {
		return emptyResult(record.StatusAbsent, record.ReasonTooShort), nil
	}
	r, err := p.inOneVersion(ctx, &spec, o)
	if err != nil {
		return record.Result{}, placeAway(ctx, err)
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "recording made",
		slog.String("tenant", string(spec.TenantID)), slog.String("call", string(spec.CallID)),
		slog.String("recording", string(spec.RecordingID)), slog.String("status", string(r.Status)),
		slog.String("reason", r.Reason), slog.Int("defects", len(r.Defects)),
		slog.Int64("duration_ms", r.Duration.Milliseconds()))
	return r, nil
}

// inOneVersion makes the recording, and makes it again if some of its keys were taken by
// other bytes, which an attempt before may have left, and others weren't: all objects of a
// recording have the same version.
func (p *Processor) inOneVersion(ctx context.Context, spec *record.Spec, o *ProcessOptions) (record.Result, error) {
	own := *o
	own.Version = max(o.Version, 1)
	for range maxVersions {
		r, err := p.makeRecording(ctx, spec, &own)
		apart, ok := errors.AsType[*versionsError](err)
		if !ok {
			return r, err
		}
		p.log.InfoContext(ctx, "a key of the recording is taken by other bytes: all its objects are made as a later version",
			"recording", spec.RecordingID, "version", own.Version, "later", apart.next)
		own.Version, own.Manifest, own.NewVersion = apart.next, "", true
	}
	return record.Result{}, callmodel.Errorf(callmodel.CodeConflict,
		"recording %s: keys of %d versions up to %d were taken by other bytes while it was made; find out what writes there", spec.RecordingID, maxVersions, own.Version)
}

// maxVersions bounds how often a recording is made again for its version.
const maxVersions = 5

// versionsError says that objects of a recording got several versions, and which may be free
// for all of them.
type versionsError struct{ next int }

func (e *versionsError) Error() string {
	return fmt.Sprintf("recording: its objects got several versions; version %d may be free for all", e.next)
}

// oneVersion is the version of the outputs, which is asked if their keys have none. A
// *versionsError if they have several.
func oneVersion(r *record.Result, asked int) (int, error) {
	version := 0
	for i := range r.Outputs {
		k, ok := record.ParseObjectKey(r.Outputs[i].Key)
		switch {
		case !ok:
		case version == 0:
			version = k.Version
		case k.Version != version:
			return 0, &versionsError{r.Version()}
		}
	}
	return cmp.Or(version, asked), nil
}

// makeRecording goes through the phases. Each makes a value of the values of the
// phases before.
func (p *Processor) makeRecording(ctx context.Context, spec *record.Spec, o *ProcessOptions) (record.Result, error) {
	var none record.Result
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	opening, span := tracing.Start(ctx, p.tracer, "open legs")
	legs, err := legfile.Open(opening, spec.Legs, p.openerOf(spec), p.codecs)
	span.End(err)
	if err != nil {
		return none, err
	}
	defer legfile.Close(legs)
	if err := checkReady(legs, o); err != nil {
		return none, err
	}
	if o.RefuseUnreadable {
		if err := refuseUnreadable(legs); err != nil {
			return none, callmodel.Permanent(err)
		}
	}
	call, err := timeLegs(spec, legs)
	if err != nil {
		return none, err
	}
	scanning, span := tracing.Start(ctx, p.tracer, "scan legs")
	scan, err := p.scan(scanning, call)
	span.End(err)
	if err != nil {
		return none, err
	}
	cut := cutTimeline(call, scan)
	if o.RefuseOutside {
		if err := cut.refuseOutside(); err != nil {
			return none, callmodel.Permanent(err)
		}
	}
	outputs, err := planOutputs(p.codecs, cut)
	if err != nil {
		return none, callmodel.Permanent(err)
	}
	pl := &plan{call: call, scan: scan, cut: cut, outputs: outputs}
	rendering, span := tracing.Start(ctx, p.tracer, "render")
	done, err := p.render(rendering, cancel, pl, o)
	span.End(err)
	if err != nil {
		return none, err
	}
	result := report(pl, done)
	version, err := oneVersion(&result, o.Version)
	if err != nil {
		return none, err
	}
	writing, span := tracing.Start(ctx, p.tracer, "write manifest")
	err = p.putManifest(writing, call, o, version, &result)
	span.End(err)
	return result, err
}
