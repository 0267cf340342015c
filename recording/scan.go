package recording

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
)

// scan reads the legs once before the recording is made, by a plan of its own,
// for what must be known before the first frame of it is: where the silence at
// its ends is, if the spec wants it off, and how loud the legs are, if it wants
// them levelled. Silence is looked for before levels are changed.
func (p *Processor) scan(ctx context.Context, pl *plan) error {
	spec := pl.spec
	if spec.Trim == nil && spec.LevelLUFS == 0 {
		return nil
	}
	scan, err := p.openLegs(ctx, spec)
	if err != nil {
		return err
	}
	defer scan.close()
	scan.scanning = true
	scan.timing()
	if scan.rate == 0 {
		return nil
	}
	rate := clampRate(scan.rate)
	if spec.LevelLUFS != 0 {
		rate = max(rate, analysis.MinSampleRateHz)
		if err := scan.listen(rate); err != nil {
			return err
		}
	}
	b := &bus{rate: rate, legRate: rate, channels: len(scan.legs), total: scan.frames(rate)}
	if _, err := p.wire(scan, []*bus{b}); err != nil {
		return err
	}
	first, last, err := loud(ctx, b.src, trimLevel(spec.Trim), make([]float32, p.block*b.channels))
	if err != nil {
		return err
	}
	if spec.Trim != nil && first >= 0 {
		pl.trim(first, last, rate)
	}
	for i, l := range scan.legs {
		if l.meter == nil {
			continue
		}
		if pl.legs[i].levelDB, err = levelGain(spec, l.meter); err != nil {
			return err
		}
	}
	return nil
}

// trimLevel is the level from which a sample isn't silent.
func trimLevel(t *record.TrimSpec) float32 {
	db := record.DefaultTrimDBFS
	if t != nil && t.ThresholdDBFS != 0 {
		db = t.ThresholdDBFS
	}
	return audio.FromDecibels(db)
}

// trim leaves of the call what is from frame first to frame last, and the
// silence that the spec keeps. It stands on whole milliseconds, so that all
// outputs begin together.
func (pl *plan) trim(first, last int64, rate int) {
	const grid = time.Millisecond
	keep := pl.spec.Trim.Keep
	from := max(audio.DurationOf(first, rate)-keep, 0)
	to := audio.DurationOf(last+1, rate) + keep + grid - 1
	pl.trimmed = &window{from: from.Truncate(grid), to: to.Truncate(grid)}
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
