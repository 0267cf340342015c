package recording

import (
	"fmt"
	"slices"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// listening looks for dropouts in what is read of a segment. It comes after
// redaction: nothing is derived from what that removed.
type listening struct {
	audio.Source

	detector *audio.DropoutDetector
}

func (l *listening) ReadFrames(dst []float32) (int, error) {
	n, err := l.Source.ReadFrames(dst)
	l.detector.Listen(dst[:n])
	return n, err
}

// Frames implements [audio.Sized].
func (l *listening) Frames() int64 {
	n, ok := audio.FramesOf(l.Source)
	if !ok {
		return -1
	}
	return n
}

// listened looks for dropouts in the segment while src is read, which is its
// audio, when the recording is made and analysed: to look at every sample once
// more takes as long as to mix it.
func (pl *plan) listened(s *segment, src audio.Source) audio.Source {
	const lowest = 1000 // Hz: below, 5 ms are too few frames
	if pl.scanning || !pl.analysed() || s.format.SampleRate < lowest {
		return src
	}
	s.dropouts = audio.NewDropoutDetector(s.format.SampleRate, audio.FromDecibels(s.leg.spec.GainDB+s.leg.levelDB))
	return &listening{Source: src, detector: s.dropouts}
}

// analysed reports whether one of the outputs is an analysis.
func (pl *plan) analysed() bool {
	return slices.ContainsFunc(pl.spec.Outputs, func(o record.OutputSpec) bool { return o.Codec == record.CodecAnalysis })
}

// lostSound adds what was found to the leg's gaps, and its defect, unless it is
// what redactions and pauses made.
func (pl *plan) lostSound(l *leg) {
	for _, s := range l.segments {
		if s.dropouts == nil {
			continue
		}
		found, more := s.dropouts.Found()
		silenced := pl.silences(s)
		count, frames := int64(more), int64(0)
		var first record.LegGap
		for _, d := range found {
			if overlaps(silenced, d) {
				continue
			}
			at := pl.offset(s)
			gap := record.LegGap{Kind: record.GapDropout, From: at + s.durationOf(d.From), To: at + s.durationOf(d.To)}
			if gap.From >= pl.length {
				continue // a filter read on beyond the call's end
			}
			gap.To = min(gap.To, pl.length)
			if frames == 0 {
				first = gap
			}
			count++
			frames += d.To - d.From
			l.dropouts = append(l.dropouts, gap)
		}
		l.moreGaps += more
		if count > 0 {
			l.defect(s, record.Defect{
				Code: record.DefectDropoutSuspected, Count: frames,
				Detail: fmt.Sprintf("sound breaks off and comes back %d times, first from %v to %v of the call; the frames between are counted",
					count, first.From, first.To),
			})
		}
	}
}

func overlaps(silenced []audio.Redaction, d audio.Dropout) bool {
	for _, r := range silenced {
		if d.From < r.ToFrame && d.To > r.FromFrame {
			return true
		}
	}
	return false
}
