package recording

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
)

// window is the part of the call that outputs hold, in call time. It stands on
// whole milliseconds, so that all outputs begin together.
type window struct{ from, to callmodel.Millis }

// start is the first frame of the timeline at rate that outputs hold. They hold
// one at least, where rounding would leave none.
func (pl *plan) start(rate int) int64 {
	if pl.trimmed == nil {
		return 0
	}
	return max(min(pl.trimmed.from.Frames(rate), pl.end(rate)-1), 0)
}

// end is the frame of the timeline at rate at which outputs end.
func (pl *plan) end(rate int) int64 {
	if pl.trimmed == nil {
		return pl.frames(rate)
	}
	return min(pl.trimmed.to.Frames(rate), pl.frames(rate))
}

// trim finds the silence at the ends of the call, if the spec wants it off. As
// the length of an output is written before its audio, the legs are read once
// more for that, by a plan of its own.
func (p *Processor) trim(ctx context.Context, pl *plan) error {
	t := pl.spec.Trim
	if t == nil {
		return nil
	}
	scan, err := p.openLegs(ctx, pl.spec)
	if err != nil {
		return err
	}
	defer scan.close()
	if scan.rate == 0 {
		return nil
	}
	scan.timing()
	rate := clampRate(scan.rate)
	b := &bus{rate: rate, legRate: rate, channels: len(scan.legs), total: scan.frames(rate)}
	if _, err := p.wire(scan, []*bus{b}); err != nil {
		return err
	}
	level := t.ThresholdDBFS
	if level == 0 {
		level = callmodel.DefaultTrimDBFS
	}
	first, last, err := loud(ctx, b.src, audio.FromDecibels(level), make([]float32, p.block*b.channels))
	if err != nil || first < 0 {
		return err
	}
	const grid = callmodel.Millis(time.Millisecond)
	from := max(callmodel.MillisOfFrames(first, rate)-t.Keep, 0)
	to := callmodel.MillisOfFrames(last+1, rate) + t.Keep + grid - 1
	pl.trimmed = &window{from: from / grid * grid, to: to / grid * grid}
	return nil
}

// loud finds the first and the last frame of which a sample reaches level; -1
// if there is none. block is room to read into.
func loud(ctx context.Context, src audio.Source, level float32, block []float32) (first, last int64, err error) {
	channels := int64(src.Format().NumChannels)
	first, last = -1, -1
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return 0, 0, context.Cause(ctx)
		}
		n, err := src.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			return first, last, nil
		}
		if err != nil {
			return 0, 0, err
		}
		for i, x := range block[:int64(n)*channels] {
			if x < level && x > -level {
				continue
			}
			last = at + int64(i)/channels
			if first < 0 {
				first = last
			}
		}
		at += int64(n)
	}
}
