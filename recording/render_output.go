package recording

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/codec"
)

// output is one object while it is written.
type output struct {
	*reader
	*plannedOutput

	call       *record.Spec
	codecs     *codec.Registry
	objects    Objects
	newVersion bool
	version    int

	begun  bool
	clips  int64
	report *analysis.Report // nil unless it is an analysis
	info   record.ObjectInfo
}

func (p *Processor) newOutput(call *record.Spec, planned *plannedOutput, options *ProcessOptions) *output {
	o := &output{
		reader: newReader(), plannedOutput: planned, call: call, codecs: p.codecs, objects: p.objects, newVersion: options.NewVersion, version: options.Version,
	}
	o.run = o.put
	return o
}

// encoder names the encoder and its output's version.
func (o *output) encoder() string { return o.codecs.Outputs[o.spec.Codec].Version }

// put makes the object. Its failure ends the whole recording.
func (o *output) put(ctx context.Context) error {
	contentType := cmp.Or(o.codecs.Outputs[o.spec.Codec].ContentType, o.spec.Codec.ContentType())
	meta := record.ObjectMeta{ContentType: contentType, Metadata: o.metadata(), NewVersion: o.newVersion}
	key := o.call.Key(o.spec)
	key.Version = o.version
	info, err := o.objects.Put(ctx, key, meta, func(w io.Writer) error { return o.write(ctx, w) })
	switch {
	case err != nil:
		return fmt.Errorf("recording: write output %s: %w", o.label(), err)
	case !o.begun && !info.Existed:
		return fmt.Errorf("recording: write output %s: the store took nothing", o.label())
	}
	o.info = info
	return nil
}

// write encodes the blocks as they come.
func (o *output) write(ctx context.Context, w io.Writer) error {
	if o.begun {
		return errors.New("recording: an output can be written only once")
	}
	o.begun = true
	f := &goaudio.Format{NumChannels: o.channels, SampleRate: o.rate}
	enc, err := o.codecs.NewEncoder(o.spec.Codec, w, f, o.options)
	if err != nil {
		return err
	}
	if err := o.feed(ctx, enc); err != nil {
		return err
	}
	if c, ok := enc.(codec.ClipReporter); ok {
		o.clips = c.Clipped()
	}
	if a, ok := enc.(interface{ Report() *analysis.Report }); ok {
		o.report = a.Report()
	}
	return nil
}

func (o *output) label() string {
	if o.spec.Name != "" {
		return strconv.Quote(o.spec.Name) + " (" + string(o.spec.Codec) + ")"
	}
	return string(o.spec.Codec)
}

func (o *output) result() record.OutputResult {
	r := record.OutputResult{
		Name: o.spec.Name, URL: o.info.URL, Key: o.info.Key.String(), Codec: o.spec.Codec, Layout: o.spec.ChannelLayout(),
		Channels: o.channels, Rate: o.rate, Bitrate: o.bitrate(), Frames: o.frames,
		Bytes: o.info.Bytes, SHA256: o.info.SHA256, Encoder: o.encoder(),
	}
	if o.info.Key == (record.ObjectKey{}) {
		r.Key = ""
	}
	return r
}

// bitrate is what was asked for, that of PCM samples, or the mean over the file.
func (o *output) bitrate() int {
	switch {
	case !o.spec.Codec.Audio():
		return 0
	case o.spec.BitrateBps > 0:
		return o.spec.BitrateBps
	case o.spec.Codec == record.CodecWAV:
		depth := o.spec.BitDepth
		if depth == 0 {
			depth = 16
		}
		return depth * o.channels * o.rate
	case o.spec.Codec == record.CodecMulaw || o.spec.Codec == record.CodecAlaw:
		return 8 * o.channels * o.rate
	default:
		return int(8 * float64(o.info.Bytes) * float64(o.rate) / float64(o.frames))
	}
}

func (o *output) metadata() map[string]string {
	return map[string]string{
		"tenant_id":    string(o.call.TenantID),
		"call_id":      string(o.call.CallID),
		"recording_id": string(o.call.RecordingID),
		"channel_map":  channelMap(o.call, o.spec),
		"codec":        string(o.spec.Codec),
		"layout":       string(o.spec.ChannelLayout()),
		"channels":     strconv.Itoa(o.channels),
		"rate":         strconv.Itoa(o.rate),
		"frames":       strconv.FormatInt(o.frames, 10),
		"encoder":      o.encoder(),
	}
}
