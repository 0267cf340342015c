package audio_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Random segments on random timelines equal a brute-force sum, whatever block
// sizes they are read with, and the overlap is counted to the frame.
func TestPlaceAgainstBruteForce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(0, 600).Draw(t, "total")
		want := make([]float32, total)
		cover := make([]int, total)
		var segments []audio.Segment
		for i := range rapid.IntRange(0, 8).Draw(t, "segments") {
			offset := rapid.Int64Range(-50, 700).Draw(t, "offset")
			samples := recordingtest.Noise(rapid.IntRange(0, 200).Draw(t, "frames"), 1, uint64(i))
			for j := range samples {
				samples[j] = float32(int(samples[j]*128)) / 128 // so that the order of sums doesn't matter
				if at := offset + int64(j); at >= 0 && at < total {
					want[at] += samples[j]
					cover[at]++
				}
			}
			segments = append(segments, audio.Segment{
				Source: audio.NewSource(recordingtest.Mono(8000), samples), OffsetFrames: offset,
			})
		}
		line := must(audio.Place(recordingtest.Mono(8000), total, segments))
		var got []float32
		for {
			block := make([]float32, rapid.IntRange(1, 300).Draw(t, "block"))
			n, err := line.ReadFrames(block)
			if err != nil {
				break
			}
			got = append(got, block[:n]...)
		}
		require.Len(t, got, len(want))
		overlap := int64(0)
		for i := range want {
			require.Equal(t, want[i], got[i], "frame %d", i) //nolint:testifylint // exact by construction
			if cover[i] > 1 {
				overlap++
			}
		}
		require.Equal(t, overlap, line.OverlapFrames())
	})
}

func TestMixAndMerge(t *testing.T) {
	t.Parallel()
	mono := recordingtest.Mono(8000)
	a, b := []float32{0.1, 0.2, 0.3}, []float32{0.5, -0.5}
	sum := recordingtest.ReadAll(t, must(audio.Mix(audio.NewSource(mono, a), audio.NewSource(mono, b))))
	require.InDeltaSlice(t, []float32{0.6, -0.3, 0.3}, sum, 1e-7)
	both := recordingtest.ReadAll(t, must(audio.Merge(audio.NewSource(mono, a), audio.NewSource(mono, b))))
	require.Equal(t, []float32{0.1, 0.5, 0.2, -0.5, 0.3, 0}, both)
	require.InDeltaSlice(t, []float32{0.3, -0.15, 0.15},
		recordingtest.ReadAll(t, audio.Downmix(must(audio.Merge(audio.NewSource(mono, a), audio.NewSource(mono, b))))), 1e-7)
}

func TestLimit(t *testing.T) {
	t.Parallel()
	mono := recordingtest.Mono(8000)
	quiet := recordingtest.Noise(8000, 0.999, 1)
	quiet[100] = -1
	idle := audio.Limit(audio.NewSource(mono, quiet))
	got := recordingtest.ReadAll(t, idle)
	require.Equal(t, quiet, got, "bit-exact while idle")
	require.Zero(t, idle.LimitedFrames())

	loud := append(recordingtest.Sine(8000, 8000, 300, 0.5, 0), recordingtest.Sine(8000, 8000, 300, 1.8, 0)...)
	loud = append(loud, recordingtest.Sine(16000, 8000, 300, 0.5, 0)...)
	l := audio.Limit(audio.NewSource(mono, loud))
	got = recordingtest.ReadAll(t, l)
	require.Len(t, got, len(loud))
	for i, x := range got {
		require.LessOrEqual(t, math.Abs(float64(x)), float64(audio.FullScale16)+1e-6, "frame %d", i)
	}
	require.Equal(t, loud[:7900], got[:7900], "nothing changes until 5 ms before the peak")
	require.Equal(t, loud[24000:], got[24000:], "the gain comes back")
	// Between, it is a smooth gain: no sample moves against its neighbours.
	require.Positive(t, l.LimitedFrames())
	require.Less(t, l.LimitedFrames(), int64(16000))
	for i := 8001; i < 16000; i++ {
		if math.Abs(float64(loud[i])) > 0.1 && math.Abs(float64(loud[i-1])) > 0.1 {
			gain, before := got[i]/loud[i], got[i-1]/loud[i-1]
			require.InDelta(t, before, gain, 0.03, "frame %d", i)
		}
	}
}

func TestClipCounter(t *testing.T) {
	t.Parallel()
	c := audio.NewClipCounter(1, audio.FullScale16)
	c.Count([]float32{1, 1, 0, 1, 1})
	require.Zero(t, c.Clipped())
	c.Count([]float32{-1, 1, 0, 0.5}) // the run goes on from the block before
	require.Equal(t, int64(4), c.Clipped())
	c.Count([]float32{1, 1})
	c.Skip()
	c.Count([]float32{1})
	require.Equal(t, int64(4), c.Clipped())
	c = audio.NewClipCounter(2, audio.FullScale16)
	c.Count([]float32{1, 0, 1, 1, 1, 0})
	require.Equal(t, int64(3), c.Clipped())
}
