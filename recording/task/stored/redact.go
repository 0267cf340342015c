package stored

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/task"
)

// kindRedact names the directories of what is being redacted.
const kindRedact = "redact-recording"

// Redactor makes finished recordings again without some ranges of some parties, as new
// versions beside those that there are.
//
// It reads the legs, if all are still there with the bytes that were recorded (SHA-256), so
// that every output is what it would have been. Else it reads the best of the recording's
// own outputs, as Transcode does: a lossy one is encoded once more, and a party can be
// redacted only in one that has the legs apart. The ranges are call time in both cases.
type Redactor struct {
	t    transcoder
	legs recording.LegOpener
}

// NewRedactor is a Redactor of the library's recordings. legs is the place of the legs; nil:
// the outputs alone are read. o may be nil.
func NewRedactor(l *Library, legs recording.LegOpener, o *TranscodeOptions) *Redactor {
	r := &Redactor{t: transcoder{library: l}, legs: legs}
	if o != nil {
		r.t.opts = *o
	}
	if r.t.opts.Codecs == nil {
		r.t.opts.Codecs = recording.BuiltinCodecs()
	}
	return r
}

// Redact makes the recording again with the redactions besides those that it has. It
// returns the spec with all of them, and the result, whose objects are put create-only: the
// same redactions give the same objects again. What can't be redacted so is a
// callmodel.PermanentError.
func (r *Redactor) Redact(ctx context.Context, rec *Recording, more []record.Redaction) (spec record.Spec, result record.Result, err error) {
	spec = rec.Spec
	spec.Redactions = slices.Concat(rec.Spec.Redactions, more)
	if err := record.ValidateRedactions(spec.Redactions, spec.Legs); err != nil {
		return spec, result, callmodel.Permanent(err)
	}
	if !rec.Result.Made() {
		return spec, result, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "recording %s is %s: there is nothing to redact", spec.RecordingID, rec.Result.Status))
	}
	whole, err := r.legsAreThose(ctx, rec)
	if err != nil {
		return spec, result, err
	}
	if whole {
		p := recording.NewProcessor(r.legs, r.t.library.objects, &recording.Options{Codecs: r.t.opts.Codecs})
		result, err = p.Process(ctx, spec, &recording.ProcessOptions{AcceptGrowing: true, NewVersion: true, Version: rec.Result.Version() + 1})
	} else {
		result, err = r.fromOutputs(ctx, rec, more)
	}
	if err != nil {
		return spec, result, err
	}
	if !result.Made() {
		return spec, result, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "recording %s can't be made again: it is %s, %s", spec.RecordingID, result.Status, result.Reason))
	}
	result.Consent, result.Software, result.HostSoftware = rec.Result.Consent, rec.Result.Software, rec.Result.HostSoftware
	return spec, result, nil
}

// legsAreThose reports whether all legs are there, with the bytes that were recorded.
func (r *Redactor) legsAreThose(ctx context.Context, rec *Recording) (bool, error) {
	if r.legs == nil {
		return false, nil
	}
	hashes := map[string]string{}
	for i := range rec.Result.Legs {
		hashes[rec.Result.Legs[i].Name] = rec.Result.Legs[i].SHA256
	}
	for i := range rec.Spec.Legs {
		leg := &rec.Spec.Legs[i]
		sum := sha256.New()
		for k := range leg.Segments {
			in, err := r.legs.OpenLeg(ctx, leg.Segments[k].URI)
			if _, never := errors.AsType[*callmodel.PermanentError](err); never || errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			_, err = io.Copy(sum, in)
			if err = errors.Join(err, in.Close()); err != nil {
				return false, err
			}
		}
		if len(leg.Segments) == 0 || hex.EncodeToString(sum.Sum(nil)) != hashes[leg.Name] {
			return false, nil
		}
	}
	return len(rec.Spec.Legs) > 0, nil
}

// fromOutputs makes the recording of the best of its own outputs.
func (r *Redactor) fromOutputs(ctx context.Context, rec *Recording, more []record.Redaction) (result record.Result, err error) {
	party := slices.ContainsFunc(more, func(m record.Redaction) bool {
		return slices.ContainsFunc(rec.Spec.Legs, func(l record.LegSpec) bool { return !m.Covers(l.Name) })
	})
	from, err := rec.best(true)
	if err != nil && !party {
		from, err = rec.best(false)
	}
	if err != nil {
		return result, err
	}
	own, err := task.NewWorkdir(r.t.opts.TempDir, kindRedact)
	if err != nil {
		return result, DiskFault(err)
	}
	defer func() { err = errors.Join(err, own.Remove()) }()
	if err := r.t.library.split(ctx, from, r.t.opts.Codecs, own.Path); err != nil {
		return result, DiskFault(err)
	}
	spec := record.Spec{
		TenantID: rec.Spec.TenantID, CallID: rec.Spec.CallID, RecordingID: rec.Spec.RecordingID, StartedAt: rec.Spec.StartedAt,
		Outputs: slices.Clone(rec.Spec.Outputs), NoManifest: rec.Spec.NoManifest, HostSoftware: rec.Spec.HostSoftware,
	}
	for c := range from.Output.Channels {
		spec.Legs = append(spec.Legs, record.NewLeg(rec.legOf(from.Output, c), channelName(c)))
	}
	for i := range spec.Outputs {
		o := &spec.Outputs[i]
		if from.Output.Channels == 1 && o.Layout != "" { // the parties can't be parted any more
			o.Layout = record.LayoutMono
		}
		*o = o.ForLegs(len(spec.Legs))
	}
	spec.Redactions = inOutput(&rec.Result, spec.Legs, more)
	legs, err := local.OpenDir(own.Path)
	if err != nil {
		return result, err
	}
	p := recording.NewProcessor(legs, r.t.library.objects, &recording.Options{Codecs: r.t.opts.Codecs})
	result, err = p.Process(ctx, spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true, NewVersion: true, Version: rec.Result.Version() + 1})
	if err = errors.Join(err, legs.Close()); err != nil {
		return result, err
	}
	was := &rec.Result
	result.Trimmed, result.Timeline, result.Paused = was.Trimmed, was.Timeline, was.Paused
	result.Redacted = min(result.Redacted+was.Redacted, result.Duration)
	result.Legs = was.Legs // what was read of them once
	for _, d := range was.Defects {
		if !slices.ContainsFunc(result.Defects, func(n record.Defect) bool { return n.Code == d.Code && n.Leg == d.Leg }) {
			result.Defects = append(result.Defects, d)
		}
	}
	if len(result.Defects) > 0 {
		result.Status = record.StatusCompletedDegraded
	}
	return result, nil
}

// inOutput are the redactions in the time of the outputs, which leave out what was trimmed
// and cut, for the channels' legs.
func inOutput(r *record.Result, legs []record.LegSpec, more []record.Redaction) (list []record.Redaction) {
	pieces := r.Timeline
	if len(pieces) == 0 {
		pieces = []record.TimelinePiece{{CallFrom: r.Trimmed, CallTo: record.MaxSpan}}
	}
	for _, m := range more {
		if len(m.Legs) > 0 {
			m.Legs = slices.DeleteFunc(slices.Clone(m.Legs), func(name string) bool {
				return !slices.ContainsFunc(legs, func(l record.LegSpec) bool { return l.Name == name })
			}) // in one channel all are redacted
		}
		for _, p := range pieces {
			from, to := max(m.From, p.CallFrom), min(m.To, p.CallTo)
			if from >= to {
				continue
			}
			in := m
			in.From, in.To = max(from-p.CallFrom+p.At-edge, 0), to-p.CallFrom+p.At+edge
			list = append(list, in)
		}
	}
	return list
}

// edge is how much more is redacted at both ends of a range in an output: the coded
// audio of a frame spreads over its neighbours.
const edge = 30 * time.Millisecond
