package recording_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// beyondCall is two legs of a minute of noise, in a stereo recording.
func beyondCall(t *testing.T) (record.Spec, memLegs) {
	t.Helper()
	spec := sampleSpec()
	spec.Legs[1].Segments[0].Offset = 0
	spec.Outputs = []record.OutputSpec{
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000},
	}
	return spec, memLegs{
		"agent.wav":    pcmFile(t, 8000, recordingtest.Noise(480000, 0.1, 1)),
		"customer.wav": pcmFile(t, 8000, recordingtest.Noise(480000, 0.1, 2)),
	}
}

// What legs hold beyond the span is in the recording, at its place, and told; it is
// cut where the job says so.
func TestAudioBeyondTheSpan(t *testing.T) {
	t.Parallel()
	type beyond struct {
		leg string
		ms  int64
	}
	const span = 46 * time.Second
	for name, c := range map[string]struct {
		change func(*record.Spec)
		length time.Duration
		at     [2]int // of the legs, in frames
		want   []beyond
		cut    bool
	}{
		"both legs": {length: time.Minute, want: []beyond{{"agent", 14000}, {"customer", 14000}}},
		"cut":       {length: span, want: []beyond{{"agent", 14000}, {"customer", 14000}}, cut: true},
		"a leg that begins late": {
			change: func(s *record.Spec) { s.Legs[1].Segments[0].Offset = 2500 * time.Millisecond },
			length: 62500 * time.Millisecond, at: [2]int{0, 20000}, want: []beyond{{"agent", 14000}, {"customer", 16500}},
		},
		"a leg that begins beyond it": { // the other one says that the call went on
			change: func(s *record.Spec) { s.Legs[1].Segments[0].Offset = 50 * time.Second },
			length: 110 * time.Second, at: [2]int{0, 400000}, want: []beyond{{"agent", 14000}, {"customer", 60000}},
		},
		"a leg that begins beyond it, cut": {
			change: func(s *record.Spec) { s.Legs[1].Segments[0].Offset = 45 * time.Second },
			length: span, at: [2]int{0, 360000}, want: []beyond{{"agent", 14000}, {"customer", 59000}}, cut: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, legs := beyondCall(t)
			spec.Span, spec.CutToSpan = span, c.cut
			if c.change != nil {
				c.change(&spec)
			}
			r, out := process(t, legs, spec, nil)
			require.Equal(t, record.StatusCompleted, r.Status, "nothing that was wanted is lost")
			require.Equal(t, c.length, r.Duration)
			for _, o := range r.Outputs {
				require.Equal(t, c.length.Milliseconds()*int64(o.Rate)/1000, o.Frames)
			}
			var got []beyond
			for _, d := range r.Defects {
				require.Equal(t, record.DefectBeyondSpan, d.Code)
				require.Contains(t, d.Detail, "span of 46s")
				require.Contains(t, d.Detail, map[bool]string{false: "kept", true: "cut"}[c.cut])
				got = append(got, beyond{d.Leg, d.Count})
			}
			require.Equal(t, c.want, got)
			samples := pcmSamples(out["stereo"])
			for leg, uri := range []string{"agent.wav", "customer.wav"} {
				pcm := pcmSamples(legs[uri])
				for i := c.at[leg]; i < min(c.at[leg]+len(pcm), len(samples)/2); i++ {
					require.Equal(t, pcm[i-c.at[leg]], samples[2*i+leg], "leg %s, frame %d", uri, i)
				}
			}
		})
	}
}

// Spans are rounded, packets are 20 ms long, and clocks that are less than 50 ppm off
// are good: what is beyond a span by that isn't told, and isn't cut either.
func TestALittleBeyondTheSpan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		span   time.Duration
		beyond int // frames of the leg
		told   bool
		kept   int64
	}{
		"within it":                          {span: 2 * time.Second, beyond: -8},
		"as long":                            {span: 2 * time.Second},
		"less than a millisecond":            {span: 2 * time.Second, beyond: 7},
		"a millisecond":                      {span: 2 * time.Second, beyond: 8, kept: 8},
		"a packet":                           {span: 2 * time.Second, beyond: 160, kept: 160},
		"more than a packet":                 {span: 2 * time.Second, beyond: 161, kept: 161, told: true},
		"what a good clock explains":         {span: 600 * time.Second, beyond: 240, kept: 240},
		"more than a good clock can explain": {span: 600 * time.Second, beyond: 241, kept: 241, told: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.Legs, spec.Span = spec.Legs[:1], c.span
			spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}
			frames := int(c.span.Milliseconds()) * 8
			r, _ := process(t, memLegs{"agent.wav": pcmFile(t, 8000, make([]float32, frames+c.beyond))}, spec, nil)
			require.Equal(t, int64(frames)+c.kept, r.Outputs[0].Frames)
			require.Equal(t, c.told, r.Has(record.DefectBeyondSpan), r.Defects)
		})
	}
}

// Redactions and pauses hold beyond the span, and the analysis hears what is there.
func TestRedactionBeyondTheSpan(t *testing.T) {
	t.Parallel()
	spec, legs := beyondCall(t)
	spec.Span = 46 * time.Second
	spec.Redactions = []record.Redaction{{From: 50 * time.Second, To: 52 * time.Second}}
	spec.Pauses = []record.Pause{{From: 55 * time.Second, To: 56 * time.Second}}
	spec.Outputs = append(spec.Outputs[:1], record.OutputSpec{Name: "analysis", Codec: record.CodecAnalysis})
	r, out := process(t, legs, spec, nil)
	require.False(t, r.Has(record.DefectRangeOutside), r.Defects)
	require.Equal(t, 2*time.Second, r.Redacted)
	require.Equal(t, time.Second, r.Paused)
	require.Equal(t, time.Minute, r.Analysis.Duration)
	samples := pcmSamples(out["stereo"])
	for _, silent := range [][2]int{{50, 52}, {55, 56}} {
		for i := silent[0] * 8000; i < silent[1]*8000; i++ {
			require.Zero(t, samples[2*i]|samples[2*i+1], "frame %d", i)
		}
	}
	require.NotZero(t, samples[2*53*8000])
}

// A span to cut to is needed.
func TestCutToSpanNeedsOne(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.CutToSpan = true
	require.ErrorContains(t, spec.Validate(), "cut_to_span: needs span_ms")
}
