package audio_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestStretchKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() audio.Source{
		"longer": func() audio.Source {
			return must(audio.Resample(source(8000, 1, 5001, 1), must(audio.NewStretchFilter(8000, 8000, 5001, 5009))))
		},
		"shorter, stereo, another rate": func() audio.Source {
			return must(audio.Resample(source(8000, 2, 5000, 1), must(audio.NewStretchFilter(8000, 16000, 5000, 9983))))
		},
		"small ratio": func() audio.Source {
			return must(audio.Resample(source(8000, 1, 5000, 1), must(audio.NewStretchFilter(8000, 8000, 1000, 1001))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recordingtest.TestSource(t, open)
		})
	}
}

// A stretched sine is the sine at the stretched frequency, over the whole of
// it, and its length is exact.
func TestStretchedSine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, out   int
		ppm       float64
		hz, clean float64
	}{
		{8000, 8000, 500, 1000, 95},
		{8000, 8000, -2000, 3400, 95},
		{16000, 8000, 73, 2500, 95},
		{8000, 48000, -1234, 3000, 95},
		{44100, 8000, 50, 440, 95},
	} {
		const seconds = 20
		n := int64(math.Round(float64(seconds*c.in) * (1 + c.ppm/1e6)))
		f := must(audio.NewStretchFilter(c.in, c.out, n, int64(seconds*c.out)))
		require.Equal(t, int64(seconds*c.out), f.OutFrames(n))
		clock := float64(n) / float64(seconds*c.in)
		file := recordingtest.Sine(int(n), c.in, c.hz/clock, 0.5, 0)
		got := recordingtest.ReadAll(t, must(audio.Resample(audio.NewSource(recordingtest.Mono(c.in), file), f)))
		require.Len(t, got, seconds*c.out)
		want := recordingtest.Sine(len(got), c.out, c.hz, 0.5, 0)
		edge := c.out / 10
		require.Greater(t, recordingtest.SNR(want[edge:len(want)-edge], got[edge:len(got)-edge]), c.clean, "%+v", c)
	}
}

func TestStretchLimits(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]int64{
		{8000, 8000, 0, 10},
		{8000, 8000, 10, 0},
		{8000, 8000, 1000, 1011},
		{8000, 8000, 1000, 989},
		{8000, 8000, 1<<40 + 1, 1 << 40},
		{8000, 16000, 1000, 1000},
		{0, 8000, 10, 10},
		{8000, 0, 10, 10},
	} {
		_, err := audio.NewStretchFilter(int(c[0]), int(c[1]), c[2], c[3])
		require.Error(t, err, "%v", c)
	}
	f := must(audio.NewStretchFilter(48000, 48000, 1<<40-3, 1<<40)) // seven days at 1.8 MHz
	require.Equal(t, int64(1<<40), f.OutFrames(1<<40-3))
	require.Zero(t, f.OutFrames(0))
	s := source(8000, 1, 10, 1)
	require.Same(t, s, must(audio.Resample(s, must(audio.NewStretchFilter(8000, 8000, 1000, 1000)))))
	f = must(audio.NewStretchFilter(44100, 8000, 44100, 8000))
	for n := range int64(3000) {
		require.Equal(t, audio.ResampledFrames(n, 44100, 8000), f.OutFrames(n))
	}
}

// A filter that shares another's table is the one that would be made for the
// ratio, and knows its own length.
func TestStretchedSharesTheTable(t *testing.T) {
	t.Parallel()
	file := recordingtest.Noise(9000, 0.5, 1)
	play := func(f *audio.ResampleFilter) []float32 {
		return recordingtest.ReadAll(t, must(audio.Resample(audio.NewSource(recordingtest.Mono(8000), file), f)))
	}
	for _, out := range []int{8000, 16000} {
		first := must(audio.NewStretchFilter(8000, out, 1_000_003, int64(out)*125))
		before := play(first)
		for _, c := range []struct{ in, out int64 }{{1_000_500, int64(out) * 125}, {999_001, int64(out) * 125}, {1000, int64(out) / 8}} {
			got := play(must(first.Stretched(c.in, c.out)))
			require.Equal(t, play(must(audio.NewStretchFilter(8000, out, c.in, c.out))), got, "%+v", c)
			require.EqualValues(t, len(got), audio.StretchedFrames(9000, c.in, c.out))
		}
		require.Equal(t, before, play(first), "the first is as it was")
		_, err := first.Stretched(1000, int64(out)/8*2)
		require.ErrorContains(t, err, "more than 1 %")
	}
}

// Clicks every minute of four hours, by a clock that is 500 ppm off, are where
// they were in the call: to 5 ms at the end, which a frame of 1 ms is within.
func TestFourHoursOfDrift(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	const rate, seconds = 1000, 4 * 3600
	for _, ppm := range []float64{500, -500} {
		clock := rate * (1 + ppm/1e6)
		n := int64(math.Round(seconds * clock))
		file := make([]float32, n)
		for at := 30.0; at < seconds; at += 60 {
			file[int(math.Round(at*clock))] = 1
		}
		f := must(audio.NewStretchFilter(rate, rate, n, seconds*rate))
		got := recordingtest.ReadAll(t, must(audio.Resample(audio.NewSource(recordingtest.Mono(rate), file), f)))
		require.Len(t, got, seconds*rate)
		for at := 30; at < seconds; at += 60 {
			peak, where := float32(0), 0
			for i := at*rate - 500; i < at*rate+500; i++ {
				if got[i] > peak {
					peak, where = got[i], i
				}
			}
			require.Greater(t, peak, float32(0.5))
			require.InDelta(t, at*rate, where, 1, "the click at %d s, in ms", at)
		}
	}
}
