package recording

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// plannedOutput is an output with its defaults filled in: the fifth phase.
type plannedOutput struct {
	spec     record.OutputSpec
	rate     int
	channels int
	frames   int64
	options  codec.Options
}

// planOutputs fills in the rate and length of every output. The error says what
// the codecs can't do, as [callmodel.FieldErrors].
func planOutputs(codecs *codec.Registry, cut *cutCall) ([]plannedOutput, error) {
	if len(cut.pieces) == 0 {
		return nil, nil
	}
	spec := cut.call.spec
	outputs := make([]plannedOutput, len(spec.Outputs))
	var faults callmodel.FieldErrors
	for i, o := range spec.Outputs {
		out := planOutput(codecs, spec, o, cut.call.rate)
		out.frames = cut.frames(out.rate)
		out.options.Frames = out.frames
		faults = append(faults, checkOutput(codecs, i, &out)...)
		outputs[i] = out
	}
	return outputs, faults.Err()
}

// planOutput fills in o's defaults but for its length; rate is that of the legs.
func planOutput(codecs *codec.Registry, spec *record.Spec, o record.OutputSpec, rate int) plannedOutput {
	out := plannedOutput{spec: o, rate: o.SampleRateHz, channels: o.Channels(len(spec.Legs))}
	if out.rate == 0 {
		out.rate = codecs.FitRate(o.Codec, clampRate(rate))
	}
	out.options = codec.Options{
		BitrateBps: o.BitrateBps, BitDepth: o.BitDepth, SamplesPerPixel: o.SamplesPerPixel,
		Tags: tags(spec, o), ChannelNames: channelNames(spec, out.channels),
	}
	return out
}

// clampRate is the nearest rate that recordings may have.
func clampRate(hz int) int { return min(max(hz, record.MinSampleRateHz), record.MaxSampleRateHz) }

// checkOutput asks the codec about output i.
func checkOutput(codecs *codec.Registry, i int, out *plannedOutput) callmodel.FieldErrors {
	var faults callmodel.FieldErrors
	f := &goaudio.Format{NumChannels: out.channels, SampleRate: out.rate}
	if err := codecs.Check(out.spec.Codec, f, out.options); err != nil {
		path := fmt.Sprintf("outputs[%d]", i)
		if known, ok := codecs.Outputs[out.spec.Codec]; !ok || known.Unavailable != nil {
			path += ".codec"
		}
		faults.Add(path, "%s", err.Error())
	}
	return faults
}

// channelNames says whose channels they are; nil for a mix of several legs.
func channelNames(spec *record.Spec, channels int) []string {
	if channels < len(spec.Legs) {
		return nil
	}
	names := make([]string, channels)
	for i := range spec.Legs {
		names[i] = spec.Legs[i].Name
	}
	return names
}

// channelMap says who is on which channel: "0=agent,1=customer", and
// "0=agent+customer" for a mix.
func channelMap(spec *record.Spec, o record.OutputSpec) string {
	var b strings.Builder
	mono := o.ChannelLayout() == record.LayoutMono
	for i, l := range spec.Legs {
		switch {
		case i == 0:
			b.WriteString("0=")
		case mono:
			b.WriteByte('+')
		default:
			b.WriteString("," + strconv.Itoa(i) + "=")
		}
		b.WriteString(l.Name)
	}
	return b.String()
}

// tags are the metadata for encoders that can embed them.
func tags(spec *record.Spec, o record.OutputSpec) []codec.Tag {
	return []codec.Tag{
		{Key: "call_id", Value: string(spec.CallID)},
		{Key: "recording_id", Value: string(spec.RecordingID)},
		{Key: "started_at", Value: spec.StartedAt.UTC().Format(time.RFC3339Nano)},
		{Key: "channel_map", Value: channelMap(spec, o)},
	}
}
