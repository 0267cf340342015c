package recording

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// What a leg's length says about its clock, in millionths of the length that it
// should have.
const (
	minDriftPPM = 50   // less is left alone
	maxDriftPPM = 2000 // no clock is worse; what is missing then was lost
	// minDrift is the difference below which nothing is said: spans and offsets
	// are given in milliseconds.
	minDrift = callmodel.Millis(time.Millisecond)
	// minGap is one RTP packet of telephony: the last may be missing of any leg.
	minGap = callmodel.Millis(20 * time.Millisecond)
)

// framesLeft is how many frames at rate the call has from where the segment
// begins. The span must be given.
func (pl *plan) framesLeft(s *segment, rate int) int64 {
	return pl.spec.Span.Frames(rate) - pl.offset(s).Frames(rate)
}

// checkLength compares the leg's only segment, which was recorded until the
// span's end, with the time that it had.
func (pl *plan) checkLength(l *leg, s *segment) {
	rest := pl.spec.Span - pl.offset(s)
	if rest <= 0 {
		return
	}
	off := callmodel.MillisOfFrames(s.frames, s.format.SampleRate) - rest
	ppm := float64(off) / float64(rest) * 1e6
	size := max(ppm, -ppm)
	switch {
	case size < minDriftPPM || max(off, -off) < minDrift:
	case size <= maxDriftPPM:
		s.drifts = true
		l.defect(s, callmodel.Defect{
			Code: callmodel.DefectDriftCorrected,
			Detail: fmt.Sprintf("the leg's clock was %+.1f ppm off: its %d frames at %d Hz were resampled to %v",
				ppm, s.frames, s.format.SampleRate, rest),
		})
	case -off >= minGap:
		l.defect(s, callmodel.Defect{
			Code:   callmodel.DefectGapSuspected,
			Detail: fmt.Sprintf("the leg is %v shorter than the rest of the call (%+.0f ppm): audio may be missing, anywhere in it", -off, ppm),
		})
	}
}
