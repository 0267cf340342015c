package recording

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// dropoutReport is what a result says of a leg's dropouts.
type dropoutReport struct {
	gaps    []record.LegGap
	omitted int // dropouts that gaps doesn't list
	defects []record.Defect
}

// dropoutsOf lists the dropouts that were found in the leg's files, but for
// those that redactions and pauses made.
func dropoutsOf(cut *cutCall, l *timedLeg, detectors map[*timedSegment]*audio.DropoutDetector) dropoutReport {
	var report dropoutReport
	for _, s := range l.segments {
		if detectors[s] == nil {
			continue
		}
		found, more := detectors[s].Found()
		silenced := cut.call.silencesIn(s)
		count, frames := int64(more), int64(0)
		var first record.LegGap
		for _, d := range found {
			if overlaps(silenced, d) {
				continue
			}
			gap := record.LegGap{Kind: record.GapDropout, From: s.at + s.durationOf(d.From), To: s.at + s.durationOf(d.To)}
			if gap.From >= cut.length {
				continue // a filter read on beyond the call's end
			}
			gap.To = min(gap.To, cut.length)
			if frames == 0 {
				first = gap
			}
			count++
			frames += d.To - d.From
			report.gaps = append(report.gaps, gap)
		}
		report.omitted += more
		if count > 0 {
			report.defects = append(report.defects, s.Defect(record.Defect{
				Code: record.DefectDropoutSuspected, Count: frames,
				Detail: fmt.Sprintf("sound breaks off and comes back %d times, first from %v to %v of the call; the frames between are counted",
					count, first.From, first.To),
			}))
		}
	}
	return report
}

// overlaps reports whether the dropout is partly within what was silenced.
func overlaps(silenced []audio.Redaction, d audio.Dropout) bool {
	for _, r := range silenced {
		if d.From < r.ToFrame && d.To > r.FromFrame {
			return true
		}
	}
	return false
}

// endBursts lists the bursts of noise that the leg's files end with.
func endBursts(l *timedLeg, found map[*timedSegment]*audio.EndBurst) []record.Defect {
	var defects []record.Defect
	for _, s := range l.segments {
		if b := found[s]; b != nil && b.Found() {
			end := s.at + s.durationOf(s.Frames)
			defects = append(defects, s.Defect(record.Defect{
				Code: record.DefectEndBurst, Count: 1,
				Detail: fmt.Sprintf("the file's last 20 ms, up to %v of the call, are noise louder than all before: it doesn't count where legs are levelled", end),
			}))
		}
	}
	return defects
}
