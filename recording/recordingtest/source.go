package recordingtest

import (
	"errors"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
)

// poison marks the values that a Source must not touch.
var poison = math.Float32frombits(0x7FC0BEEF)

// SourceContract tests a Source against the contract of [audio.Source]. open makes
// a new one each time, always of the same samples, shorter than 2^22 frames. A
// stream that fails must fail each time with the same text at the same frame.
//
// It reads the stream with blocks of many sizes, odd ones too, and requires:
//
//   - the same samples each time;
//   - n within the block, and no short block before the last;
//   - values beyond n frames untouched;
//   - 0, nil only for a block below one frame;
//   - the same error again after the end;
//   - a total, if the Source knows it, that is true.
func SourceContract(t *testing.T, open func() audio.Source) {
	t.Helper()
	want, wantErr := readAll(t, open(), 4096)
	for _, frames := range []int{1, 2, 3, 7, 61, 160, 1021, 4095, 1 << 15} {
		got, err := readAll(t, open(), frames)
		require.Equal(t, wantErr.Error(), err.Error(), "the stream's end, by blocks of %d frames", frames)
		equalSamples(t, want, got, frames)
	}
	s := open()
	got, err := readMixed(t, s)
	require.Equal(t, wantErr.Error(), err.Error(), "the stream's end, by blocks of mixed sizes")
	equalSamples(t, want, got, 0)
	if n, ok := audio.FramesOf(open()); ok && errors.Is(wantErr, io.EOF) {
		require.Equal(t, int64(len(want)/s.Format().NumChannels), n, "Frames of a Source that has read nothing")
	}
	if n, ok := audio.FramesOf(s); ok && errors.Is(wantErr, io.EOF) {
		require.Equal(t, int64(len(want)/s.Format().NumChannels), n, "Frames of a Source that is at its end")
	}
}

// TestSource is SourceContract by the name that stages' tests know it by.
func TestSource(t *testing.T, open func() audio.Source) {
	t.Helper()
	SourceContract(t, open)
}

// ReadAll reads s to its end and returns its samples. Any error but the end's
// fails the test.
func ReadAll(t testing.TB, s audio.Source) []float32 {
	t.Helper()
	var out []float32
	block := make([]float32, 4096*s.Format().NumChannels)
	for {
		n, err := s.ReadFrames(block)
		out = append(out, block[:n*s.Format().NumChannels]...)
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
	}
}

func equalSamples(t *testing.T, want, got []float32, frames int) {
	t.Helper()
	require.Len(t, got, len(want), "samples by blocks of %d frames (0: mixed)", frames)
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			require.Failf(t, "block sizes change the samples",
				"sample %d is %v by blocks of 4096 frames and %v by blocks of %d (0: mixed)", i, want[i], got[i], frames)
		}
	}
}

func readAll(t *testing.T, s audio.Source, frames int) ([]float32, error) {
	t.Helper()
	f := *s.Format()
	require.Positive(t, f.NumChannels, "channels")
	require.Positive(t, f.SampleRate, "sample rate")
	none(t, s, f.NumChannels)
	var out []float32
	short := false
	for {
		block, err := readBlock(t, s, frames*f.NumChannels)
		if err != nil {
			none(t, s, f.NumChannels)
			for range 3 {
				n, again := s.ReadFrames(make([]float32, 4*f.NumChannels))
				require.Zero(t, n, "frames after the end")
				require.Equal(t, err, again, "the error is not sticky")
			}
			require.Equal(t, f, *s.Format(), "the format has changed")
			return out, err
		}
		if short {
			require.Fail(t, "a block follows one that was shorter than asked for")
		}
		short = len(block) < frames*f.NumChannels
		out = append(out, block...)
		if len(out)/f.NumChannels >= 1<<22 {
			require.Fail(t, "the stream is too long to test")
		}
	}
}

// readMixed reads with blocks whose sizes change, and that hold a part of a
// frame more than a whole number of them.
func readMixed(t *testing.T, s audio.Source) ([]float32, error) {
	t.Helper()
	ch := s.Format().NumChannels
	var out []float32
	for i := 1; ; i++ {
		size := (i*i*37%1500 + 1) * ch
		block, err := readBlock(t, s, size+i%ch)
		if err != nil {
			return out, err
		}
		out = append(out, block...)
	}
}

func readBlock(t *testing.T, s audio.Source, samples int) ([]float32, error) {
	t.Helper()
	ch := s.Format().NumChannels
	const guard = 16
	buf := make([]float32, samples+guard)
	for i := range buf {
		buf[i] = poison
	}
	n, err := s.ReadFrames(buf[:samples])
	switch { // plainly, as there may be a million blocks
	case err != nil && n != 0:
		require.Failf(t, "frames together with an error", "%d frames with %v", n, err)
	case err == nil && n <= 0:
		require.Failf(t, "neither frames nor an error", "%d frames", n)
	case n*ch > samples:
		require.Failf(t, "more frames than fit", "%d frames of %d channels in %d values", n, ch, samples)
	}
	for i, x := range buf[n*ch:] {
		if math.Float32bits(x) != math.Float32bits(poison) {
			require.Failf(t, "a value beyond the frames was touched", "value %d after %d frames is %v", i, n, x)
		}
	}
	return buf[:n*ch], err
}

// none reads into blocks that hold no frame: before the end it must give 0, nil.
func none(t *testing.T, s audio.Source, channels int) {
	t.Helper()
	n, _ := s.ReadFrames(nil)
	require.Zero(t, n, "frames in a nil block")
	n, _ = s.ReadFrames(make([]float32, channels-1))
	require.Zero(t, n, "frames in a block below one frame")
}
