package recording

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// scanned is what reading the legs once tells before the recording is made: the
// third phase. It is zero if the spec asks for nothing of it.
type scanned struct {
	sound   *window   // of the call, from which silence is trimmed; nil: all of it
	levelDB []float64 // the gain that levels each leg; nil: none
}

// gainDB is the gain of levelling of leg i.
func (s *scanned) gainDB(i int) float64 {
	if s.levelDB == nil {
		return 0
	}
	return s.levelDB[i]
}

// scan reads the legs once, if the spec wants silence trimmed or legs levelled.
// It opens them for itself. Silence is looked for before levels are changed.
func (p *Processor) scan(ctx context.Context, call *timedCall) (*scanned, error) {
	spec := call.spec
	if call.rate == 0 || spec.Trim == nil && spec.LevelLUFS == 0 {
		return &scanned{}, nil
	}
	files, err := legfile.Open(ctx, spec.Legs, p.openerOf(spec), p.codecs)
	if err != nil {
		return nil, err
	}
	defer legfile.Close(files)
	again, err := timeLegs(spec, files)
	if err != nil {
		return nil, err
	}
	if again.rate == 0 {
		return &scanned{}, nil
	}
	rate := clampRate(again.rate)
	lines := &pipes{call: again, stages: p.stages, block: p.block, findBursts: spec.LevelLUFS != 0}
	if spec.LevelLUFS != 0 {
		rate = max(rate, analysis.MinSampleRateHz)
		if lines.meters, err = newMeters(spec.Legs, rate); err != nil {
			return nil, err
		}
	}
	b := &bus{rate: rate, legRate: rate, channels: len(again.legs), total: again.frames(rate)}
	if err := lines.connect([]*bus{b}); err != nil {
		return nil, err
	}
	first, last, err := findSound(ctx, b.src, trimLevel(spec.Trim), make([]float32, p.block*b.channels))
	if err != nil {
		return nil, err
	}
	result := &scanned{}
	if spec.Trim != nil && first >= 0 {
		result.sound = soundWindow(first, last, rate, spec.Trim.Keep)
	}
	if lines.meters != nil {
		result.levelDB, err = levelGains(spec, lines.meters)
	}
	return result, err
}

// trimLevel is the level from which a sample isn't silent.
func trimLevel(t *record.TrimSpec) float32 {
	db := record.DefaultTrimDBFS
	if t != nil && t.ThresholdDBFS != 0 {
		db = t.ThresholdDBFS
	}
	return audio.FromDecibels(db)
}

// soundWindow is the call from frame first to frame last, and the silence to keep
// around them. It is on whole milliseconds, so that all outputs begin together.
func soundWindow(first, last int64, rate int, keep time.Duration) *window {
	const grid = time.Millisecond
	from := max(audio.DurationOf(first, rate)-keep, 0)
	to := audio.DurationOf(last+1, rate) + keep + grid - 1
	return &window{from: from.Truncate(grid), to: to.Truncate(grid)}
}

// findSound finds the first and the last frame of which a sample reaches level;
// -1 if there is none. block is room to read into.
func findSound(ctx context.Context, src audio.Source, level float32, block []float32) (first, last int64, err error) {
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
