package recording

import (
	"math"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// A leg is redacted twice. Its files are silenced before they are resampled, as
// a filter would spread what is redacted over its neighbourhood; the timelines
// are redacted once more, so that the range holds the tone or exact silence on
// the outputs' own grid, over what rings into it, and where the leg has no file.

// conditioned is the segment's audio as everything after it may see it.
func (pl *plan) conditioned(s *segment) (audio.Source, error) {
	src, err := s.p.staged(s.leg.spec, audio.Downmix(s), s.frames)
	if err != nil {
		return nil, err
	}
	if db := s.leg.spec.GainDB + s.leg.levelDB; db != 0 {
		src = audio.Gain(src, audio.FromDecibels(db))
	}
	return pl.listened(s, audio.Redact(src, pl.silences(s))), nil
}

// redactions are the leg's, in frames of the timeline at rate.
func (pl *plan) redactions(l *leg, rate int) []audio.Redaction {
	var ranges []audio.Redaction
	for i := range pl.spec.Redactions {
		if r := &pl.spec.Redactions[i]; r.Covers(l.spec.Name) {
			ranges = append(ranges, audio.Redaction{
				FromFrame: audio.FramesIn(r.From, rate), ToFrame: audio.FramesIn(r.To, rate), Tone: r.With == record.RedactWithTone,
			})
		}
	}
	return ranges
}

// silences are the redactions of the segment's leg, and the pauses, in frames of the segment.
// Offsets, ranges and what drift makes of them are rounded to frames apart from
// one another, so that some frames more are taken on either side.
func (pl *plan) silences(s *segment) []audio.Redaction {
	rate := s.format.SampleRate
	ranges := append(pl.redactions(s.leg, rate), pl.paused(rate)...)
	start := audio.FramesIn(pl.offset(s), rate)
	for i := range ranges {
		r := &ranges[i]
		r.FromFrame, r.ToFrame, r.Tone = r.FromFrame-start-1, r.ToFrame-start+1, false
		if c := s.leg.clock; c != nil {
			file, call := c.frames(rate, rate)
			speed := float64(file) / float64(call)
			r.FromFrame = int64(math.Floor(float64(r.FromFrame)*speed)) - 2
			r.ToFrame = int64(math.Ceil(float64(r.ToFrame)*speed)) + 2
		}
	}
	return ranges
}

// silenced is the leg's timeline without what is redacted, or was paused.
func (pl *plan) silenced(l *leg, line audio.Source) audio.Source {
	rate := line.Format().SampleRate
	return audio.Redact(audio.Redact(line, pl.redactions(l, rate)), pl.paused(rate))
}

// redacted is how much of the call from start to end the redactions cover,
// whichever legs they are of.
func redacted(redactions []record.Redaction, start, end time.Duration) time.Duration {
	byFrom := slices.SortedFunc(slices.Values(redactions), func(a, b record.Redaction) int {
		return compare(a.From, b.From)
	})
	var sum time.Duration
	for i := range byFrom {
		from, to := max(byFrom[i].From, start), min(byFrom[i].To, end)
		if to > from {
			sum, start = sum+to-from, to
		}
	}
	return sum
}
