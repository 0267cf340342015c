package recordingtest

import (
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"
)

// Tap is what analysis.Tap is: something that frames are pushed into.
type Tap interface {
	WriteFrames(src []float32) error
	Finish() error
}

// TapContract tests a tap against the contract of analysis.Tap. open makes a new
// one of format f, and a function that gives its result.
//
// It requires:
//
//   - the same result however the frames are cut into blocks, and while another tap
//     works beside it;
//   - that the tap neither keeps nor changes the samples that it is given;
//   - that it takes any samples, NaN and Inf too;
//   - that it refuses a part of a frame, and everything after it;
//   - that after Finish it refuses frames, and the result stays.
func TapContract(t *testing.T, f goaudio.Format, open func() (Tap, func() any)) {
	const frames = 30011
	ch := f.NumChannels
	samples := Noise(frames*ch, 0.7, 5)
	run := func(t *testing.T, block func(i int) int) any {
		t.Helper()
		tap, result := open()
		for i, rest := 0, samples; len(rest) > 0; i++ {
			n := min(block(i)*ch, len(rest))
			require.NoError(t, tap.WriteFrames(rest[:n]))
			rest = rest[n:]
		}
		require.NoError(t, tap.Finish())
		return result()
	}
	want := run(t, func(int) int { return frames })
	t.Run("blocks", func(t *testing.T) {
		for name, block := range map[string]func(int) int{
			"frames one by one": func(int) int { return 1 },
			"blocks of 160":     func(int) int { return 160 },
			"any blocks":        func(i int) int { return i * i * 37 % 1500 },
		} {
			require.Equal(t, want, run(t, block), name)
		}
		one, first := open()
		two, second := open()
		for block := range slices.Chunk(samples, 441*ch) {
			mine := slices.Clone(block)
			require.NoError(t, one.WriteFrames(mine))
			require.Equal(t, block, mine, "the caller's samples were changed")
			clear(mine)
			require.NoError(t, two.WriteFrames(block))
		}
		require.NoError(t, one.Finish())
		require.NoError(t, two.Finish())
		require.Equal(t, want, first(), "a reference to the caller's samples was kept")
		require.Equal(t, want, second(), "two taps at a time disturb each other")
	})
	t.Run("end", func(t *testing.T) {
		tap, result := open()
		require.NoError(t, tap.WriteFrames(samples))
		require.NoError(t, tap.WriteFrames(nil))
		require.NoError(t, tap.Finish())
		for range 2 {
			require.Error(t, tap.WriteFrames(samples[:ch]), "frames after the end")
			require.NoError(t, tap.Finish(), "finishing again")
		}
		require.Equal(t, want, result(), "the result changes after the end")
		tap, result = open()
		require.NoError(t, tap.Finish(), "an end without a frame")
		_ = result()
		if ch > 1 {
			tap, _ = open()
			err := tap.WriteFrames(samples[:ch+1])
			require.Error(t, err, "a part of a frame")
			require.Equal(t, err, tap.WriteFrames(samples[:ch]), "the error isn't sticky")
			require.Equal(t, err, tap.Finish(), "the error isn't sticky")
		}
	})
	t.Run("samples", func(t *testing.T) {
		tap, result := open()
		wild := slices.Clone(samples[:3000*ch])
		for i := range 8 * ch {
			wild[100*i%len(wild)] = []float32{poison, 1e30, -1e30, 3, -3, 1, -1, 0}[i%8]
		}
		require.NoError(t, tap.WriteFrames(wild))
		require.NoError(t, tap.Finish())
		_ = result()
	})
}

// TapAllocations requires that a tap allocates nothing for a block, once it is
// warm. It can't be part of a parallel test.
func TapAllocations(t *testing.T, f goaudio.Format, open func() Tap) {
	t.Helper()
	tap := open()
	block := Noise(4096*f.NumChannels, 0.7, 5)
	for range 4 {
		require.NoError(t, tap.WriteFrames(block))
	}
	var err error
	require.Zero(t, testing.AllocsPerRun(20, func() {
		if e := tap.WriteFrames(block); e != nil {
			err = e
		}
	}), "allocations for a block")
	require.NoError(t, err)
}
