package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/manifest"
)

// putManifest writes the object that says how the recording was made.
func (p *Processor) putManifest(ctx context.Context, pl *plan, r *record.Result) error {
	if pl.spec.NoManifest || len(r.Outputs) == 0 {
		return nil
	}
	files := make([][]manifest.File, len(pl.legs))
	for i, l := range pl.legs {
		for _, s := range l.segments {
			files[i] = append(files[i], s.evidence())
		}
	}
	m, err := manifest.New(pl.spec, r, files)
	if err != nil {
		return err
	}
	meta := record.ObjectMeta{ContentType: "application/json", NewVersion: pl.newVersion, Metadata: map[string]string{
		"tenant_id": string(pl.spec.TenantID), "call_id": string(pl.spec.CallID),
		"recording_id": string(pl.spec.RecordingID), "encoder": manifest.Version,
	}}
	written := false
	info, err := p.objects.Put(ctx, pl.spec.ManifestKey(), meta, func(w io.Writer) error {
		written = true
		return m.Write(w)
	})
	if err == nil && !written && !info.Existed {
		err = errors.New("the store took nothing")
	}
	if err != nil {
		return fmt.Errorf("recording: write the manifest: %w", err)
	}
	r.Manifest = &record.ManifestResult{URL: info.URL, Bytes: info.Bytes, SHA256: info.SHA256}
	if info.Key != (record.ObjectKey{}) {
		r.Manifest.Key = info.Key.String()
	}
	return nil
}

// evidence is what was read of the segment.
func (s *segment) evidence() manifest.File {
	return manifest.File{
		URI: s.spec.URI, Offset: s.spec.Offset, Bytes: s.bytes, SHA256: s.sum,
		Frames: s.frames, Rate: s.format.SampleRate, Channels: s.format.NumChannels,
	}
}

// essence is what a result tells of an analysis.
func essence(r *analysis.Report) *record.AnalysisResult {
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

func lacksAudio(code record.DefectCode) bool {
	switch code {
	case record.DefectLegMissing, record.DefectLegEmpty, record.DefectUnsupportedCodec, record.DefectUnreadableLeg,
		record.DefectTruncated, record.DefectGapSuspected:
		return true
	default:
		return false
	}
}

// What it takes to suspect offsets. A trace's own path may be longer one way
// than the other; and of thousands of pairs of legs, chance makes a weak trace
// in some.
const (
	maxDisagreement = 20 * time.Millisecond
	minConfidence   = 0.6
	minPeakToNoise  = 20
)

// suspicions are the defects that an analysis shows. Of a leg of which known
// says that its audio isn't there, that it is silent is no news.
func suspicions(r *analysis.Report, known []record.Defect) []record.Defect {
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

// misaligned tells whether the traces contradict the offsets. Each leg heard in
// the other shows how far they are apart; one of them alone only if it is heard
// before it talks.
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
