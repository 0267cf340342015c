package recording

import (
	"github.com/switchtape/switchtape/callmodel/record"
)

// Degrades reports whether a defect makes a recording "completed_degraded". A
// defect does that lost audio, or for which audio was guessed. Silence in the
// place of samples that aren't numbers does, as nobody knows whether it lost
// anything. A defect doesn't that only tells what the recording faithfully holds:
// clipping, segments that overlap, legs that go beyond the stated span, what an
// analysis suspects of the call itself, and dropouts and bursts at the end of a file,
// which were in the file before it came here.
func Degrades(code record.DefectCode) bool {
	switch code {
	case record.DefectClipped, record.DefectOverlap, record.DefectBeyondSpan, record.DefectDropoutSuspected, record.DefectEndBurst,
		record.DefectOneWayAudio, record.DefectAudioLost, record.DefectMisaligned:
		return false
	default:
		return true
	}
}

// statusWithAudio is the outcome of a recording that was made.
func statusWithAudio(defects []record.Defect) record.Status {
	for _, d := range defects {
		if Degrades(d.Code) {
			return record.StatusCompletedDegraded
		}
	}
	return record.StatusCompleted
}

// statusWithoutAudio is the outcome, and its reason, when no leg has audio:
// quarantined if a file can't be read, as its audio may be recovered; else absent.
func statusWithoutAudio(defects []record.Defect) (record.Status, string) {
	for _, d := range defects {
		if d.Code == record.DefectUnsupportedCodec || d.Code == record.DefectUnreadableLeg {
			return record.StatusQuarantined, d.Reason()
		}
	}
	return record.StatusAbsent, record.ReasonNoMedia
}
