package recording_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// A leg's gain goes into every output, and not into the tone of a redaction;
// 0 dB changes no bit.
func TestGainOfALeg(t *testing.T) {
	t.Parallel()
	a, b := recordingtest.Sine(16000, 8000, 300, 0.1, 0), recordingtest.Sine(16000, 8000, 700, 0.2, 0)
	legs := memLegs{"agent.wav": pcmFile(t, 8000, a), "customer.wav": pcmFile(t, 8000, b)}
	spec := sampleSpec()
	spec.Legs[1].Segments[0].Offset = 0
	spec.Outputs = []record.OutputSpec{
		{Name: "stereo", Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono},
	}
	_, plain := process(t, legs, spec, nil)
	spec.Legs[0].GainDB, spec.Legs[1].GainDB = 12, -6
	spec.Redactions = []record.Redaction{{From: ms(1500), To: ms(2000), Legs: []string{"agent"}, With: record.RedactWithTone}}
	r, loud := process(t, legs, spec, nil)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.NotEqual(t, plain, loud)
	stereo, mono := pcmSamples(loud["stereo"]), pcmSamples(loud["mono"])
	tone := recordingtest.Sine(16000, 8000, 1000, 0.1, 0)
	for i := range a {
		left, right := 3.98107*float64(a[i]), 0.501187*float64(b[i])
		if i >= 12040 && i < 15960 {
			left = float64(tone[i])
		}
		if i < 11950 || i >= 12040 && i < 15960 {
			require.InDelta(t, 32768*left, stereo[2*i], 3, "frame %d", i) // the file's own rounding times four
			require.InDelta(t, 32768*right, stereo[2*i+1], 1.5, "frame %d", i)
			require.InDelta(t, 32768*(left+right), mono[i], 4, "frame %d", i)
		}
	}
	spec.Redactions, spec.Legs[0].GainDB, spec.Legs[1].GainDB = nil, 0, 0
	_, again := process(t, legs, spec, nil)
	require.Equal(t, plain, again)
}
