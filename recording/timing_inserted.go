package recording

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// findInserted looks into the segments that are longer than they lasted by more than a clock
// can be wrong, for silence that was put in. What is there at a regular beat is left out.
func (l *timedLeg) findInserted() error {
	for _, s := range l.withAudio {
		excess := audio.DurationOf(s.Frames, s.rate) - s.lasted
		if !s.lastedKnown || s.rateDoubtful || excess < eventJitter || float64(excess) < float64(s.lasted)*maxDriftPPM/1e6 {
			continue
		}
		in, regular, found, err := legfile.FindInserted(s.Segment, audio.FramesIn(excess, s.rate), audio.FramesIn(eventJitter, s.rate))
		if err != nil {
			return err
		}
		if !found {
			continue // all that is known is that it goes beyond
		}
		silence := audio.DurationOf(in.Length, s.rate)
		if !regular {
			l.addDefect(s, record.Defect{
				Code: record.DefectInsertedSuspected, Count: in.Frames(),
				Detail: fmt.Sprintf("the file is %v longer than the leg lasted, and has %d silences of %v, at no beat: it was left as it is; their frames are counted",
					excess, in.Count, silence),
			})
			continue
		}
		legfile.Omit(s.Segment, in)
		l.addDefect(s, record.Defect{
			Code: record.DefectInsertedSilence, Count: in.Frames(),
			Detail: fmt.Sprintf("the file is %v longer than the leg lasted, and has silence of %v every %v, %d times: it was left out; its frames are counted",
				excess, silence, audio.DurationOf(in.Every, s.rate), in.Count),
		})
	}
	return nil
}
