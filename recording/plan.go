package recording

import (
	"context"
	"fmt"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/internal/legsum"
)

// plan is everything about a recording that is known before audio is read.
type plan struct {
	spec    *record.Spec
	legs    []*leg
	outputs []plannedOutput
	rate    int              // the highest of the legs, Hz
	defects []record.Defect  // of the recording as a whole
	pauses  []window         // in order and apart from each other
	report  *analysis.Report // of the first analysis among the outputs; nil without one

	scanning   bool // the legs are only read for what must be known first
	newVersion bool // of a recording that was made before

	// Known once the legs are.
	trimmed *window       // nil unless silence is trimmed
	length  time.Duration // of the call
	pieces  []window      // of the call that outputs hold, in order
}

type plannedOutput struct {
	spec     record.OutputSpec
	rate     int
	channels int
	frames   int64
	options  codec.Options
}

// openLegs opens every file and finds out what it is.
func (p *Processor) openLegs(ctx context.Context, spec *record.Spec) (*plan, error) {
	pl := &plan{spec: spec, pauses: mergePauses(spec.Pauses)}
	hashes := &legsum.Group{}
	for i := range spec.Legs {
		l := &leg{spec: &spec.Legs[i], hashes: hashes}
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
	}
	pl.rate = pl.highestRate()
	return pl, nil
}

// highestRate is that of all readable segments; 0 if there is none.
func (pl *plan) highestRate() int {
	rate := 0
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames > 0 {
				rate = max(rate, s.format.SampleRate)
			}
		}
	}
	return rate
}

func (pl *plan) close() {
	for _, l := range pl.legs {
		l.close()
	}
}

// ready tells which legs have no audio yet, or were written to too lately, if
// that isn't accepted, as a [*LegsNotReadyError].
func (pl *plan) ready(o *ProcessOptions) error {
	var e LegsNotReadyError
	for _, l := range pl.legs {
		if !l.ready() && !o.AcceptMissing {
			e.Legs = append(e.Legs, l.spec.Name)
		}
		if l.fresh(o) && !o.AcceptGrowing {
			e.Growing = append(e.Growing, l.spec.Name)
		}
	}
	if len(e.Legs)+len(e.Growing) > 0 {
		return &e
	}
	return nil
}

// frames is the length of the timeline at rate.
func (pl *plan) frames(rate int) int64 {
	if pl.spec.Span > 0 {
		return audio.FramesIn(pl.spec.Span, rate)
	}
	total := int64(0)
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames > 0 {
				total = max(total, audio.FramesIn(pl.offset(s), rate)+s.length(rate))
			}
		}
	}
	return total
}

// offset is where the segment stands: not before the timeline's start, nor,
// where the span is given, past its end.
func (pl *plan) offset(s *segment) time.Duration {
	offset := max(s.spec.Offset, 0)
	if pl.spec.Span > 0 {
		offset = min(offset, pl.spec.Span)
	}
	return offset
}

// timing adds the defects of the segments' places and lengths, and settles their
// rates and clocks.
func (pl *plan) timing() {
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames == 0 {
				continue
			}
			if at := pl.offset(s); at != s.spec.Offset {
				l.defect(s, record.Defect{
					Code: record.DefectOffsetClamped, Detail: fmt.Sprintf("the offset %v was moved to %v", s.spec.Offset, at),
				})
			}
		}
		pl.checkRates(l)
		pl.checkLengths(l)
		pl.order(l)
	}
	pl.rate = pl.highestRate()
}

// order finds out whether the leg's segments follow one another, and which is
// the last.
func (pl *plan) order(l *leg) {
	l.chained = true
	var end time.Duration
	for _, s := range l.segments {
		if s.frames == 0 {
			continue
		}
		at := pl.offset(s)
		if at < end {
			l.chained = false
		}
		if l.last == nil || at >= pl.offset(l.last) {
			l.last = s
		}
		end = at + s.duration()
	}
}

// planOutputs settles the rate and length of every output.
func (p *Processor) planOutputs(pl *plan) error {
	var faults callmodel.FieldErrors
	for i, o := range pl.spec.Outputs {
		out := p.output(pl.spec, o, pl.rate)
		out.frames = framesOf(pl.runs(out.rate))
		out.options.Frames = out.frames
		faults = append(faults, p.checkOutput(i, out)...)
		pl.outputs = append(pl.outputs, out)
	}
	return faults.Err()
}

// output is o with its defaults filled in; rate is that of the legs.
func (p *Processor) output(spec *record.Spec, o record.OutputSpec, rate int) plannedOutput {
	out := plannedOutput{spec: o, rate: o.SampleRateHz, channels: o.Channels(len(spec.Legs))}
	if out.rate == 0 {
		out.rate = p.codecs.FitRate(o.Codec, clampRate(rate))
	}
	out.options = codec.Options{
		BitrateBps: o.BitrateBps, BitDepth: o.BitDepth, SamplesPerPixel: o.SamplesPerPixel,
		Tags: tags(spec, o), ChannelNames: channelNames(spec, out.channels),
	}
	return out
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
