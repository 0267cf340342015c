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
	minDriftPPM = 50   // a leg that is less off isn't resampled
	maxDriftPPM = 2000 // no clock is worse: what is missing then was lost
	// minDrift is the difference that is too small to be told, as spans and offsets
	// are given in milliseconds.
	minDrift = time.Millisecond
	// minGap is one RTP packet of telephony: any leg may lack the last.
	minGap = 20 * time.Millisecond
	// eventJitter is how far the events that begin and end a segment may be off.
	// A segment that disagrees by more with its leg's other segments, which have
	// the same clock, says nothing about it.
	eventJitter = 100 * time.Millisecond
)

// clock is how a leg's clock ran: the files are file long by their own rates, and
// lasted call by the call's events. The leg's segments are resampled by that
// ratio.
type clock struct {
	file, call time.Duration
	// single: the leg has one segment, at at. Its last frame is the one on which
	// the call ends, at every rate.
	single bool
	at     time.Duration
}

func (c *clock) ppm() float64 { return float64(c.file-c.call) / float64(c.call) * 1e6 }

// inCall is how long in the call a stretch of the files is.
func (c *clock) inCall(d time.Duration) time.Duration {
	return time.Duration(math.Round(float64(d) * (float64(c.call) / float64(c.file))))
}

// ratio is that of the clock in frames: inFrames of a file of rate in become
// outFrames at rate out.
func (c *clock) ratio(in, out int) (inFrames, outFrames int64) {
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
	seg  *timedSegment
	off  time.Duration // how much longer the file is than the segment lasted
	span time.Duration // how long the segment lasted
}

func (e evidence) ppm() float64 { return float64(e.off) / float64(e.span) * 1e6 }

// findClock compares the segments with the time that they lasted and finds the
// leg's clock by those that agree. It suspects that segments lack audio which are
// too short for that clock.
func (l *timedLeg) findClock() {
	var all []evidence
	for _, s := range l.withAudio {
		if !s.lastedKnown || s.rateDoubtful {
			continue
		}
		e := evidence{seg: s, off: audio.DurationOf(s.Frames, s.rate) - s.lasted, span: s.lasted}
		if ppm := e.ppm(); ppm > maxDriftPPM || ppm < -maxDriftPPM {
			l.suspectGap(e, 0)
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
			l.suspectGap(e, usual)
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
		c.at = l.segments[0].at
	}
	l.clock = c
	l.defects = append(l.defects, record.Defect{
		Code: record.DefectDriftCorrected, Leg: l.spec.Name,
		Detail: fmt.Sprintf("the leg's clock was %+.1f ppm off: what lasted %v is %v of audio, as %d of %d segments agree; all of it was resampled",
			ppm, c.call, c.file, agree, len(l.segments)),
	})
}

// usualPPM is the deviation that most of the segments agree with. In a tie the
// segments that are longer together win.
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
func (l *timedLeg) suspectGap(e evidence, usual float64) {
	missing := time.Duration(usual*float64(e.span)/1e6) - e.off
	if missing < minGap {
		return
	}
	at := e.seg.at
	l.addDefect(e.seg, record.Defect{
		Code: record.DefectGapSuspected,
		Detail: fmt.Sprintf("%v may be missing, anywhere from %v to %v of the call: the file is %v long and lasted %v (%+.0f ppm)",
			missing, at, at+e.span, e.off+e.span, e.span, e.ppm()),
	})
}
