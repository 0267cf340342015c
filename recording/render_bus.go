package recording

import (
	"context"
	"errors"
	"io"

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

// busList is the buses of a recording.
type busList []*bus

// find is the bus of that form, a new one if there is none yet.
func (l *busList) find(cut *cutCall, rate, channels int, mono bool) *bus {
	for _, b := range *l {
		if b.rate == rate && b.channels == channels && b.mono == mono {
			return b
		}
	}
	b := &bus{rate: rate, legRate: rate, channels: channels, mono: mono, runs: cut.runs(rate)}
	b.total = b.runs[len(b.runs)-1].to
	if in := mixRate(cut.call, rate); mono && in > 0 {
		b.legRate = in
	}
	*l = append(*l, b)
	return b
}

// mixRate is the rate at which the legs can be mixed before the mix is resampled
// to rate; 0 if they can't. To mix first is less work and gives the same, if all
// legs have one rate, every segment begins on a frame of both rates, no leg is
// resampled for its drift, and nothing is silenced: silence must be exact on the
// output's own frames. The rate doesn't depend on what other outputs there are,
// so neither do the bytes of a mix. If the span isn't whole at the legs' rate, at
// most half a frame of theirs is silence at the end.
func mixRate(call *timedCall, rate int) int {
	in := 0
	if len(call.spec.Redactions)+len(call.pauses) > 0 {
		return 0
	}
	for _, l := range call.legs {
		for _, s := range l.withAudio {
			if in == 0 {
				in = s.rate
			}
			if l.clock != nil || s.rate != in || audio.FramesIn(s.at, in)*int64(rate) != audio.FramesIn(s.at, rate)*int64(in) {
				return 0
			}
		}
	}
	return in
}

// join mixes or merges the legs. after is the filter that takes a mix to the
// bus's rate; nil if the legs have it.
func (b *bus) join(legs []audio.Source, after *audio.ResampleFilter) error {
	if b.mono {
		sum, err := audio.Mix(legs...)
		if err == nil && after != nil {
			sum, err = audio.Resample(sum, after)
		}
		if err != nil {
			return err
		}
		b.src = audio.Limit(sum)
		return nil
	}
	for len(legs) < b.channels { // a stereo recording of one leg
		silence, err := audio.Place(mono(b.rate), b.total, nil)
		if err != nil {
			return err
		}
		legs = append(legs, silence)
	}
	merged, err := audio.Merge(legs...)
	b.src = merged
	return err
}

// makeBlocks makes the blocks that go round between the bus and its readers.
func (b *bus) makeBlocks(frames int) {
	b.free = make(chan *block, blocksPerBus)
	for range blocksPerBus {
		b.free <- &block{room: make([]float32, frames*b.channels), free: b.free}
	}
}

// advance renders up to frame until and hands it to the readers.
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

// keep moves those of the bus's frames that outputs get to the front of samples,
// which begin at frame at, and returns how many samples they are.
func (b *bus) keep(samples []float32, at int64) int {
	ch := int64(b.channels)
	end := at + int64(len(samples))/ch
	kept := 0
	for b.next < len(b.runs) && b.runs[b.next].from < end {
		r := b.runs[b.next]
		from, to := max(r.from, at)-at, min(r.to, end)-at
		if int64(kept) == from*ch {
			kept = int(to * ch)
		} else {
			kept += copy(samples[kept:], samples[from*ch:to*ch])
		}
		if r.to > end {
			break
		}
		b.next++
	}
	return kept
}
