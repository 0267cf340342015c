package recording

import (
	"context"
	"errors"
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// bus is one rendering of the call, at one rate and in one layout, and who
// reads it.
type bus struct {
	rate     int
	legRate  int // of the legs that it joins: rate, or less work if it is resampled as a whole
	channels int
	mono     bool
	src      audio.Source
	total    int64 // frames to render
	runs     []run // of them, those that outputs get
	next     int   // of runs
	done     int64
	readers  []*reader
	free     chan *block
}

// render reads the legs and writes the outputs.
func (p *Processor) render(
	ctx context.Context, cancel context.CancelCauseFunc, pl *plan, o *ProcessOptions,
) ([]record.OutputResult, error) {
	buses, outputs, err := p.buses(pl)
	if err != nil {
		return nil, err
	}
	timelines, err := p.wire(pl, buses)
	if err != nil {
		return nil, err
	}
	var readers []*reader
	for _, b := range buses {
		readers = append(readers, b.readers...)
	}
	u := p.newPump(pl, buses, o)
	if len(readers) == 1 {
		u.serve(ctx, cancel, readers[0])
	} else {
		u.drive(ctx, cancel, readers)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	results := make([]record.OutputResult, len(outputs))
	for i, out := range outputs {
		results[i] = out.result()
		if out.report != nil && pl.report == nil {
			pl.report = out.report
		}
		if out.clips > 0 {
			pl.defects = append(pl.defects, record.Defect{
				Code: record.DefectClipped, Count: out.clips,
				Detail: "samples clipped by the encoder of output " + out.label(),
			})
		}
	}
	pl.overlaps(timelines)
	return results, nil
}

// buses groups the outputs that need the same samples, and the taps.
func (p *Processor) buses(pl *plan) ([]*bus, []*output, error) {
	var g busGroup
	outputs := make([]*output, len(pl.outputs))
	for i := range pl.outputs {
		planned := &pl.outputs[i]
		b := g.bus(pl, planned.rate, planned.channels, planned.spec.ChannelLayout() == record.LayoutMono)
		outputs[i] = p.newOutput(pl, i)
		b.readers = append(b.readers, outputs[i].reader)
	}
	if len(p.taps) == 0 {
		return g, outputs, nil
	}
	f := &goaudio.Format{NumChannels: len(pl.legs), SampleRate: clampRate(pl.rate)}
	taps, err := p.newTaps(pl, f, framesOf(pl.runs(f.SampleRate)))
	if err == nil && len(taps) > 0 {
		b := g.bus(pl, f.SampleRate, f.NumChannels, false)
		b.readers = append(b.readers, taps...)
	}
	return g, outputs, err
}

// clampRate is the nearest rate that recordings may have.
func clampRate(hz int) int { return min(max(hz, record.MinSampleRateHz), record.MaxSampleRateHz) }

type busGroup []*bus

// bus is the one of that form, a new one if there is none yet.
func (g *busGroup) bus(pl *plan, rate, channels int, mono bool) *bus {
	for _, b := range *g {
		if b.rate == rate && b.channels == channels && b.mono == mono {
			return b
		}
	}
	b := &bus{rate: rate, legRate: rate, channels: channels, mono: mono}
	b.runs = pl.runs(rate)
	b.total = b.runs[len(b.runs)-1].to
	if in := pl.mixRate(rate); mono && in > 0 {
		b.legRate = in
	}
	*g = append(*g, b)
	return b
}

// mixRate is the rate at which the legs can be mixed before the mix is
// resampled to rate, which is the same as mixing them after it, for less work:
// the one that all have, if every segment begins on a frame of both rates and
// none is resampled for its drift, and if nothing is silenced: a range that is
// must be silent on the output's own frames. Else it is 0. It doesn't depend on what other
// outputs there are, so neither do the bytes of a mix. Of a span that isn't whole at the legs' rate, at most half a
// frame of theirs is silence at the end.
func (pl *plan) mixRate(rate int) int {
	in := 0
	if len(pl.spec.Redactions)+len(pl.pauses) > 0 {
		return 0
	}
	for _, l := range pl.legs {
		for _, s := range l.segments {
			if s.frames == 0 {
				continue
			}
			if in == 0 {
				in = s.format.SampleRate
			}
			at := pl.offset(s)
			if l.clock != nil || s.format.SampleRate != in || audio.FramesIn(at, in)*int64(rate) != audio.FramesIn(at, rate)*int64(in) {
				return 0
			}
		}
	}
	return in
}

// advance renders up to frame until and hands it to the outputs.
func (b *bus) advance(ctx context.Context, until int64) error {
	n := int(until - b.done)
	if n <= 0 {
		return ctx.Err()
	}
	var blk *block
	select {
	case blk = <-b.free:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	samples := blk.room[:n*b.channels]
	got, err := audio.ReadFull(b.src, samples)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	clear(samples[got*b.channels:]) // a timeline is as long as it was planned
	kept := b.keep(samples, b.done)
	b.done = until
	if kept == 0 {
		b.free <- blk
		return nil
	}
	blk.samples = samples[:kept]
	blk.readers.Store(int32(len(b.readers)))
	for _, r := range b.readers {
		select {
		case r.blocks <- blk:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// overlaps adds the defect of legs whose segments overlap by more than 1 ms;
// less is the rounding of offsets.
func (pl *plan) overlaps(timelines []*audio.Timeline) {
	for i, t := range timelines {
		if n := t.OverlapFrames(); n > int64(t.Format().SampleRate/1000) {
			pl.legs[i].defects = append(pl.legs[i].defects, record.Defect{
				Code: record.DefectOverlap, Leg: pl.legs[i].spec.Name, Count: n,
				Detail: "frames in which segments of the leg overlap; they were summed",
			})
		}
	}
}
