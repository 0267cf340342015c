package recording

import (
	"context"
	"fmt"
	"math"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// plan is everything about a recording that is known before audio is read.
type plan struct {
	spec    *callmodel.RecordingSpec
	legs    []*leg
	outputs []plannedOutput
	rate    int                // the highest of the legs, Hz
	defects []callmodel.Defect // of the recording as a whole
	trimmed *window            // nil unless silence is trimmed
}

type plannedOutput struct {
	spec     callmodel.OutputSpec
	rate     int
	channels int
	frames   int64
	options  codec.Options
}

// openLegs opens every file and finds out what it is.
func (p *Processor) openLegs(ctx context.Context, spec *callmodel.RecordingSpec) (*plan, error) {
	pl := &plan{spec: spec}
	for i := range spec.Legs {
		l := &leg{spec: &spec.Legs[i]}
		for j := range l.spec.Segments {
			l.segments = append(l.segments, &segment{ctx: ctx, p: p, leg: l, spec: &l.spec.Segments[j]})
		}
		pl.legs = append(pl.legs, l)
	}
	for _, l := range pl.legs {
		if err := l.plan(); err != nil {
			pl.close()
			return nil, err
		}
		for _, s := range l.segments {
			if s.frames > 0 {
				pl.rate = max(pl.rate, s.format.SampleRate)
			}
		}
	}
	return pl, nil
}

func (pl *plan) close() {
	for _, l := range pl.legs {
		l.close()
	}
}

// notReady names the legs that have no audio yet.
func (pl *plan) notReady() []string {
	var names []string
	for _, l := range pl.legs {
		if !l.ready() {
			names = append(names, l.spec.Name)
		}
	}
	return names
}

// frames is the length of the timeline at rate.
func (pl *plan) frames(rate int) int64 {
	if pl.spec.Span > 0 {
		return pl.spec.Span.Frames(rate)
	}
	total := int64(0)
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames > 0 {
				total = max(total, pl.offset(s).Frames(rate)+audio.ResampledFrames(s.frames, s.format.SampleRate, rate))
			}
		}
	}
	return total
}

// offset is where the segment stands: not before the timeline's start, nor,
// where the span is given, past its end.
func (pl *plan) offset(s *segment) callmodel.Millis {
	offset := max(s.spec.Offset, 0)
	if pl.spec.Span > 0 {
		offset = min(offset, pl.spec.Span)
	}
	return offset
}

// timing adds the defects of the segments' places and lengths.
func (pl *plan) timing() {
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames == 0 {
				continue
			}
			if at := pl.offset(s); at != s.spec.Offset {
				l.defect(s, callmodel.Defect{
					Code: callmodel.DefectOffsetClamped, Detail: fmt.Sprintf("the offset %v was moved to %v", s.spec.Offset, at),
				})
			}
		}
		if len(l.segments) == 1 && l.hasAudio() && pl.spec.Span > 0 {
			if s := l.segments[0]; !pl.checkRate(l, s) && pl.spec.LegsSpanCall {
				pl.checkLength(l, s)
			}
		}
	}
}

// rateTolerance is how near to 2 or ½ the ratio of lengths must be.
const rateTolerance = 0.01

// checkRate suspects a header whose rate is wrong: one that makes the leg half
// or double as long as the rest of the call. It reports whether it does.
func (pl *plan) checkRate(l *leg, s *segment) bool {
	rest := pl.spec.Span - pl.offset(s)
	if rest <= 0 {
		return false
	}
	ratio := float64(callmodel.MillisOfFrames(s.frames, s.format.SampleRate)) / float64(rest)
	suspected := math.Abs(ratio-2) < 2*rateTolerance || math.Abs(ratio-0.5) < 0.5*rateTolerance
	if suspected {
		l.defect(s, callmodel.Defect{
			Code:   callmodel.DefectWrongRateSuspected,
			Detail: fmt.Sprintf("at %d Hz the leg lasts %.3f times the rest of the call; it was not changed", s.format.SampleRate, ratio),
		})
	}
	return suspected
}

// planOutputs settles the rate and length of every output.
func (p *Processor) planOutputs(pl *plan) error {
	var faults callmodel.FieldErrors
	for i, o := range pl.spec.Outputs {
		out := p.output(pl.spec, o, pl.rate)
		out.frames = pl.end(out.rate) - pl.start(out.rate)
		out.options.Frames = out.frames
		faults = append(faults, p.checkOutput(i, out)...)
		pl.outputs = append(pl.outputs, out)
	}
	return faults.Err()
}

// output is o with its defaults filled in; rate is that of the legs.
func (p *Processor) output(spec *callmodel.RecordingSpec, o callmodel.OutputSpec, rate int) plannedOutput {
	out := plannedOutput{spec: o, rate: o.SampleRateHz, channels: o.Channels(len(spec.Legs))}
	if out.rate == 0 {
		out.rate = p.codecs.FitRate(o.Codec, min(max(rate, callmodel.MinSampleRateHz), callmodel.MaxSampleRateHz))
	}
	out.options = codec.Options{BitrateBps: o.BitrateBps, BitDepth: o.BitDepth, Tags: tags(spec, o)}
	return out
}

// checkOutput asks the codec about output i.
func (p *Processor) checkOutput(i int, out plannedOutput) callmodel.FieldErrors {
	var faults callmodel.FieldErrors
	f := &goaudio.Format{NumChannels: out.channels, SampleRate: out.rate}
	if err := p.codecs.Check(out.spec.Codec, f, out.options); err != nil {
		path := fmt.Sprintf("outputs[%d]", i)
		if known, ok := p.codecs.Outputs[out.spec.Codec]; !ok || known.Unavailable != nil {
			path += ".codec"
		}
		faults.Add(path, "%s", err.Error())
	}
	return faults
}
