package recording

import (
	"fmt"
	"math"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// rateTolerance is how near to 2 or ½ the ratio of lengths must be.
const rateTolerance = 0.01

// lasted is how long the segment lasted by the call's events, as far as they
// say; 0 if they don't.
func (pl *plan) lasted(s *segment) time.Duration {
	switch {
	case s.spec.Span > 0:
		return s.spec.Span
	case len(s.leg.segments) == 1 && pl.spec.Span > 0:
		return max(pl.spec.Span-pl.offset(s), 0)
	}
	return 0
}

// checkRates suspects headers whose rate is wrong: those that make a segment
// half or double as long as it lasted. If the spec wants it, such a segment is
// read at the true rate, and if all that can be judged are off alike, so are
// those of the same rate that can't be.
func (pl *plan) checkRates(l *leg) {
	wrong := map[int]wrongRate{} // by rate
	for _, s := range l.segments {
		factor := pl.rateFactor(s)
		if factor == 0 {
			continue
		}
		w, seen := wrong[s.format.SampleRate]
		wrong[s.format.SampleRate] = wrongRate{factor: factor, mixed: seen && (w.mixed || w.factor != factor)}
		if factor == 1 {
			continue
		}
		s.wrongRate = true
		if to, ok := factor.of(s.format.SampleRate); ok && l.spec.CorrectRate {
			pl.correctRate(l, s, to)
		} else {
			l.defect(s, record.Defect{
				Code: record.DefectWrongRateSuspected,
				Detail: fmt.Sprintf("at %d Hz the leg lasts %g times as long as it did in the call; it was not changed",
					s.format.SampleRate, float64(factor)),
			})
		}
	}
	if !l.spec.CorrectRate {
		return
	}
	for _, s := range l.segments {
		w := wrong[s.format.SampleRate]
		if to, ok := w.factor.of(s.format.SampleRate); ok && !s.rateKnown && !w.mixed && s.frames > 0 && pl.lasted(s) == 0 {
			pl.correctRate(l, s, to)
		}
	}
}

// wrongRate is what the segments of a leg that state one rate say about it.
type wrongRate struct {
	factor rateFactor
	mixed  bool // they don't agree
}

// rateFactor is the true rate over the header's: 1, 2 or ½; 0 if it isn't known.
type rateFactor float64

// of is the true rate, if it is another that can be read at.
func (f rateFactor) of(rate int) (int, bool) {
	to := int(float64(f) * float64(rate))
	return to, f != 0 && f != 1 && to >= audio.MinResampleRate && to <= audio.MaxResampleRate
}

func (pl *plan) rateFactor(s *segment) rateFactor {
	lasted := pl.lasted(s)
	if s.frames == 0 || lasted <= 0 {
		return 0
	}
	ratio := float64(audio.DurationOf(s.frames, s.format.SampleRate)) / float64(lasted)
	for _, f := range []float64{2, 0.5} {
		if math.Abs(ratio-f) < f*rateTolerance {
			return rateFactor(f)
		}
	}
	return 1
}

func (pl *plan) correctRate(l *leg, s *segment, to int) {
	l.defect(s, record.Defect{
		Code:   record.DefectWrongRateCorrected,
		Detail: fmt.Sprintf("the file says %d Hz; it was read at %d Hz, which makes it as long as it was in the call", s.format.SampleRate, to),
	})
	s.format.SampleRate = to
	s.wrongRate, s.rateKnown = false, true
}
