package recording

import (
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
)

// report makes the result: the last phase. Its defects are those of the legs, in
// their order, and then those of the recording as a whole.
func report(pl *plan, done *rendered) record.Result {
	r := emptyResult(record.StatusCompleted, "")
	if done.outputs != nil {
		r.Outputs = done.outputs
		r.Duration = audio.DurationOf(pl.cut.frames(pl.call.rate), pl.call.rate).Round(time.Millisecond)
		if pl.scan.sound != nil {
			r.Trimmed = pl.scan.sound.from
		}
		r.Timeline, r.Paused, r.Redacted = pl.cut.timeline(), pl.cut.pausedFor(), pl.cut.redactedFor()
	}
	for i, l := range pl.call.legs {
		dropouts := dropoutsOf(pl.cut, l, done.dropouts)
		for _, found := range [][]record.Defect{l.defects, l.files.ReadDefects, overlapDefects(l, i, done.timelines), dropouts.defects, endBursts(l, done.bursts)} {
			r.Defects = append(r.Defects, found...)
		}
		r.Legs = append(r.Legs, legResult(pl, i, dropouts))
	}
	whole := append(pl.cut.outsideDefects(), done.clipped...)
	if done.analysis != nil {
		r.Analysis = analysisSummary(done.analysis)
		whole = append(whole, analysisDefects(done.analysis, r.Defects)...)
	}
	r.Defects = append(r.Defects, whole...)
	switch {
	case pl.call.rate == 0:
		r.Status, r.Reason = statusWithoutAudio(r.Defects)
	case len(r.Outputs) == 0 && pl.cut.length > 0:
		r.Status, r.Reason = record.StatusAbsent, record.ReasonPaused
	case len(r.Outputs) == 0:
		r.Status, r.Reason = record.StatusAbsent, record.ReasonTooShort
	default:
		r.Status = statusWithAudio(r.Defects)
	}
	return r
}

func emptyResult(status record.Status, reason string) record.Result {
	return record.Result{
		Status: status, Reason: reason,
		Defects: []record.Defect{}, Legs: []record.LegResult{}, Outputs: []record.OutputResult{},
	}
}

// legResult is what the result says of leg i.
func legResult(pl *plan, i int, dropouts dropoutReport) record.LegResult {
	l := pl.call.legs[i]
	r := record.LegResult{
		Name: l.spec.Name, Offset: l.spec.Segments[0].Offset, SHA256: l.files.SHA256, Channel: i,
		DriftPPM: l.driftPPM, GainDB: pl.scan.gainDB(i), GapsOmitted: dropouts.omitted,
	}
	for _, s := range l.withAudio {
		if r.Rate == 0 {
			r.Rate = s.rate
		}
		if s.rate == r.Rate {
			r.Frames += s.Frames
		} else {
			r.Frames += audio.FramesIn(audio.DurationOf(s.Frames, s.rate), r.Rate)
		}
	}
	r.Gaps = gaps(pl.cut, l, dropouts.gaps)
	if n := len(r.Gaps); n > record.MaxGaps {
		r.Gaps, r.GapsOmitted = r.Gaps[:record.MaxGaps], r.GapsOmitted+n-record.MaxGaps
	}
	return r
}

// overlapDefects is the defect of a leg whose segments overlap by more than 1 ms;
// less is the rounding of offsets.
func overlapDefects(l *timedLeg, i int, timelines []*audio.Timeline) []record.Defect {
	if timelines == nil {
		return nil
	}
	n := timelines[i].OverlapFrames()
	if n <= int64(timelines[i].Format().SampleRate/1000) {
		return nil
	}
	return []record.Defect{{
		Code: record.DefectOverlap, Leg: l.spec.Name, Count: n,
		Detail: "frames in which segments of the leg overlap; they were summed",
	}}
}
