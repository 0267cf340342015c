package recording

import (
	"math"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// A leg is redacted twice. Its files are silenced before they are resampled, as
// a filter would spread what is redacted over its neighbourhood. Its timelines
// are redacted once more: so the range holds the tone or exact silence on the
// outputs' own grid, where a filter rings into it and where the leg has no file.
//
// A paused range is silent on every leg, like one that is redacted for all. If
// pauses are cut, the outputs leave it out besides: two faded ends meet, and
// nothing but silence is dropped.

// redactions are the leg's, in frames of the timeline at rate.
func (c *timedCall) redactions(l *timedLeg, rate int) []audio.Redaction {
	var ranges []audio.Redaction
	for i := range c.spec.Redactions {
		if r := &c.spec.Redactions[i]; r.Covers(l.spec.Name) {
			ranges = append(ranges, audio.Redaction{
				FromFrame: audio.FramesIn(r.From, rate), ToFrame: audio.FramesIn(r.To, rate), Tone: r.With == record.RedactWithTone,
			})
		}
	}
	return ranges
}

// paused are the pauses, in frames of the timeline at rate.
func (c *timedCall) paused(rate int) []audio.Redaction {
	out := make([]audio.Redaction, len(c.pauses))
	for i, p := range c.pauses {
		out[i] = audio.Redaction{FromFrame: audio.FramesIn(p.from, rate), ToFrame: audio.FramesIn(p.to, rate)}
	}
	return out
}

// silenced is the leg's timeline without what is redacted or was paused.
func (c *timedCall) silenced(l *timedLeg, line audio.Source) audio.Source {
	rate := line.Format().SampleRate
	return audio.Redact(audio.Redact(line, c.redactions(l, rate)), c.paused(rate))
}

// silencesIn are the redactions of the segment's leg and the pauses, in frames of
// the segment. Offsets, ranges and drift are each rounded to frames, so the
// silence is some frames longer at both ends.
func (c *timedCall) silencesIn(s *timedSegment) []audio.Redaction {
	ranges := append(c.redactions(s.leg, s.rate), c.paused(s.rate)...)
	start := audio.FramesIn(s.at, s.rate)
	for i := range ranges {
		r := &ranges[i]
		r.FromFrame, r.ToFrame, r.Tone = r.FromFrame-start-1, r.ToFrame-start+1, false
		if c := s.leg.clock; c != nil {
			file, call := c.ratio(s.rate, s.rate)
			speed := float64(file) / float64(call)
			r.FromFrame = int64(math.Floor(float64(r.FromFrame)*speed)) - 2
			r.ToFrame = int64(math.Ceil(float64(r.ToFrame)*speed)) + 2
		}
	}
	return ranges
}
