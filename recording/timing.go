package recording

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// timedCall is the legs on the call's timeline: the second phase.
type timedCall struct {
	spec   *record.Spec
	legs   []*timedLeg
	pauses []window // in order and apart from each other
	rate   int      // the highest of the segments with audio, Hz; 0 if there is none
	longer bool     // the call is longer than its span, as a leg is
}

// timedLeg is a leg whose segments have their places and true rates.
type timedLeg struct {
	spec     *record.LegSpec
	files    *legfile.Leg
	segments []*timedSegment
	// withAudio are the segments that have frames.
	withAudio []*timedSegment
	clock     *clock          // nil unless the leg is resampled for its drift
	driftPPM  float64         // that is known of it
	defects   []record.Defect // of opening and of timing
}

// timedSegment is a file of a leg in the call.
type timedSegment struct {
	*legfile.Segment

	leg *timedLeg
	at  time.Duration // of its first frame
	// lasted is how long it lasted by the call's events; 0 if they don't say.
	lasted time.Duration
	// lastedKnown: the spec says so, of it or of all legs. Without that, it is only
	// as long as the rest of the call.
	lastedKnown bool
	rate        int // the true one of its frames, Hz
	// rateKnown: the rate was given, or corrected; rateDoubtful: it is suspected to
	// be wrong and was left.
	rateKnown, rateDoubtful bool
}

// timeLegs finds out where the segments stand in the call, their true rates and
// the legs' clocks, and what is wrong with them. The error is that of reading a file that
// is longer than it should be.
func timeLegs(spec *record.Spec, legs []*legfile.Leg) (*timedCall, error) {
	c := &timedCall{spec: spec, pauses: mergePauses(spec.Pauses)}
	latest := latestOffset(spec, legs)
	for _, l := range legs {
		leg := placeLeg(spec, l, latest)
		leg.findRates()
		if err := leg.findInserted(); err != nil {
			return nil, err
		}
		leg.findClock()
		l.ReadInOrder(leg.readingOrder())
		c.legs = append(c.legs, leg)
		for _, s := range leg.withAudio {
			c.rate = max(c.rate, s.rate)
		}
	}
	c.findBeyond()
	return c, nil
}

// placeLeg puts the segments where their offsets say: not before the timeline's
// start, nor, where the span is given, past latest.
func placeLeg(spec *record.Spec, files *legfile.Leg, latest time.Duration) *timedLeg {
	leg := &timedLeg{spec: files.Spec, files: files, defects: append([]record.Defect(nil), files.OpenDefects...)}
	for _, file := range files.Segments {
		s := &timedSegment{Segment: file, leg: leg, at: max(file.Spec.Offset, 0), rate: file.Format.SampleRate}
		if spec.Span > 0 {
			s.at = min(s.at, latest)
		}
		switch {
		case file.Spec.Span > 0:
			s.lasted = file.Spec.Span
		case len(files.Segments) == 1 && spec.Span > 0:
			s.lasted = max(spec.Span-s.at, 0)
		}
		s.lastedKnown = s.lasted > 0 && (file.Spec.Span > 0 || spec.LegsSpanCall)
		if hz := file.Spec.SampleRateHz; hz != 0 && s.rate != 0 {
			s.rate, s.rateKnown = hz, true
		}
		leg.segments = append(leg.segments, s)
		if s.Frames == 0 {
			continue
		}
		leg.withAudio = append(leg.withAudio, s)
		if s.at != file.Spec.Offset {
			leg.addDefect(s, record.Defect{
				Code: record.DefectOffsetClamped, Detail: fmt.Sprintf("the offset %v was moved to %v", file.Spec.Offset, s.at),
			})
		}
	}
	return leg
}

func (l *timedLeg) addDefect(s *timedSegment, d record.Defect) {
	l.defects = append(l.defects, s.Defect(d))
}

// readingOrder tells whether the segments follow one another in the call, so that
// they are read one after the other, and which is the last.
func (l *timedLeg) readingOrder() (inOrder bool, last *legfile.Segment) {
	inOrder = true
	var end, lastAt time.Duration
	for _, s := range l.withAudio {
		if s.at < end {
			inOrder = false
		}
		if last == nil || s.at >= lastAt {
			last, lastAt = s.Segment, s.at
		}
		end = s.at + s.durationOf(s.Frames)
	}
	return inOrder, last
}

// frames is the length of the timeline at rate.
func (c *timedCall) frames(rate int) int64 {
	total := audio.FramesIn(c.spec.Span, rate)
	if c.spec.Span > 0 && !c.longer {
		return total
	}
	for _, l := range c.legs {
		for _, s := range l.withAudio {
			total = max(total, audio.FramesIn(s.at, rate)+s.framesAt(rate))
		}
	}
	return total
}

// framesAt is how many frames of the timeline at rate the segment takes.
func (s *timedSegment) framesAt(rate int) int64 {
	if c := s.leg.clock; c != nil {
		from, to := c.ratio(s.rate, rate)
		return audio.StretchedFrames(s.Frames, from, to)
	}
	return audio.ResampledFrames(s.Frames, s.rate, rate)
}

// durationOf is how long that many of the segment's frames are in the call.
func (s *timedSegment) durationOf(frames int64) time.Duration {
	d := audio.DurationOf(frames, s.rate)
	if c := s.leg.clock; c != nil {
		d = c.inCall(d)
	}
	return d
}
