package recording

import (
	"github.com/switchtape/switchtape/callmodel/record"
)

// Degrades reports whether a defect makes a recording "completed_degraded".
// Those do that lost audio or made a guess about it. Those don't that only tell
// what the recording faithfully holds: clipping, segments that overlap, what an
// analysis suspects of the call itself, and dropouts, which are suspected by ear
// and were in the file before it came here.
// Whether silence in the place of samples that aren't numbers lost anything
// can't be known, so it does.
func Degrades(code record.DefectCode) bool {
	switch code {
	case record.DefectClipped, record.DefectOverlap, record.DefectDropoutSuspected,
		record.DefectOneWayAudio, record.DefectAudioLost, record.DefectMisaligned:
		return false
	default:
		return true
	}
}

// statusOf is the outcome of a recording that was made.
func statusOf(defects []record.Defect) record.Status {
	for _, d := range defects {
		if Degrades(d.Code) {
			return record.StatusCompletedDegraded
		}
	}
	return record.StatusCompleted
}

// hopeless decides the outcome when no leg has audio: quarantined if there is a
// file that can't be read, as its audio may be recovered; else absent.
func hopeless(defects []record.Defect) (record.Status, string) {
	for _, d := range defects {
		if d.Code == record.DefectUnsupportedCodec || d.Code == record.DefectUnreadableLeg {
			return record.StatusQuarantined, string(d.Code) + ": leg " + d.Leg + ": " + d.Detail
		}
	}
	return record.StatusAbsent, record.ReasonNoMedia
}
