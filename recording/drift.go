package recording

import (
	"fmt"
	"math"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// What a segment's length says about its leg's clock, in millionths of the
// length that it should have.
const (
	minDriftPPM = 50   // less is left alone
	maxDriftPPM = 2000 // no clock is worse; what is missing then was lost
	// minDrift is the difference below which nothing is said: spans and offsets
	// are given in milliseconds.
	minDrift = time.Millisecond
	// minGap is one RTP packet of telephony: the last may be missing of any leg.
	minGap = 20 * time.Millisecond
	// eventJitter is how far the events that begin and end a segment may be off.
	// A segment that disagrees by more with its leg's other segments, which have
	// the same clock, says nothing about it.
	eventJitter = 100 * time.Millisecond
)

// clock is how a leg's clock ran: what lasted call by the call's events is file
// long by the files' own rates. Its segments are resampled by that ratio.
type clock struct {
	file, call time.Duration
	// at is where the only segment stands, so that its last frame is the one on
	// which the call ends at every rate; else 0.
	at     time.Duration
	single bool
}

func (c *clock) ppm() float64 { return float64(c.file-c.call) / float64(c.call) * 1e6 }

// frames is the ratio of the clock: that many frames of a file of rate in are
// that many at rate out.
func (c *clock) frames(in, out int) (inFrames, outFrames int64) {
	if c.single {
		return audio.FramesIn(c.file, in), audio.FramesIn((c.at+c.call), out) - audio.FramesIn(c.at, out)
	}
	const fine = 1 << 20 // frames, so that rounding them is less than 1 ppm
	for k := 1; ; k *= 2 {
		inFrames, outFrames = audio.FramesIn(c.file, k*in), audio.FramesIn(c.call, k*out)
		if min(inFrames, outFrames) >= fine {
			return inFrames, outFrames
		}
	}
}

// evidence is what one segment says about its leg's clock.
type evidence struct {
	seg       *segment
	off, span time.Duration // longer than it lasted by; how long it lasted
}

func (e evidence) ppm() float64 { return float64(e.off) / float64(e.span) * 1e6 }

// checkLengths compares the leg's segments with the time that they had, finds
// the leg's clock by those that agree, and suspects that audio is missing of
// those that are too short for it.
func (pl *plan) checkLengths(l *leg) {
	var all []evidence
	for _, s := range l.segments {
		span := pl.lasted(s)
		if s.frames == 0 || span <= 0 || s.wrongRate || s.spec.Span == 0 && !pl.spec.LegsSpanCall {
			continue
		}
		e := evidence{seg: s, off: audio.DurationOf(s.frames, s.format.SampleRate) - span, span: span}
		if ppm := e.ppm(); ppm > maxDriftPPM || ppm < -maxDriftPPM {
			pl.suspectGap(l, e, 0)
			continue
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return
	}
	usual := usualPPM(all)
	c := &clock{single: len(l.segments) == 1}
	agree := int64(0)
	for _, e := range all {
		if !e.agrees(usual) {
			pl.suspectGap(l, e, usual)
			continue
		}
		c.file, c.call = c.file+e.span+e.off, c.call+e.span
		agree++
	}
	if off := c.file - c.call; max(off, -off) < time.Duration(agree+1)*minDrift/2 {
		return
	}
	ppm := c.ppm()
	l.driftPPM = math.RoundToEven(ppm*10) / 10
	if max(ppm, -ppm) < minDriftPPM {
		return
	}
	if c.single {
		c.at = pl.offset(l.segments[0])
	}
	l.clock = c
	l.defects = append(l.defects, record.Defect{
		Code: record.DefectDriftCorrected, Leg: l.spec.Name,
		Detail: fmt.Sprintf("the leg's clock was %+.1f ppm off: what lasted %v is %v of audio, as %d of %d segments agree; all of it was resampled",
			ppm, c.call, c.file, agree, len(l.segments)),
	})
}

// usualPPM is what most of the segments agree with; if that is a tie, what the
// longest together do.
func usualPPM(all []evidence) float64 {
	var most int
	var longest time.Duration
	usual := 0.0
	for _, e := range all {
		ppm := e.ppm()
		agree, span := 0, time.Duration(0)
		for _, other := range all {
			if other.agrees(ppm) {
				agree++
				span += other.span
			}
		}
		if agree > most || agree == most && span > longest {
			most, longest, usual = agree, span, ppm
		}
	}
	return usual
}

// agrees reports whether a clock that is off by ppm explains the length of the
// segment, but for the jitter of events.
func (e evidence) agrees(ppm float64) bool {
	rest := e.off - time.Duration(ppm*float64(e.span)/1e6)
	return max(rest, -rest) < eventJitter
}

// suspectGap adds the defect of a segment that is too short, by its leg's clock.
func (pl *plan) suspectGap(l *leg, e evidence, usual float64) {
	missing := time.Duration(usual*float64(e.span)/1e6) - e.off
	if missing < minGap {
		return
	}
	at := pl.offset(e.seg)
	l.defect(e.seg, record.Defect{
		Code: record.DefectGapSuspected,
		Detail: fmt.Sprintf("%v may be missing, anywhere from %v to %v of the call: the file is %v long and lasted %v (%+.0f ppm)",
			missing, at, at+e.span, e.off+e.span, e.span, e.ppm()),
	})
}

// length is how many frames of the timeline at rate the segment takes.
func (s *segment) length(rate int) int64 {
	in := s.format.SampleRate
	if c := s.leg.clock; c != nil {
		from, to := c.frames(in, rate)
		return audio.StretchedFrames(s.frames, from, to)
	}
	return audio.ResampledFrames(s.frames, in, rate)
}

// duration is how long the segment is in the call.
func (s *segment) duration() time.Duration { return s.durationOf(s.frames) }

// durationOf is how long that many of its frames are in the call.
func (s *segment) durationOf(frames int64) time.Duration {
	d := audio.DurationOf(frames, s.format.SampleRate)
	if c := s.leg.clock; c != nil {
		d = time.Duration(math.Round(float64(d) * (float64(c.call) / float64(c.file))))
	}
	return d
}
