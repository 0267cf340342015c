package stored

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/task"
)

// KindTranscode is the kind of the jobs that make other formats of a recording.
const KindTranscode = "transcode"

// TranscodePayload is what a transcode job is to make.
type TranscodePayload struct {
	Recording Source              `json:"recording"`
	Outputs   []record.OutputSpec `json:"outputs"`
}

// Validate reports every fault of the payload that shows without the recording, as
// FieldErrors.
func (p *TranscodePayload) Validate() error {
	var e callmodel.FieldErrors
	e.AddAll("recording", p.Recording.Validate())
	// What an output may ask for is the affair of recordings: here of one with two legs.
	e.AddAll("", recording.Check(record.Spec{
		Legs:    []record.LegSpec{record.NewLeg("a", "a.wav"), record.NewLeg("b", "b.wav")},
		Outputs: p.Outputs,
	}, nil))
	return e.Err()
}

// Transcoded is the result of a transcode job.
type Transcoded struct {
	Status record.Status   `json:"status"`           // "completed", "completed_degraded", or "absent" like the recording
	Reason string          `json:"reason,omitempty"` // why it is absent
	JobID  callmodel.JobID `json:"job_id"`           // that made the recording
	// From is the output of the recording that was read; nil for none.
	From    *record.OutputResult  `json:"from,omitempty"`
	Defects []record.Defect       `json:"defects"`
	Outputs []record.OutputResult `json:"outputs"`
}

// Retriable reports whether more can come of the job: the recording may have been made
// meanwhile, or better.
func (t Transcoded) Retriable() bool { return t.Status != record.StatusCompleted }

// TranscodeOptions configure [Transcode]. The zero value works.
type TranscodeOptions struct {
	// Codecs are the formats to read and write. Nil: recording.BuiltinCodecs().
	Codecs *codec.Registry
	// TempDir is where the audio lies while it is transcoded, as PCM of 24 bits. ""
	// means the system's temporary directory. What is left there by a worker that was
	// killed task.SweepWorkdirs removes.
	TempDir string
}

// Transcode is the kind of the jobs that make other formats of a recording. Their payload
// is a [TranscodePayload], their result a [Transcoded]. They read the best of the
// recording's outputs: where legs are to be kept apart one that has them apart, then one
// without loss, then the one with the highest sample rate and bitrate. It is held against
// its hash first. Of an output without loss, in the same layout and rate, every sample
// stays as it is.
//
// The outputs stand beside those of the recording, under its id, with the key of the job
// before their names. They are in the job's result and not on the call, whose recordings
// are those that record jobs made. l may be nil where such jobs are only enqueued; so may
// o.
func Transcode(l *Library, o *TranscodeOptions) task.Kind {
	if l == nil {
		return task.Of[TranscodePayload](KindTranscode, nil)
	}
	t := transcoder{library: l}
	if o != nil {
		t.opts = *o
	}
	if t.opts.Codecs == nil {
		t.opts.Codecs = recording.BuiltinCodecs()
	}
	return task.Of(KindTranscode, t.do)
}

type transcoder struct {
	library *Library
	opts    TranscodeOptions
}

func (t *transcoder) do(ctx context.Context, j *task.Job, p TranscodePayload) (result any, err error) {
	rec, err := t.library.Find(ctx, j, p.Recording)
	if err != nil {
		return nil, err
	}
	done := Transcoded{Status: record.StatusAbsent, JobID: rec.JobID, Defects: []record.Defect{}, Outputs: []record.OutputResult{}}
	if !rec.Result.Made() {
		done.Reason = rec.Result.Reason
		return done, nil
	}
	from, err := rec.best(apart(p.Outputs))
	if err != nil {
		return nil, err
	}
	own, err := task.NewWorkdir(t.opts.TempDir, KindTranscode)
	if err != nil {
		return nil, DiskFault(err)
	}
	defer func() { err = errors.Join(err, own.Remove()) }()
	dir := own.Path
	if err := t.library.split(ctx, from, t.opts.Codecs, dir); err != nil {
		return nil, DiskFault(err)
	}
	r, err := t.render(ctx, j, rec, from.Output, p.Outputs, dir)
	if err != nil {
		return nil, err
	}
	done.Status, done.Reason, done.From = r.Status, r.Reason, from.Output
	done.Defects, done.Outputs = append(done.Defects, r.Defects...), append(done.Outputs, r.Outputs...)
	return done, nil
}

// apart reports whether an output has the legs apart.
func apart(outputs []record.OutputSpec) bool {
	return slices.ContainsFunc(outputs, func(o record.OutputSpec) bool { return o.ChannelLayout() != record.LayoutMono && o.Layout != "" })
}

// best is the output to read: see [Transcode].
func (r *Recording) best(apart bool) (*Object, error) {
	objects, err := r.Objects()
	if err != nil {
		return nil, err
	}
	objects = slices.DeleteFunc(objects, func(o Object) bool { return o.Output == nil || !o.Output.Codec.Audio() })
	if len(objects) == 0 {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeUnsupported, "the recording of job %s has no output with audio", r.JobID))
	}
	better := func(a, b Object) int {
		x, y := a.Output, b.Output
		channels := cmp.Compare(x.Channels, y.Channels)
		if !apart {
			channels = 0
		}
		return cmp.Or(channels, cmp.Compare(lossless(x.Codec), lossless(y.Codec)), cmp.Compare(x.Rate, y.Rate), cmp.Compare(x.Bitrate, y.Bitrate), cmp.Compare(b.Key, a.Key))
	}
	best := slices.MaxFunc(objects, better)
	if apart && best.Output.Channels < 2 && len(r.Spec.Legs) > 1 {
		return nil, callmodel.Permanent(callmodel.Errorf(callmodel.CodeUnsupported,
			"the recording of job %s has its legs in one channel, and they can't be parted any more: ask for mono, or redact all parties", r.JobID))
	}
	return &best, nil
}

// lossless is 1 for codecs that keep every sample.
func lossless(c record.Codec) int {
	if c == record.CodecWAV || c == record.CodecFLAC {
		return 1
	}
	return 0
}

// render makes the outputs of the channels' files, as a recording of legs is made.
func (t *transcoder) render(ctx context.Context, j *task.Job, rec *Recording, from *record.OutputResult, outputs []record.OutputSpec, dir string) (record.Result, error) {
	spec := record.Spec{
		TenantID: rec.Spec.TenantID, CallID: rec.Spec.CallID, RecordingID: rec.Spec.RecordingID, StartedAt: rec.Spec.StartedAt,
		Outputs: slices.Clone(outputs), NoManifest: true,
	}
	for c := range from.Channels {
		spec.Legs = append(spec.Legs, record.NewLeg(rec.legOf(from, c), channelName(c)))
	}
	for i := range spec.Outputs {
		spec.Outputs[i] = spec.Outputs[i].ForLegs(len(spec.Legs))
	}
	legs, err := local.OpenDir(dir)
	if err != nil {
		return record.Result{}, err
	}
	p := recording.NewProcessor(legs, beside{t.library.objects, j.Key}, &recording.Options{Codecs: t.opts.Codecs})
	r, err := p.Process(ctx, spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true, Version: rec.Result.Version()})
	return r, errors.Join(err, legs.Close())
}

// legOf is the name of the leg in that channel of the output.
func (r *Recording) legOf(o *record.OutputResult, channel int) string {
	if o.Channels > 1 {
		for i := range r.Result.Legs {
			if r.Result.Legs[i].Channel == channel {
				return r.Result.Legs[i].Name
			}
		}
	}
	return "channel-" + strconv.Itoa(channel)
}

// beside puts outputs beside those of the recording, under names that begin with the
// job's key.
type beside struct {
	Objects

	key string
}

func (b beside) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	name := b.key
	if key.Name != "" {
		name += "-" + key.Name
	}
	key.Name = name
	return b.Objects.Put(ctx, key, m, write)
}
