package recording_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
)

// heldCall is a leg of three files with holds between them, of a clock that
// runs ppm fast; the call's events tell how long each was. The call lasts 40
// s times scale.
func heldCall(t *testing.T, scale int, ppm float64) (memLegs, record.Spec) {
	t.Helper()
	const rate = 8000
	spec := sampleSpec()
	spec.Legs = spec.Legs[:1]
	spec.Legs[0].Segments = nil
	seconds := func(units int) time.Duration { return time.Duration(units*scale) * time.Second }
	spec.Span = seconds(40)
	legs := memLegs{}
	for i, s := range heldParts() {
		uri := string(rune('a'+i)) + ".wav"
		legs[uri] = pcmFile(t, rate, clicks(rate, seconds(s.span), ppm))
		spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{
			URI: uri, Offset: seconds(s.at), Span: seconds(s.span),
		})
	}
	spec.Outputs = []record.OutputSpec{
		{Name: "same", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: rate},
		{Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000},
	}
	return legs, spec
}

type heldPart struct{ at, span int } // in units of the call

func heldParts() []heldPart { return []heldPart{{1, 9}, {11, 20}, {32, 7}} }

// A leg of several segments has one clock. All are corrected by it, also those that
// don't state how long they were.
func TestDriftOfManySegments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ppm  float64
		edit func(*record.Spec)
		code record.DefectCode
		want float64 // ppm of the result
	}{
		"fast":                       {ppm: 500, code: record.DefectDriftCorrected, want: 500},
		"slow":                       {ppm: -1234, code: record.DefectDriftCorrected, want: -1234},
		"good enough":                {ppm: 40, want: 40},
		"exact":                      {ppm: 0},
		"one of them isn't known":    {ppm: 500, edit: func(s *record.Spec) { s.Legs[0].Segments[1].Span = 0 }, code: record.DefectDriftCorrected, want: 500},
		"none is known":              {ppm: 500, edit: func(s *record.Spec) { clearSpans(s) }},
		"the span of the call isn't": {ppm: 500, edit: func(s *record.Spec) { s.Span = 0 }, code: record.DefectDriftCorrected, want: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			legs, spec := heldCall(t, 3, c.ppm)
			if c.edit != nil {
				c.edit(&spec)
			}
			r, out := process(t, legs, spec, nil)
			require.InDelta(t, c.want, r.Legs[0].DriftPPM, 0.6)
			if c.code == "" {
				require.Empty(t, r.Defects)
				return
			}
			require.Len(t, r.Defects, 1)
			require.Equal(t, c.code, r.Defects[0].Code)
			require.Equal(t, "agent", r.Defects[0].Leg)
			for _, o := range r.Outputs {
				samples := pcmSamples(out[o.Name])
				for _, s := range heldParts() {
					from, span := 3*s.at*o.Rate, time.Duration(3*s.span)*time.Second
					part := samples[from:min(from+int(span.Seconds()+1)*o.Rate, len(samples))]
					require.Less(t, worstClick(t, part, 1, 0, o.Rate, span), 1.0, "%s from %d s", o.Name, 3*s.at)
				}
			}
		})
	}
}

func clearSpans(s *record.Spec) {
	for i := range s.Legs[0].Segments {
		s.Legs[0].Segments[i].Span = 0
	}
}

// A segment that lacks audio is named, with its stretch of the call, and says
// nothing about the clock of its leg, even if its length could be drift.
func TestGapOfASegmentIsLocated(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for lost, ppm := range map[time.Duration]float64{
		2 * time.Second: 0, 300 * time.Millisecond: 0, 10 * time.Second: 600,
	} {
		legs, spec := heldCall(t, 10, ppm)
		rate := 8000 * (1 + ppm/1e6)
		cut := int(math.Round(lost.Seconds() * rate))
		whole := clicks(8000, 200*time.Second, ppm)
		legs["b.wav"] = pcmFile(t, 8000, whole[:len(whole)-cut])
		r, _ := process(t, legs, spec, nil)
		var gaps []record.Defect
		for _, d := range r.Defects {
			if d.Code == record.DefectGapSuspected {
				gaps = append(gaps, d)
			}
		}
		require.Len(t, gaps, 1, "%v: %+v", lost, r.Defects)
		require.Contains(t, gaps[0].Detail, `segment "b.wav"`)
		require.Contains(t, gaps[0].Detail, "from 1m50s to 5m10s of the call")
		require.InDelta(t, ppm, r.Legs[0].DriftPPM, 1)
		require.Equal(t, record.StatusCompletedDegraded, r.Status)
		require.Contains(t, kinds(r.Legs[0].Gaps), record.GapMissing)
	}
}

func kinds(gaps []record.LegGap) []record.GapKind {
	out := make([]record.GapKind, len(gaps))
	for i, g := range gaps {
		out[i] = g.Kind
	}
	return out
}

// Events are off by some tens of milliseconds. No gap is suspected for that in a
// long segment, and the segments tell the clock together.
func TestDriftWithUnsteadyEvents(t *testing.T) {
	t.Parallel()
	legs, spec := heldCall(t, 10, 300)
	for i, off := range []float64{40, -35, 20} {
		spec.Legs[0].Segments[i].Span += ms(off)
	}
	r, _ := process(t, legs, spec, nil)
	require.Len(t, r.Defects, 1)
	require.Equal(t, record.DefectDriftCorrected, r.Defects[0].Code)
	require.InDelta(t, 300-25/0.36, r.Legs[0].DriftPPM, 1) // 25 ms of 360 s
}

// Redacted or paused audio has no influence on the outputs, in a leg of many
// segments that are stretched.
func TestRedactionOfManyDriftingSegments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for _, ppm := range []float64{1800, -1800} {
		legs, spec := heldCall(t, 2, ppm)
		spec.Redactions = []record.Redaction{{From: ms(50_000), To: ms(66_000)}}
		spec.Pauses = []record.Pause{{From: ms(12_000), To: ms(13_000)}}
		_, want := process(t, legs, spec, nil)
		speed := 1 + ppm/1e6
		for _, edit := range []struct {
			uri      string
			from, to float64 // seconds of the segment
		}{{"a.wav", 10, 11}, {"b.wav", 28, 40}, {"c.wav", 0, 2}} {
			b := bytes.Clone(legs[edit.uri])
			for i := int(math.Ceil(edit.from * 8000 * speed)); i < int(edit.to*8000*speed) && 44+2*i < len(b); i++ {
				b[44+2*i], b[45+2*i] = 0xFF, 0x4F
			}
			legs[edit.uri] = b
		}
		_, got := process(t, legs, spec, &recording.Options{BlockFrames: 1234})
		for name := range want {
			require.True(t, bytes.Equal(want[name], got[name]), name)
		}
	}
}
