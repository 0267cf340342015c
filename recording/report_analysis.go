package recording

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
)

// analysisSummary is what a result tells of an analysis.
func analysisSummary(r *analysis.Report) *record.AnalysisResult {
	c := &r.Conversation
	out := &record.AnalysisResult{
		Duration: r.Duration, Silence: c.Silence, Overlap: c.Overlap,
		LoudnessLUFS: r.Programme.IntegratedLUFS, Legs: make([]record.LegAnalysis, len(r.Legs)),
	}
	for i := range r.Legs {
		leg, talk := &r.Legs[i], &c.Parties[i]
		out.Legs[i] = record.LegAnalysis{
			Name: leg.Leg, TalkTime: talk.TalkTime, TalkRatio: talk.TalkRatio, Silence: talk.Silence,
			Overlap: talk.Overlap, Turns: talk.Turns,
			LongestMonologue: talk.LongestMonologue.End - talk.LongestMonologue.Start,
			LoudnessLUFS:     leg.Loudness.IntegratedLUFS, RMSDBFS: leg.Levels.RMSDBFS, PeakDBFS: leg.Levels.PeakDBFS,
			TruePeakDBTP: leg.Levels.TruePeakDBTP, ClippedSamples: leg.Levels.ClippedSamples,
		}
	}
	for i := range r.Alignment {
		a := &r.Alignment[i]
		out.Alignment = append(out.Alignment, record.AlignmentResult{
			Legs: a.Legs, Detected: a.Detected, Disagreement: a.Disagreement,
			BothWays: a.Heard[0].Detected && a.Heard[1].Detected, Confidence: a.Confidence,
		})
	}
	return out
}

// lacksAudio reports whether the defect says that audio isn't there.
func lacksAudio(code record.DefectCode) bool {
	switch code {
	case record.DefectLegMissing, record.DefectLegEmpty, record.DefectUnsupportedCodec, record.DefectUnreadableLeg,
		record.DefectTruncated, record.DefectGapSuspected:
		return true
	default:
		return false
	}
}

// The least that a trace must show before an offset is suspected. A trace's own
// path may be longer one way than the other; and among thousands of pairs of legs
// some have a weak trace by chance.
const (
	maxDisagreement = 20 * time.Millisecond
	minConfidence   = 0.6
	minPeakToNoise  = 20
)

// analysisDefects are the defects that an analysis shows. known are those that
// were found before: if a leg's audio isn't there, its silence is no news.
func analysisDefects(r *analysis.Report, known []record.Defect) []record.Defect {
	var list []record.Defect
	for _, s := range r.Conversation.Suspicions {
		if slices.ContainsFunc(known, func(d record.Defect) bool { return d.Leg == s.Leg && lacksAudio(d.Code) }) {
			continue
		}
		d := record.Defect{
			Code: record.DefectOneWayAudio, Leg: s.Leg,
			Detail: fmt.Sprintf("no talk, while others talk for %.1f s", s.OthersTalk.Seconds()),
		}
		if s.Code == analysis.AudioLost {
			d.Code = record.DefectAudioLost
			d.Detail = fmt.Sprintf("its signal stops at %.1f s, others talk on for %.1f s", s.Since.Seconds(), s.OthersTalk.Seconds())
		}
		if s.DigitalSilence {
			d.Detail += "; it is digital silence"
		}
		list = append(list, d)
	}
	for i := range r.Alignment {
		if d, wrong := misaligned(&r.Alignment[i]); wrong {
			list = append(list, d)
		}
	}
	return list
}

// misaligned tells whether the traces contradict the offsets. If each leg is heard
// in the other, the two traces show how far the legs are apart. A single trace
// shows it only if the leg is heard before it talks.
func misaligned(a *analysis.Alignment) (record.Defect, bool) {
	strong := func(t *analysis.Trace) bool {
		return t.Detected && t.Confidence >= minConfidence && t.PeakToNoise >= minPeakToNoise
	}
	both := strong(&a.Heard[0]) && strong(&a.Heard[1])
	early := strong(&a.Heard[0]) && a.Heard[0].LagFrames < 0 || strong(&a.Heard[1]) && a.Heard[1].LagFrames < 0
	if !both && !early || a.Disagreement.Abs() < maxDisagreement {
		return record.Defect{}, false
	}
	return record.Defect{
		Code: record.DefectMisaligned, Leg: a.Legs[1],
		Detail: fmt.Sprintf("by its traces in leg %s, and that leg's in it, it is %+.1f ms from where its offset puts it (confidence %.2f)",
			a.Legs[0], float64(a.Disagreement)/float64(time.Millisecond), a.Confidence),
	}, true
}
