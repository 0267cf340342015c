package analysis_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func levels(t testing.TB, channels, rate int, samples []float32) []analysis.Levels {
	t.Helper()
	m, err := analysis.NewLevelMeter(format(channels, rate), nil)
	require.NoError(t, err)
	write(t, m, channels, 0, samples)
	return m.Result()
}

func TestLevelsOfTones(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 11025, 48000} {
		l := levels(t, 1, rate, recordingtest.Sine(10*rate, rate, 440, 0.5, 0))[0]
		assert.InDelta(t, -9.03, l.RMSDBFS, 0.01)
		assert.InDelta(t, -6.02, l.PeakDBFS, 0.02)
		assert.InDelta(t, -6.02, l.TruePeakDBTP, 0.1)
		assert.Zero(t, l.DCOffset)
		assert.Zero(t, l.ClippedRuns)
		assert.Zero(t, l.SilenceRatio)
	}
}

// BS.1770-4, Annex 2: a tone at a quarter of the rate, 45° off, peaks 3 dB above
// its samples. EBU Tech 3341, cases 15 to 19, allows +0.2/-0.4 dB.
func TestTruePeakBetweenSamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ perRate, phase, amplitude float64 }{
		{4, math.Pi / 4, 0.5}, {4, 0, 0.5}, {6, math.Pi / 3, 0.5}, {8, math.Pi / 8, 0.5}, {4, math.Pi / 4, 1.41},
	} {
		l := levels(t, 1, 8000, recordingtest.Sine(80000, 8000, 8000/c.perRate, c.amplitude, c.phase))[0]
		want := 20 * math.Log10(c.amplitude)
		assert.LessOrEqual(t, l.TruePeakDBTP, want+0.22, "%+v", c) // the filter of Annex 2 ripples by 0.2
		assert.GreaterOrEqual(t, l.TruePeakDBTP, want-0.4, "%+v", c)
	}
}

// The search of the true peak leaves out nothing: it equals the filter run over
// every sample.
func TestTruePeakEqualsTheWholeFilter(t *testing.T) {
	t.Parallel()
	r := newRand(6)
	for range 200 / slow {
		n := 1 + r.IntN(3000)
		x := recordingtest.Noise(n, 0.2+r.Float64(), r.Uint64())
		for i := range x {
			if r.IntN(5) > 0 {
				x[i] *= float32(r.Float64())
			}
		}
		assert.InDelta(t, truePeakOracle(x), levels(t, 1, 8000, x)[0].TruePeakDBTP, 0.011)
	}
}

func truePeakOracle(x []float32) float64 {
	half := [24]float64{
		0.0017089843750, -0.0291748046875, -0.0189208984375, -0.0083007812500, 0.0109863281250, 0.0292968750000,
		0.0330810546875, 0.0148925781250, -0.0196533203125, -0.0517578125000, -0.0582275390625, -0.0266113281250,
		0.0332031250000, 0.0891113281250, 0.1015625000000, 0.0476074218750, -0.0594482421875, -0.1665039062500,
		-0.2003173828125, -0.1022949218750, 0.1373291015625, 0.4650878906250, 0.7797851562500, 0.9721679687500,
	}
	peak := 0.0
	for n := range 4 * (len(x) + 12) {
		sum := 0.0
		for k := range 48 {
			if i := n - k; i >= 0 && i%4 == 0 && i/4 < len(x) {
				sum += half[min(k, 47-k)] * float64(x[i/4])
			}
		}
		peak = max(peak, math.Abs(sum))
	}
	for _, v := range x {
		peak = max(peak, math.Abs(float64(v)))
	}
	return 20 * math.Log10(peak)
}

func TestLevelsCountFaults(t *testing.T) {
	t.Parallel()
	x := make([]float32, 8000)
	set := func(at int, v ...float32) { copy(x[at:], v) }
	set(100, 1, 1)                    // a peak
	set(200, 1, 1, 1)                 // a run of 3
	set(798, 1, 1, 1, 1)              // of 4, over the end of a chunk
	set(1000, 1, 1, -1, -1)           // two of 2
	set(1200, -1, -1, -1, 1, 1, 1, 1) // of 3 and 4
	set(7997, -1, -1, -1)             // at the end
	l := levels(t, 1, 8000, x)[0]
	assert.EqualValues(t, 5, l.ClippedRuns)
	assert.EqualValues(t, 17, l.ClippedSamples)
	assert.InDelta(t, 0.92, l.DigitalSilenceRatio, 0.03)

	dc := make([]float32, 8000)
	fill(dc, 0.25)
	l = levels(t, 1, 8000, dc)[0]
	assert.InDelta(t, 0.25, l.DCOffset, 1e-6)
	assert.InDelta(t, -12.04, l.RMSDBFS, 0.01)
	assert.Equal(t, []float64{1, 1}, []float64{l.SilenceRatio, l.DigitalSilenceRatio})

	l = levels(t, 1, 8000, make([]float32, 8000))[0]
	floor := analysis.Levels{RMSDBFS: analysis.FloorDBFS, PeakDBFS: analysis.FloorDBFS, TruePeakDBTP: analysis.FloorDBFS}
	assert.Equal(t, floor, levels(t, 1, 8000, nil)[0])
	floor.SilenceRatio, floor.DigitalSilenceRatio = 1, 1
	assert.Equal(t, floor, l)
}
