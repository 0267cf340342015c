package analysis_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func loudness(t testing.TB, channels, rate int, samples []float32) analysis.LoudnessResult {
	t.Helper()
	m, err := analysis.NewLoudnessMeter(format(channels, rate))
	require.NoError(t, err)
	write(t, m, channels, 4096, samples)
	return m.Result()
}

// steps is a tone of 1 kHz at levels in dBFS, each for some seconds.
func steps(rate, channels int, hz float64, levels ...[2]float64) []float32 {
	var out []float32
	for _, l := range levels {
		frames := int(l[1] * float64(rate))
		tone := recordingtest.Sine(frames, rate, hz, pow10(l[0]/20), 0)
		for _, v := range tone {
			for range channels {
				out = append(out, v)
			}
		}
	}
	return out
}

// The vectors of EBU Tech 3341 (2016), table 1, cases 1 to 6, and of Tech 3342,
// cases 1 to 4: 48 kHz stereo tones of 1 kHz, ±0.1 LU and ±1 LU.
func TestLoudnessVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		levels [][2]float64
		want   float64
	}{
		{"3341-1", [][2]float64{{-23, 20}}, -23},
		{"3341-2", [][2]float64{{-33, 20}}, -33},
		{"3341-3", [][2]float64{{-36, 10}, {-23, 60}, {-36, 10}}, -23},
		{"3341-4", [][2]float64{{-72, 10}, {-36, 10}, {-23, 60}, {-36, 10}, {-72, 10}}, -23},
		{"3341-5", [][2]float64{{-26, 20}, {-20, 20.1}, {-26, 20}}, -23},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := loudness(t, 2, 48000, steps(48000, 2, 1000, c.levels...))
			assert.InDelta(t, c.want, got.Programme.IntegratedLUFS, 0.1)
		})
	}
	for _, c := range []struct {
		name   string
		levels [][2]float64
		want   float64
	}{
		{"3342-1", [][2]float64{{-20, 20}, {-30, 20}}, 10},
		{"3342-2", [][2]float64{{-20, 20}, {-15, 20}}, 5},
		{"3342-3", [][2]float64{{-40, 20}, {-20, 20}}, 20},
		{"3342-4", [][2]float64{{-50, 20}, {-35, 20}, {-20, 20}, {-35, 20}, {-50, 20}}, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := loudness(t, 2, 48000, steps(48000, 2, 1000, c.levels...))
			assert.InDelta(t, c.want, got.Programme.RangeLU, 1)
		})
	}
}

// A tone of 997 Hz at full scale in one channel is -3.01 LUFS (BS.1770-4), by
// itself and in a mono recording; at other rates it is as near as the bilinear
// transform lets the shelf be.
func TestLoudnessOfReferenceTone(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000} {
		tone := recordingtest.Sine(5*rate, rate, 997, 1, 0)
		got := loudness(t, 1, rate, tone)
		tolerance := 0.01
		if rate != 48000 {
			tolerance = 0.3
		}
		assert.InDelta(t, -3.01, got.Programme.IntegratedLUFS, tolerance, "%d Hz", rate)
		assert.Equal(t, got.Programme, got.Channels[0])
		assert.InDelta(t, got.Programme.IntegratedLUFS, got.Programme.MaxMomentaryLUFS, 0.02)
		assert.InDelta(t, got.Programme.IntegratedLUFS, got.Programme.MaxShortTermLUFS, 0.02)
		assert.InDelta(t, 0, got.Programme.RangeLU, 0.02)
	}
}

func TestLoudnessOfNothing(t *testing.T) {
	t.Parallel()
	floor := analysis.Loudness{IntegratedLUFS: -70, MaxMomentaryLUFS: -70, MaxShortTermLUFS: -70}
	assert.Equal(t, floor, loudness(t, 1, 8000, nil).Programme)
	assert.Equal(t, floor, loudness(t, 1, 8000, make([]float32, 80000)).Programme)
	assert.Equal(t, floor, loudness(t, 1, 8000, recordingtest.Sine(3199, 8000, 1000, 1, 0)).Programme, "no whole block")
}

// Within 0.1 LU of ffmpeg's ebur128, which prints one digit.
func TestLoudnessEqualsFFmpeg(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	agent, call := pcm(t, samplecall.Agent()), sampleCall(t, samplecall.CustomerOffset)
	for _, c := range []struct {
		name           string
		channels, rate int
		samples        []float32
	}{
		{"agent", 1, 8000, agent},
		{"customer", 1, 8000, pcm(t, samplecall.Customer())},
		{"call", 2, 8000, call},
		{"call as if 16 kHz", 2, 16000, call},
		{"call as if 48 kHz", 2, 48000, slices.Concat(call, call)},
		{"call as if 11025 Hz", 2, 11025, call},
		{"tone 100 Hz", 1, 8000, steps(8000, 1, 100, [2]float64{-20, 10})},
		{"tone 3 kHz", 1, 8000, steps(8000, 1, 3000, [2]float64{-20, 10})},
		{"tone 44.1 kHz", 2, 44100, steps(44100, 2, 5000, [2]float64{-30, 10})},
		{"gating", 1, 8000, steps(8000, 1, 1000, [2]float64{-60, 10}, [2]float64{-20, 10}, [2]float64{-34, 30}, [2]float64{-80, 10})},
		{"range", 1, 16000, steps(16000, 1, 1000, [2]float64{-50, 15}, [2]float64{-35, 15}, [2]float64{-20, 15})},
		{"noise", 1, 8000, gaussian(r, 80000, -25)},
		{"quiet noise", 1, 8000, gaussian(r, 80000, -66)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := ffmpegLoudness(t, format(c.channels, c.rate), c.samples)
			got := loudness(t, c.channels, c.rate, c.samples).Programme
			assert.InDelta(t, want.integrated, got.IntegratedLUFS, 0.1)
			assert.InDelta(t, want.lra, got.RangeLU, 0.15) // of which 0.05 is the rounding of what ffmpeg prints
			assert.InDelta(t, want.momentary, got.MaxMomentaryLUFS, 0.1)
			assert.InDelta(t, want.shortTerm, got.MaxShortTermLUFS, 0.1)
		})
	}
}
