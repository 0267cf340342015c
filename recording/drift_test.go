package recording_test

import (
	"bytes"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// clicks is what a clock that runs ppm fast records of a call with a click
// every second: a short, smooth pulse.
func clicks(rate int, span time.Duration, ppm float64) []float32 {
	clock := float64(rate) * (1 + ppm/1e6)
	s := make([]float32, int(math.Round(span.Seconds()*clock)))
	for sec := 0.5; sec < span.Seconds(); sec++ {
		at := sec * clock
		for i := int(at) - 20; i <= int(at)+20; i++ {
			if d := (float64(i) - at) / 4; i >= 0 && i < len(s) {
				s[i] += float32(0.5 * math.Exp(-d*d))
			}
		}
	}
	return s
}

// worstClick is how many frames the channel's worst click is from its place in the
// call.
func worstClick(t *testing.T, samples []int, channels, channel, rate int, span time.Duration) float64 {
	t.Helper()
	worst := 0.0
	for sec := 0.5; sec < span.Seconds(); sec++ {
		at := int(sec * float64(rate))
		peak, weight, sum := 0, 0.0, 0.0
		for i := max(at-rate/3, 0); i < min(at+rate/3, len(samples)/channels); i++ {
			v := samples[i*channels+channel]
			peak = max(peak, v)
			if v > 1000 {
				weight, sum = weight+float64(v), sum+float64(v)*float64(i)
			}
		}
		require.Greater(t, peak, 10000, "the click at %v s", sec)
		worst = max(worst, math.Abs(sum/weight-sec*float64(rate)))
	}
	return worst
}

// driftSpec is a call of that length whose customer joins late.
func driftSpec(span, late time.Duration) record.Spec {
	spec := sampleSpec()
	spec.EndedAt = spec.StartedAt.Add(span)
	spec.Span, spec.LegsSpanCall = span, true
	spec.Legs[1].Segments[0].Offset = late
	spec.Outputs = []record.OutputSpec{
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono},
		{Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 16000},
	}
	return spec
}

// Ten minutes (four hours, when SWITCHTAPE_LONG_TESTS is set) of two clocks
// that run 500 ppm apart from the call's, either way, are aligned to a frame.
func TestDriftIsCorrected(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	const late = 4 * time.Second
	span := 10 * time.Minute
	if os.Getenv("SWITCHTAPE_LONG_TESTS") != "" {
		span = 4 * time.Hour
	}
	spec := driftSpec(span, late)
	legs := memLegs{
		"agent.wav":    pcmFile(t, 8000, clicks(8000, span, 500)),
		"customer.wav": pcmFile(t, 8000, clicks(8000, span-late, -500)),
	}
	r, out := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompletedDegraded, r.Status)
	require.Len(t, r.Defects, 2)
	for i, ppm := range []string{"+500.0 ppm", "-500.0 ppm"} {
		require.Equal(t, record.DefectDriftCorrected, r.Defects[i].Code)
		require.Equal(t, spec.Legs[i].Name, r.Defects[i].Leg)
		require.Contains(t, r.Defects[i].Detail, ppm)
	}
	for i, o := range r.Outputs {
		require.Equal(t, audio.FramesIn(spec.Span, o.Rate), o.Frames)
		samples := pcmSamples(out[o.Name])
		if o.Channels == 1 {
			require.Less(t, worstClick(t, samples, 1, 0, o.Rate, span), 1.0, "output %d", i)
			continue
		}
		require.Less(t, worstClick(t, samples, 2, 0, o.Rate, span), 1.0, "output %d, agent", i)
		require.Less(t, worstClick(t, samples[2*int(late.Seconds())*o.Rate:], 2, 1, o.Rate, span-late), 1.0, "output %d, customer", i)
	}
}

// The bounds between a drift, a gap, and differences too small to be reported or to
// change a sample.
func TestDriftBounds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	const span = 60 * time.Second
	good := pcmFile(t, 8000, clicks(8000, span, 0))
	for _, c := range []struct {
		name string
		ppm  float64
		want record.DefectCode
		edit func(*record.Spec)
	}{
		{name: "exact"},
		{name: "40 ppm", ppm: 40},
		{name: "-45 ppm", ppm: -45},
		{name: "60 ppm", ppm: 60, want: record.DefectDriftCorrected},
		{name: "-60 ppm", ppm: -60, want: record.DefectDriftCorrected},
		{name: "1,990 ppm", ppm: 1990, want: record.DefectDriftCorrected},
		{name: "-1,990 ppm", ppm: -1990, want: record.DefectDriftCorrected},
		{name: "-2,010 ppm", ppm: -2010, want: record.DefectGapSuspected},
		{name: "2,010 ppm: too long", ppm: 2010, want: record.DefectBeyondSpan},
		{name: "2,010 ppm: cut", ppm: 2010, want: record.DefectBeyondSpan, edit: func(s *record.Spec) { s.CutToSpan = true }},
		{name: "half", ppm: -500000, want: record.DefectWrongRateSuspected},
		{name: "most is missing", ppm: -900000, want: record.DefectGapSuspected},
		{name: "not said that it spans the call", ppm: -300, edit: func(s *record.Spec) { s.LegsSpanCall = false }},
		{name: "no span", ppm: -300, edit: func(s *record.Spec) { s.Span = 0 }},
		{name: "several segments", ppm: -300, edit: func(s *record.Spec) {
			s.Legs[1].Segments = append(s.Legs[1].Segments, record.SegmentSpec{URI: "short.wav", Offset: ms(59990)})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := driftSpec(span, 0)
			if c.edit != nil {
				c.edit(&spec)
			}
			file := clicks(8000, span, c.ppm)
			legs := memLegs{
				"agent.wav": good, "customer.wav": pcmFile(t, 8000, file),
				"short.wav": pcmFile(t, 8000, make([]float32, 10)),
			}
			r, out := process(t, legs, spec, nil)
			if c.want != "" {
				require.Len(t, r.Defects, 1)
				require.Equal(t, c.want, r.Defects[0].Code)
				require.Equal(t, "customer", r.Defects[0].Leg)
			} else {
				require.Empty(t, r.Defects)
			}
			if c.want == record.DefectDriftCorrected {
				return
			}
			want, got := pcmSamples(legs["customer.wav"]), pcmSamples(out["stereo"])
			for i, x := range want[:min(len(want), len(got)/2)] {
				require.Equal(t, x, got[2*i+1], "frame %d", i)
			}
		})
	}
}

// In a short call a millisecond is rounding and a packet is no gap.
func TestDriftOfShortCalls(t *testing.T) {
	t.Parallel()
	for frames, want := range map[int]record.DefectCode{
		16000 - 7: "", 16000 + 7: "", 16000 - 8: record.DefectDriftCorrected, 16000 - 159: "", 16000 - 160: record.DefectGapSuspected,
	} {
		spec := driftSpec(2*time.Second, 0)
		legs := memLegs{
			"agent.wav":    pcmFile(t, 8000, make([]float32, 16000)),
			"customer.wav": pcmFile(t, 8000, make([]float32, frames)),
		}
		r, _ := process(t, legs, spec, nil)
		var got record.DefectCode
		if len(r.Defects) > 0 {
			got = r.Defects[0].Code
		}
		require.Equal(t, want, got, "%d frames", frames)
	}
}

// Redactions are call time: they hold in a leg whose clock drifts, and the
// bytes don't depend on what they hide or on the block size.
func TestRedactionOfADriftingLeg(t *testing.T) {
	t.Parallel()
	for _, ppm := range []float64{-1900, 1900} {
		const span = 30 * time.Second
		spec := driftSpec(span, 0)
		spec.Redactions = []record.Redaction{{From: ms(20000), To: ms(22000)}, {From: ms(29000), To: ms(30000)}}
		n := int(math.Round(span.Seconds() * 8000 * (1 + ppm/1e6)))
		a := recordingtest.Noise(n, 0.4, 1)
		b := slices.Clone(a)
		for i, x := range recordingtest.Noise(n, 0.9, 2) {
			at := ms(float64(i) / float64(n) * 30000)
			for _, r := range spec.Redactions {
				if at >= r.From && at < r.To {
					b[i] = x
				}
			}
		}
		agent := pcmFile(t, 8000, recordingtest.Noise(30*8000, 0.4, 3))
		r, want := process(t, memLegs{"agent.wav": agent, "customer.wav": pcmFile(t, 8000, a)}, spec, nil)
		require.True(t, strings.Contains(r.Defects[0].Detail, "1900") && len(r.Defects) == 1, r.Defects)
		_, got := process(t, memLegs{"agent.wav": agent, "customer.wav": pcmFile(t, 8000, b)}, spec, &recording.Options{BlockFrames: 999})
		for name := range want {
			require.True(t, bytes.Equal(want[name], got[name]), name)
		}
	}
}
