package recording

import (
	"fmt"
	"math"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// rateTolerance is how near to 2 or ½ the ratio of lengths must be.
const rateTolerance = 0.01

// findRates suspects headers whose rate is wrong: those that make a segment half
// or double as long as it lasted. If the spec wants it, such a segment is read at
// the true rate. If all segments that can be judged are off alike, so are those
// of the same rate that can't be judged.
func (l *timedLeg) findRates() {
	wrong := map[int]wrongRate{} // by rate
	for _, s := range l.segments {
		factor := s.rateFactor()
		if factor == 0 {
			continue
		}
		w, seen := wrong[s.rate]
		wrong[s.rate] = wrongRate{factor: factor, mixed: seen && (w.mixed || w.factor != factor)}
		if factor == 1 {
			continue
		}
		if to, ok := factor.of(s.rate); ok && l.spec.CorrectRate {
			l.correctRate(s, to)
			continue
		}
		s.rateDoubtful = true
		l.addDefect(s, record.Defect{
			Code: record.DefectWrongRateSuspected,
			Detail: fmt.Sprintf("at %d Hz the leg lasts %g times as long as it did in the call; it was not changed",
				s.rate, float64(factor)),
		})
	}
	if !l.spec.CorrectRate {
		return
	}
	for _, s := range l.withAudio {
		w := wrong[s.rate]
		if to, ok := w.factor.of(s.rate); ok && !s.rateKnown && !w.mixed && s.lasted == 0 {
			l.correctRate(s, to)
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

// of is the true rate, if that is another one and files can be read at it.
func (f rateFactor) of(rate int) (int, bool) {
	to := int(float64(f) * float64(rate))
	return to, f != 0 && f != 1 && to >= audio.MinResampleRate && to <= audio.MaxResampleRate
}

func (s *timedSegment) rateFactor() rateFactor {
	if s.Frames == 0 || s.lasted <= 0 {
		return 0
	}
	ratio := float64(audio.DurationOf(s.Frames, s.rate)) / float64(s.lasted)
	for _, f := range []float64{2, 0.5} {
		if math.Abs(ratio-f) < f*rateTolerance {
			return rateFactor(f)
		}
	}
	return 1
}

func (l *timedLeg) correctRate(s *timedSegment, to int) {
	l.addDefect(s, record.Defect{
		Code:   record.DefectWrongRateCorrected,
		Detail: fmt.Sprintf("the file says %d Hz; it was read at %d Hz, which makes it as long as it was in the call", s.rate, to),
	})
	s.rate, s.rateKnown = to, true
}
