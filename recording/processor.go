package recording

import (
	"context"
	"log/slog"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
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
	// Logger gets a line for every recording. Nil: nothing is logged.
	Logger *slog.Logger
}

// ProcessOptions are about one recording. The zero value works.
type ProcessOptions struct {
	// AcceptMissing makes the recording although legs are missing or empty, which
	// are silence then. Without it such a leg is a [*LegsNotReadyError].
	AcceptMissing bool
	// AcceptGrowing makes it although files are still being written, of which what
	// was there at first is recorded. Without it such a leg is a [*LegsNotReadyError].
	AcceptGrowing bool
	// QuietSince is when files must have been written to for the last time: one
	// that was modified later counts as still being written, whether it becomes
	// longer while it is read or not. It is held against the ModTime that a leg's
	// reader gives, by Stat as *os.File does; readers without aren't asked. Zero:
	// only files that become longer are still being written.
	QuietSince time.Time
	// CutQuietSince is the same for files that may be the beginning of something:
	// that end within their audio or before it, whose header has sizes that are
	// wrong or not filled in, or that can't be read at all. Zero: QuietSince alone holds.
	CutQuietSince time.Time
	// NewVersion says that the recording was made before, of less: that objects
	// with other bytes have its keys is no surprise then.
	NewVersion bool
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
}

// NewProcessor makes a Processor that takes legs from legs and puts recordings
// into objects. o may be nil.
func NewProcessor(legs LegOpener, objects Objects, o *Options) *Processor {
	if o == nil {
		o = &Options{}
	}
	p := &Processor{
		legs: legs, objects: objects, codecs: o.Codecs, stages: o.Stages, taps: o.Taps, block: min(max(o.BlockFrames, 0), 1<<16),
		progress: o.Progress, log: o.Logger,
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

// Check reports every fault of the spec that shows without reading a leg, as
// [callmodel.FieldErrors]: those of Validate, and what the codecs can't do,
// with the nearest that they can. An output without a sample rate is checked
// at 8000 Hz.
func (p *Processor) Check(spec record.Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	var faults callmodel.FieldErrors
	for i, o := range spec.Outputs {
		out := p.output(&spec, o, record.DefaultSampleRate)
		out.options.Frames = int64(out.rate)
		faults = append(faults, p.checkOutput(i, out)...)
	}
	return faults.Err()
}

// Process makes the recording. o may be nil.
//
// Every outcome in which nothing is left to do is a result without an error:
// completed, completed_degraded, absent and quarantined. The errors are:
//
//   - [callmodel.FieldErrors], as a [callmodel.PermanentError]: the spec can't be done;
//   - [*LegsNotReadyError]: legs are missing or empty, or still being written, and
//     AcceptMissing or AcceptGrowing isn't set: no object was put;
//   - ctx's error, and those of legs and objects: the attempt failed and may be
//     repeated. Objects that were finished before stay; they are met again by
//     their keys.
func (p *Processor) Process(
	ctx context.Context, spec record.Spec, o *ProcessOptions,
) (record.Result, error) {
	if o == nil {
		o = &ProcessOptions{}
	}
	if err := p.Check(spec); err != nil {
		return record.Result{}, callmodel.Permanent(err)
	}
	if spec.Span == 0 && spec.EndedAt.Equal(spec.StartedAt) {
		return empty(record.StatusAbsent, record.ReasonTooShort), nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pl, err := p.openLegs(ctx, &spec)
	if err != nil {
		return record.Result{}, err
	}
	pl.newVersion = o.NewVersion
	defer pl.close()
	if err := pl.ready(o); err != nil {
		return record.Result{}, err
	}
	r, err := p.run(ctx, cancel, pl, o)
	if err != nil {
		return record.Result{}, err
	}
	p.log.LogAttrs(ctx, slog.LevelInfo, "recording made",
		slog.String("tenant", string(spec.TenantID)), slog.String("call", string(spec.CallID)),
		slog.String("recording", string(spec.RecordingID)), slog.String("status", string(r.Status)),
		slog.String("reason", r.Reason), slog.Int("defects", len(r.Defects)),
		slog.Int64("duration_ms", r.Duration.Milliseconds()))
	return r, nil
}

func empty(status record.Status, reason string) record.Result {
	return record.Result{
		Status: status, Reason: reason,
		Defects: []record.Defect{}, Legs: []record.LegResult{}, Outputs: []record.OutputResult{},
	}
}

// run makes the recording that is planned.
func (p *Processor) run(
	ctx context.Context, cancel context.CancelCauseFunc, pl *plan, o *ProcessOptions,
) (record.Result, error) {
	r := empty(record.StatusCompleted, "")
	pl.timing()
	if pl.rate > 0 {
		if err := p.scan(ctx, pl); err != nil {
			return r, err
		}
		pl.cut()
	}
	if len(pl.pieces) > 0 {
		if err := p.planOutputs(pl); err != nil {
			return r, callmodel.Permanent(err)
		}
	}
	if pl.length > 0 && len(pl.pieces) > 0 {
		outputs, err := p.render(ctx, cancel, pl, o)
		if err != nil {
			return r, err
		}
		r.Outputs = outputs
		pl.times(&r)
	}
	for i, l := range pl.legs {
		if err := l.finish(); err != nil {
			return r, err
		}
		pl.lostSound(l)
		r.Defects = append(r.Defects, l.defects...)
		r.Legs = append(r.Legs, pl.legResult(i))
	}
	if pl.report != nil {
		r.Analysis = essence(pl.report)
		pl.defects = append(pl.defects, suspicions(pl.report, r.Defects)...)
	}
	r.Defects = append(r.Defects, pl.defects...)
	switch {
	case pl.rate == 0:
		r.Status, r.Reason = hopeless(r.Defects)
	case len(r.Outputs) == 0 && pl.length > 0:
		r.Status, r.Reason = record.StatusAbsent, record.ReasonPaused
	case len(r.Outputs) == 0:
		r.Status, r.Reason = record.StatusAbsent, record.ReasonTooShort
	default:
		r.Status = statusOf(r.Defects)
	}
	return r, p.putManifest(ctx, pl, &r)
}

// times says which parts of the call the outputs hold.
func (pl *plan) times(r *record.Result) {
	frames := framesOf(pl.runs(pl.rate))
	r.Duration = audio.DurationOf(frames, pl.rate).Round(time.Millisecond)
	if pl.trimmed != nil {
		r.Trimmed = pl.trimmed.from
	}
	r.Timeline, r.Paused = pl.timeline(), pl.pausedFor()
	var hidden time.Duration
	for _, w := range pl.pieces {
		hidden += redacted(pl.spec.Redactions, w.from, w.to)
	}
	r.Redacted = hidden.Round(time.Millisecond)
}

func (pl *plan) legResult(i int) record.LegResult {
	l := pl.legs[i]
	r := l.result(i)
	r.DriftPPM, r.GainDB = l.driftPPM, l.levelDB
	r.Gaps = pl.gaps(l)
	r.GapsOmitted = l.moreGaps
	if n := len(r.Gaps); n > record.MaxGaps {
		r.Gaps, r.GapsOmitted = r.Gaps[:record.MaxGaps], r.GapsOmitted+n-record.MaxGaps
	}
	return r
}

func (l *leg) result(channel int) record.LegResult {
	r := record.LegResult{
		Name: l.spec.Name, Rate: l.rate(), Offset: l.segments[0].spec.Offset, SHA256: l.sum, Channel: channel,
	}
	for _, s := range l.segments {
		switch {
		case s.frames == 0:
		case s.format.SampleRate == r.Rate:
			r.Frames += s.frames
		default:
			r.Frames += audio.FramesIn(audio.DurationOf(s.frames, s.format.SampleRate), r.Rate)
		}
	}
	return r
}
