package recording_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// loudness measures channel ch of a 16 bit recording.
func loudness(t *testing.T, file []byte, rate, channels, ch int) float64 {
	t.Helper()
	m, err := analysis.NewLoudnessMeter(recordingtest.Mono(rate))
	require.NoError(t, err)
	samples := pcmSamples(file)
	var one []float32
	for i := ch; i < len(samples); i += channels {
		one = append(one, float32(samples[i])/32768)
	}
	require.NoError(t, m.WriteFrames(one))
	require.NoError(t, m.Finish())
	return m.Result().Programme.IntegratedLUFS
}

// Both parties come out as loud as was asked for, by a gain that doesn't change
// over the call; a quiet one by no more than may be.
func TestLevelling(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	_, plain := process(t, sampleLegs(), spec, nil)
	var was [2]float64
	for i := range was {
		was[i] = loudness(t, plain[""], 8000, 2, i)
	}
	for name, c := range map[string]struct {
		lufs, most float64
		gain       [2]float64 // of the spec
	}{
		"-23":          {lufs: -23},
		"-32":          {lufs: -32},
		"bounded":      {lufs: -14, most: 3},
		"after a gain": {lufs: -30, gain: [2]float64{-40, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sampleSpec()
			spec.LevelLUFS, spec.LevelMaxGainDB = c.lufs, c.most
			spec.Legs[0].GainDB, spec.Legs[1].GainDB = c.gain[0], c.gain[1]
			r, out := process(t, sampleLegs(), spec, nil)
			most := c.most
			if most == 0 {
				most = record.DefaultLevelMaxGainDB
			}
			for i, l := range r.Legs {
				want := min(c.lufs-was[i]-c.gain[i], most)
				require.InDelta(t, want, l.GainDB, 0.05, "leg %d", i)
				require.LessOrEqual(t, l.GainDB, most)
				near := 0.1
				if l.GainDB+c.gain[i] > 0 { // 16 bits clip a peak here and there
					near = 0.4
				}
				require.InDelta(t, was[i]+c.gain[i]+want, loudness(t, out[""], 8000, 2, i), near, "leg %d", i)
			}
			before, after := pcmSamples(plain[""]), pcmSamples(out[""])
			factor := math.Pow(10, (r.Legs[1].GainDB+c.gain[1])/20)
			for i := 1; i < len(before); i += 2 {
				require.InDelta(t, min(max(factor*float64(before[i]), -32768), 32767), after[i], 0.51, "frame %d", i/2)
			}
		})
	}
}

// A silent leg, or one that is all redacted by a tone, keeps its level. The mix's
// limiter keeps a levelled sum within bounds.
func TestLevellingOfSilence(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.LevelLUFS = -10
	spec.Legs = append(spec.Legs, record.LegSpec{Name: "muted", Segments: []record.SegmentSpec{{URI: "mute"}}})
	spec.Redactions = []record.Redaction{{From: 0, To: ms(60_000), With: record.RedactWithTone, Legs: []string{"customer"}}}
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}
	legs := sampleLegs()
	legs["mute"] = pcmFile(t, 8000, make([]float32, 80000))
	r, _ := process(t, legs, spec, nil)
	require.NotZero(t, r.Legs[0].GainDB)
	require.Zero(t, r.Legs[1].GainDB)
	require.Zero(t, r.Legs[2].GainDB)
	require.Equal(t, record.StatusCompleted, r.Status)
	for _, d := range r.Defects {
		require.NotEqual(t, record.DefectClipped, d.Code, "%+v", d)
	}
}

// Levelling and trimming take one more read of the legs together, and the bytes
// depend on neither blocks nor on what else is made.
func TestLevellingReadsTheLegsTwice(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.LevelLUFS, spec.Trim = -20, &record.TrimSpec{}
	spec.Outputs = []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "mono", Codec: record.CodecMulaw, Layout: record.LayoutMono, SampleRateHz: 11025},
	}
	legs := &countingLegs{memLegs: sampleLegs()}
	objects := &memObjects{}
	_, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	require.LessOrEqual(t, legs.bytes["agent.wav"], int64(2*len(samplecall.Agent())))
	require.LessOrEqual(t, legs.bytes["customer.wav"], int64(2*len(samplecall.Customer())))
	again := &memObjects{}
	_, err = recording.NewProcessor(sampleLegs(), again, &recording.Options{BlockFrames: 100}).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	for key, b := range objects.data {
		require.True(t, bytes.Equal(b, again.data[key]), key)
	}
}

// Legs below the lowest rate of the meter are levelled too.
func TestLevellingOfASlowLeg(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.LevelLUFS = -20
	spec.Legs = spec.Legs[:1]
	spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 8000}}
	r, out := process(t, memLegs{"agent.wav": pcmFile(t, 6000, recordingtest.Sine(60000, 6000, 500, 0.05, 0))}, spec, nil)
	require.Greater(t, r.Legs[0].GainDB, 5.0)
	require.InDelta(t, -20, loudness(t, out[""], 8000, 1, 0), 0.1)
}
