package recording_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// lying is a file whose header states another rate than its samples have.
func lying(t *testing.T, says int, samples []float32) []byte {
	t.Helper()
	return pcmFile(t, says, samples)
}

// Whatever the header says, a leg is read at the rate that the spec gives.
func TestTrueRateIsGiven(t *testing.T) {
	t.Parallel()
	tone := recordingtest.Sine(16000*3, 16000, 440, 0.5, 0)
	spec := sampleSpec()
	spec.Legs = spec.Legs[:1]
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}
	_, want := process(t, memLegs{"agent.wav": pcmFile(t, 16000, tone)}, spec, nil)
	spec.Legs[0].Segments[0].SampleRateHz = 16000
	r, got := process(t, memLegs{"agent.wav": lying(t, 44100, tone)}, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Equal(t, 16000, r.Legs[0].Rate)
	require.Equal(t, int64(3000), r.Duration.Milliseconds())
	require.Equal(t, want[""], got[""])
	spec.Legs[0].Segments[0].Raw = &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}
	r, got = process(t, memLegs{"agent.wav": lying(t, 44100, tone)[44:]}, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Equal(t, want[""], got[""])
}

// A header that states half or double the rate is suspected, or overruled if
// the spec wants that; then the clock is judged at the true rate.
func TestWrongRateIsCorrected(t *testing.T) {
	t.Parallel()
	const span = 60 * time.Second
	for _, c := range []struct {
		name    string
		says    int
		ppm     float64
		correct bool
		want    []record.DefectCode
	}{
		{"half, left", 8000, 0, false, []record.DefectCode{record.DefectWrongRateSuspected, record.DefectBeyondSpan}},
		{"half", 8000, 0, true, []record.DefectCode{record.DefectWrongRateCorrected}},
		{"double", 32000, 0, true, []record.DefectCode{record.DefectWrongRateCorrected}},
		{"half, and it drifts", 8000, 700, true, []record.DefectCode{record.DefectWrongRateCorrected, record.DefectDriftCorrected}},
		{"double, and it drifts", 32000, -700, true, []record.DefectCode{record.DefectWrongRateCorrected, record.DefectDriftCorrected}},
		{"half, and audio is missing", 8000, -5000, true, []record.DefectCode{record.DefectWrongRateCorrected, record.DefectGapSuspected}},
		{"right", 16000, 0, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.Span, spec.LegsSpanCall = span, true
			spec.Legs = spec.Legs[:1]
			spec.Legs[0].CorrectRate = c.correct
			spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000}}
			r, out := process(t, memLegs{"agent.wav": lying(t, c.says, clicks(16000, span, c.ppm))}, spec, nil)
			var codes []record.DefectCode
			for _, d := range r.Defects {
				codes = append(codes, d.Code)
				require.Equal(t, "agent", d.Leg)
			}
			require.Equal(t, c.want, codes, "%+v", r.Defects)
			if !c.correct {
				require.Equal(t, c.says, r.Legs[0].Rate)
				return
			}
			require.Equal(t, 16000, r.Legs[0].Rate)
			if len(c.want) > 0 {
				require.Regexp(t, `says (8000|32000) Hz; it was read at 16000 Hz`, r.Defects[0].Detail)
			}
			if c.ppm > -1000 {
				require.InDelta(t, c.ppm, r.Legs[0].DriftPPM, 0.5)
				require.Less(t, worstClick(t, pcmSamples(out[""]), 1, 0, 16000, span), 1.0)
			}
		})
	}
}

// A segment that states no span is read like those of its leg that do, if they
// agree and its header says the same.
func TestWrongRateOfALegOfManySegments(t *testing.T) {
	t.Parallel()
	file := lying(t, 8000, clicks(16000, 10*time.Second, 0))
	for name, c := range map[string]struct {
		spans []time.Duration
		rates int // how many segments are read at 16 kHz
	}{
		"all known":   {[]time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second}, 3},
		"one unknown": {[]time.Duration{10 * time.Second, 0, 10 * time.Second}, 3},
		"no two agree": {[]time.Duration{
			10 * time.Second, 0, 20 * time.Second,
		}, 1},
		"none known": {[]time.Duration{0, 0, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.Legs = []record.LegSpec{{Name: "agent", CorrectRate: true}}
			for i, span := range c.spans {
				spec.Legs[0].Segments = append(spec.Legs[0].Segments, record.SegmentSpec{
					URI: "a.wav", Offset: time.Duration(i) * ms(20000), Span: span,
				})
			}
			r, _ := process(t, memLegs{"a.wav": file}, spec, nil)
			require.Len(t, r.Defects, c.rates)
			for _, d := range r.Defects {
				require.Equal(t, record.DefectWrongRateCorrected, d.Code)
			}
		})
	}
}
