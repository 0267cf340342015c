package audio_test

import (
	"math"
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

var someRanges = []audio.Redaction{
	{FromFrame: 3000, ToFrame: 3005, Tone: true},
	{FromFrame: -100, ToFrame: 70},
	{FromFrame: 100, ToFrame: 1100, Tone: true},
	{FromFrame: 1050, ToFrame: 1200},
	{FromFrame: 2000, ToFrame: 2100},
	{FromFrame: 2110, ToFrame: 2111},
	{FromFrame: 2112, ToFrame: 2400},
	{FromFrame: 4990, ToFrame: math.MaxInt64},
	{FromFrame: 50, ToFrame: 50},
}

func TestRedactKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func() audio.Source{
		"mono":    func() audio.Source { return audio.Redact(source(8000, 1, 5000, 1), someRanges) },
		"stereo":  func() audio.Source { return audio.Redact(source(44101, 2, 5000, 1), someRanges) },
		"failing": func() audio.Source { return audio.Redact(broken(8000, 1, 3003), someRanges) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recordingtest.TestSource(t, open)
		})
	}
	s := source(8000, 1, 10, 1)
	require.Same(t, s, audio.Redact(s, []audio.Redaction{{FromFrame: 5, ToFrame: 5}, {FromFrame: -9, ToFrame: 0}}))
}

func TestRedactDoesNotAllocate(t *testing.T) {
	ranges := make([]audio.Redaction, 0, 5000)
	for i := range int64(5000) {
		ranges = append(ranges, audio.Redaction{FromFrame: 200 * i, ToFrame: 200*i + 100, Tone: i%2 == 0})
	}
	s := audio.Redact(source(8000, 1, 1<<20, 1), ranges)
	block := make([]float32, 2048)
	require.Zero(t, testing.AllocsPerRun(50, func() {
		_, err := s.ReadFrames(block)
		require.NoError(t, err)
	}))
}

// What is in a range has no influence on what comes out, and further than 5 ms
// from one nothing changes.
func TestRedactLetsNothingThrough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const frames, fade = 3000, 40
		a, b := recordingtest.Noise(frames, 0.9, 1), recordingtest.Noise(frames, 0.9, 2)
		var ranges []audio.Redaction
		secret, near := make([]bool, frames), make([]bool, frames)
		for range rapid.IntRange(1, 6).Draw(t, "ranges") {
			from := rapid.Int64Range(-200, frames+200).Draw(t, "from")
			to := from + rapid.Int64Range(0, 700).Draw(t, "length")
			ranges = append(ranges, audio.Redaction{FromFrame: from, ToFrame: to, Tone: rapid.Bool().Draw(t, "tone")})
			for f := max(from-fade, 0); to > from && f < min(to+fade, frames); f++ {
				near[f] = true
				secret[f] = secret[f] || f >= from && f < to
			}
		}
		for i, x := range a {
			if !secret[i] {
				b[i] = x
			}
		}
		mono := recordingtest.Mono(8000)
		first, _ := readBlocks(audio.Redact(audio.NewSource(mono, a), ranges), frames)
		second, _ := readBlocks(audio.Redact(audio.NewSource(mono, b), ranges), 1+rapid.IntRange(0, 300).Draw(t, "block"))
		require.True(t, slices.Equal(first, second), "%+v", ranges)
		for i, x := range a {
			switch {
			case !near[i]:
				require.Equal(t, x, first[i], "frame %d", i) //nolint:testifylint // exact
			case !secret[i]:
				require.LessOrEqual(t, math.Abs(float64(first[i])), math.Abs(float64(x)), "frame %d", i)
			}
		}
	})
}

func readBlocks(s audio.Source, block int) ([]float32, error) {
	var out []float32
	for {
		b := make([]float32, block)
		n, err := s.ReadFrames(b)
		out = append(out, b[:n]...)
		if err != nil {
			return out, err
		}
	}
}

func TestRedactFadesAndTone(t *testing.T) {
	t.Parallel()
	ones := slices.Repeat([]float32{1}, 16000)
	got := recordingtest.ReadAll(t, audio.Redact(audio.NewSource(recordingtest.Mono(8000), ones), []audio.Redaction{
		{FromFrame: 4000, ToFrame: 6000}, {FromFrame: 8000, ToFrame: 12000, Tone: true},
	}))
	require.Equal(t, ones[:3960], got[:3960])
	require.Equal(t, ones[:500], got[6040:6540])
	require.Equal(t, make([]float32, 2000), got[4000:6000])
	require.Less(t, got[3999], float32(0.002))
	require.Less(t, got[6000], float32(0.002))
	for i := 3961; i < 4000; i++ {
		require.Less(t, got[i], got[i-1])
		require.Equal(t, got[i], got[9999-i], "the fades mirror each other") //nolint:testifylint // exact
	}
	tone := got[8040:11960]
	require.Greater(t, recordingtest.SNR(recordingtest.Sine(len(tone), 8000, 1000, 0.1, 0), tone), 120.0)
	require.Less(t, math.Abs(float64(got[8001])), 0.001)
	var power float64
	for _, x := range tone {
		power += float64(x) * float64(x)
	}
	require.InDelta(t, -20, 10*math.Log10(2*power/float64(len(tone))), 0.01, "dBFS")

	low := audio.Redact(audio.NewSource(&goaudio.Format{NumChannels: 1, SampleRate: 2000}, ones[:2000]), []audio.Redaction{{ToFrame: 2000, Tone: true}})
	require.Greater(t, recordingtest.SNR(recordingtest.Sine(1900, 2000, 500, 0.1, math.Pi), recordingtest.ReadAll(t, low)[50:1950]), 100.0)
}
