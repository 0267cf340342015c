package audio_test

import (
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func ratios() [][2]int {
	return [][2]int{
		{8000, 16000},
		{16000, 8000},
		{44100, 8000},
		{11025, 8000},
		{8000, 11025},
		{48000, 8000},
		{8000, 48000},
		{22050, 16000},
		{44100, 48000},
		{44101, 8000},
		{8000, 44101},
		{192000, 8000},
	}
}

// tone is how one tone came through a resampler: its gain and everything else
// that came out, as amplitudes relative to the tone that went in. The middle is
// measured, away from the ends of the stream.
func tone(t *testing.T, in, out int, hz float64) (gain, rest float64) {
	t.Helper()
	seconds := 0.2
	y := recordingtest.ReadAll(t, resample(in, out, audio.NewSource(recordingtest.Mono(in),
		recordingtest.Sine(int(seconds*float64(in)), in, hz, 0.5, 0.3))))
	mid := y[len(y)/4 : len(y)*3/4]
	// Least squares of a sine and a cosine of the frequency: with the phase of
	// theory the cosine part would be a delay.
	var ss, sc, cc, ys, yc float64
	w := 2 * math.Pi * hz / float64(out)
	for i, v := range mid {
		ph := w*float64(i+len(y)/4) + 0.3
		s, c := math.Sin(ph), math.Cos(ph)
		ss, sc, cc = ss+s*s, sc+s*c, cc+c*c
		ys, yc = ys+float64(v)*s, yc+float64(v)*c
	}
	det := ss*cc - sc*sc
	if hz > float64(out)/2 || det < 1e-6 {
		var e float64
		for _, v := range mid {
			e += float64(v) * float64(v)
		}
		return 0, math.Sqrt(2*e/float64(len(mid))) / 0.5
	}
	a, b := (ys*cc-yc*sc)/det, (yc*ss-ys*sc)/det
	var e float64
	for i, v := range mid {
		ph := w*float64(i+len(y)/4) + 0.3
		d := float64(v) - a*math.Sin(ph) - b*math.Cos(ph)
		e += d * d
	}
	require.InDelta(t, 0, b/0.5, 1e-4, "%d to %d Hz: %.0f Hz is out of phase: there is a delay", in, out, hz)
	return a / 0.5, math.Sqrt(2*e/float64(len(mid))) / 0.5
}

// Swept tones against theory: up to 90 % of the lower Nyquist frequency the
// gain is within 0.1 dB, what else comes out is 100 dB below; from the output's
// Nyquist frequency on nothing comes out above -100 dB.
func TestResamplerBySweptTones(t *testing.T) {
	t.Parallel()
	for _, r := range ratios() {
		in, out := r[0], r[1]
		t.Run(fmt.Sprintf("%d to %d", in, out), func(t *testing.T) {
			t.Parallel()
			nyquist := float64(min(in, out)) / 2
			worstRipple, worstRest, worstStop := 0.0, 0.0, 0.0
			for _, x := range []float64{0.013, 0.1, 0.234, 0.4, 0.55, 0.7, 0.8, 0.85, 0.88, 0.9} {
				gain, rest := tone(t, in, out, x*nyquist)
				worstRipple = math.Max(worstRipple, math.Abs(20*math.Log10(gain)))
				worstRest = math.Max(worstRest, rest)
			}
			if in > out {
				for x := 1.0; x*nyquist < float64(in)/2; x = x*1.04 + 0.003 {
					_, rest := tone(t, in, out, x*nyquist+1)
					worstStop = math.Max(worstStop, rest)
				}
			}
			t.Logf("ripple %.6f dB, distortion %.1f dB, stop band %.1f dB",
				worstRipple, 20*math.Log10(worstRest), 20*math.Log10(worstStop+1e-12))
			require.Less(t, worstRipple, 0.1, "ripple in dB")
			require.Less(t, 20*math.Log10(worstRest), -100.0, "noise and distortion in dB")
			require.Less(t, 20*math.Log10(worstStop+1e-12), -100.0, "stop band in dB")
		})
	}
}

// The output is exactly as long as the rates say, whatever the length.
func TestResamplerLength(t *testing.T) {
	t.Parallel()
	for _, r := range ratios() {
		for _, frames := range []int{0, 1, 2, 3, 159, 160, 161, 1000, 4097} {
			y := recordingtest.ReadAll(t, resample(r[0], r[1], source(r[0], 1, frames, 1)))
			want := math.Floor(float64(frames)*float64(r[1])/float64(r[0]) + 0.5)
			require.Len(t, y, int(want), "%d frames from %d to %d Hz", frames, r[0], r[1])
		}
	}
	require.Equal(t, int64(86400)*48000, audio.ResampledFrames(86400*44100, 44100, 48000), "a day")
}

// A click stays where it is: the filter has no delay.
func TestResamplerAlignment(t *testing.T) {
	t.Parallel()
	click := make([]float32, 8000)
	click[4000] = 1
	y := recordingtest.ReadAll(t, resample(8000, 48000, audio.NewSource(recordingtest.Mono(8000), click)))
	best := 0
	for i, v := range y {
		if v > y[best] {
			best = i
		}
	}
	require.Equal(t, 24000, best)
}

// No pair of rates makes a filter, or a stream through it, that takes more than
// a few MiB.
func TestResamplerMemoryIsBounded(t *testing.T) {
	for _, r := range [][2]int{{44100, 8000}, {11025, 8000}, {44101, 8000}, {768000, 4001}, {101, 191999}, {100, 768000}, {768000, 3000}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := resample(r[0], r[1], source(r[0], 1, 10, 1))
		recordingtest.ReadAll(t, s)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "%d to %d Hz", r[0], r[1])
	}
}
