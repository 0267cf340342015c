package recording

import (
	"github.com/switchtape/switchtape/callmodel"
)

// Degrades reports whether a defect makes a recording "completed_degraded".
// Those do that lost audio or made a guess about it. Those don't that only tell
// what the recording faithfully holds: clipping, segments that overlap, what an
// analysis suspects of the call itself, and dropouts, which are suspected by ear
// and were in the file before it came here.
// Whether silence in the place of samples that aren't numbers lost anything
// can't be known, so it does.
func Degrades(code callmodel.DefectCode) bool {
	switch code {
	case callmodel.DefectClipped, callmodel.DefectOverlap, callmodel.DefectDropoutSuspected,
		callmodel.DefectOneWayAudio, callmodel.DefectAudioLost, callmodel.DefectMisaligned:
		return false
	default:
		return true
	}
}

// statusOf is the outcome of a recording that was made.
func statusOf(defects []callmodel.Defect) callmodel.RecordingStatus {
	for _, d := range defects {
		if Degrades(d.Code) {
			return callmodel.StatusCompletedDegraded
		}
	}
	return callmodel.StatusCompleted
}

// hopeless decides the outcome when no leg has audio: quarantined if there is a
// file that can't be read, as its audio may be recovered; else absent.
func hopeless(defects []callmodel.Defect) (callmodel.RecordingStatus, string) {
	for _, d := range defects {
		if d.Code == callmodel.DefectUnsupportedCodec || d.Code == callmodel.DefectUnreadableLeg {
			return callmodel.StatusQuarantined, string(d.Code) + ": leg " + d.Leg + ": " + d.Detail
		}
	}
	return callmodel.StatusAbsent, callmodel.ReasonNoMedia
}
