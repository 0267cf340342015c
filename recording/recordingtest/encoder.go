package recordingtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
)

// Encoding is an encoder in one of its settings, for [EncoderContract].
type Encoding struct {
	New    codec.NewEncoder
	Format goaudio.Format
	// Options are what New is given; Frames is set by the suite.
	Options codec.Options
}

const contractFrames = 7001

// encode encodes samples, cut into blocks of the sizes that block gives, in frames.
func (e *Encoding) encode(t *testing.T, w io.Writer, samples []float32, block func() int) {
	t.Helper()
	o := e.Options
	o.Frames = int64(len(samples) / e.Format.NumChannels)
	enc, err := e.New(w, &e.Format, o)
	require.NoError(t, err)
	for len(samples) > 0 {
		n := min(block()*e.Format.NumChannels, len(samples))
		require.NoError(t, enc.WriteFrames(samples[:n]))
		samples = samples[n:]
	}
	require.NoError(t, enc.Finish())
}

func (e *Encoding) bytes(t *testing.T, samples []float32) []byte {
	t.Helper()
	var b bytes.Buffer
	e.encode(t, &b, samples, func() int { return max(1, len(samples)) })
	return b.Bytes()
}

func (e *Encoding) start(t *testing.T, w io.Writer, frames int64) codec.Encoder {
	t.Helper()
	o := e.Options
	o.Frames = frames
	enc, err := e.New(w, &e.Format, o)
	require.NoError(t, err)
	return enc
}

func (e *Encoding) noise(frames int) []float32 { return Noise(frames*e.Format.NumChannels, 0.7, 11) }

// EncoderContract tests an encoder against the contract of [codec.Encoder] and
// [codec.NewEncoder]:
//
//   - it makes the same bytes each time, however the frames are cut into blocks and
//     while another encoder works beside it;
//   - it neither keeps nor changes the samples that it is given;
//   - it clips, and writes silence for NaN and Inf;
//   - it requires the announced number of frames;
//   - after an error it returns that error and writes nothing;
//   - after Finish it writes nothing, and the writer is open;
//   - it refuses impossible formats, and writes nothing then.
//
// [EncoderAllocations] tests its allocations.
func EncoderContract(t *testing.T, e Encoding) {
	t.Run("blocks", func(t *testing.T) { e.blocks(t) })
	t.Run("source", func(t *testing.T) { e.source(t) })
	t.Run("levels", func(t *testing.T) { e.levels(t) })
	t.Run("frame count", func(t *testing.T) { e.frameCount(t) })
	t.Run("end", func(t *testing.T) { e.end(t) })
	t.Run("writer errors", func(t *testing.T) { e.writerErrors(t) })
	t.Run("refusals", func(t *testing.T) { e.refusals(t) })
}

func (e *Encoding) blocks(t *testing.T) {
	for _, frames := range []int{0, 1, 2, 159, contractFrames} {
		samples := e.noise(frames)
		want := e.bytes(t, samples)
		r := rand.New(rand.NewPCG(1, uint64(frames)))
		for name, block := range map[string]func() int{
			"frames one by one": func() int { return 1 },
			"odd blocks":        func() int { return 37 },
			"any blocks":        func() int { return r.IntN(2000) }, // empty ones too
		} {
			var b bytes.Buffer
			e.encode(t, &b, samples, block)
			require.True(t, bytes.Equal(want, b.Bytes()), "%d frames by %s give other bytes", frames, name)
		}
	}
	// Two at a time.
	samples := e.noise(contractFrames)
	want := e.bytes(t, samples)
	var one, two bytes.Buffer
	first, second := e.start(t, &one, contractFrames), e.start(t, &two, contractFrames)
	for block := range slices.Chunk(samples, 100*e.Format.NumChannels) {
		require.NoError(t, first.WriteFrames(block))
		require.NoError(t, second.WriteFrames(block))
	}
	require.NoError(t, first.Finish())
	require.NoError(t, second.Finish())
	require.True(t, bytes.Equal(want, one.Bytes()) && bytes.Equal(want, two.Bytes()), "two encoders at a time disturb each other")
}

func (e *Encoding) source(t *testing.T) {
	samples := e.noise(contractFrames)
	want := e.bytes(t, samples)
	var b bytes.Buffer
	enc := e.start(t, &b, contractFrames)
	for block := range slices.Chunk(samples, 333*e.Format.NumChannels) {
		mine := slices.Clone(block)
		require.NoError(t, enc.WriteFrames(mine))
		require.Equal(t, block, mine, "the caller's samples were changed")
		for i := range mine {
			mine[i] = 0.99
		}
	}
	require.NoError(t, enc.Finish())
	require.True(t, bytes.Equal(want, b.Bytes()), "the encoder kept a reference to the caller's samples")
}

func (e *Encoding) levels(t *testing.T) {
	wild := e.noise(1000)
	tame := slices.Clone(wild)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	clips := int64(0)
	for i, v := range []struct{ in, out float32 }{
		{1.5, 1}, {-1.5, -1}, {nan, 0}, {inf, 0}, {-inf, 0}, {math.MaxFloat32, 1}, {-math.MaxFloat32, -1}, {-0.5, -0.5},
	} {
		wild[100+40*i], tame[100+40*i] = v.in, v.out
		if v.in == v.in && v.in != v.out && !math.IsInf(float64(v.in), 0) {
			clips++
		}
	}
	var b bytes.Buffer
	enc := e.start(t, &b, int64(len(wild)/e.Format.NumChannels))
	require.NoError(t, enc.WriteFrames(wild))
	require.NoError(t, enc.Finish())
	require.True(t, bytes.Equal(e.bytes(t, tame), b.Bytes()), "beyond ±1 isn't clipped, or NaN and Inf aren't silence")
	if c, ok := enc.(codec.ClipReporter); ok {
		require.Equal(t, clips, c.Clipped(), "samples clipped")
	}
}

func (e *Encoding) frameCount(t *testing.T) {
	ch := e.Format.NumChannels
	for _, written := range []int{0, 99, 101, 5000} {
		var b countingWriter
		enc := e.start(t, &b, 100)
		err := enc.WriteFrames(make([]float32, written*ch))
		if err != nil {
			require.ErrorIs(t, err, codec.ErrFrameCount)
			require.Greater(t, written, 100, "an error before there are too many")
		}
		require.ErrorIs(t, enc.Finish(), codec.ErrFrameCount, "%d frames written, 100 announced", written)
		e.dead(t, enc, &b, codec.ErrFrameCount)
	}
	enc, err := e.New(io.Discard, &e.Format, func() codec.Options { o := e.Options; o.Frames = codec.FramesUnknown; return o }())
	if err != nil {
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u, "FramesUnknown")
		return
	}
	require.NoError(t, enc.WriteFrames(make([]float32, 123*ch)))
	require.NoError(t, enc.Finish())
}

// dead requires that an encoder that failed returns its error and writes nothing.
func (e *Encoding) dead(t *testing.T, enc codec.Encoder, w *countingWriter, want error) {
	t.Helper()
	before := w.writes
	for range 2 {
		require.ErrorIs(t, enc.WriteFrames(make([]float32, 50*e.Format.NumChannels)), want, "the error of WriteFrames isn't sticky")
		require.ErrorIs(t, enc.Finish(), want, "the error of Finish isn't sticky")
	}
	require.Equal(t, before, w.writes, "written after an error")
}

func (e *Encoding) end(t *testing.T) {
	ch := e.Format.NumChannels
	var w countingWriter
	enc := e.start(t, &w, 200)
	require.NoError(t, enc.WriteFrames(make([]float32, 200*ch)))
	require.NoError(t, enc.WriteFrames(nil), "no frames are a whole number of them")
	require.NoError(t, enc.Finish())
	before := w.writes
	for range 2 {
		require.ErrorIs(t, enc.WriteFrames(make([]float32, ch)), codec.ErrFinished)
		require.ErrorIs(t, enc.WriteFrames(nil), codec.ErrFinished)
		require.NoError(t, enc.Finish(), "finishing again")
	}
	require.Equal(t, before, w.writes, "written after Finish")
	require.False(t, w.closed, "the writer was closed")
	if ch > 1 {
		enc = e.start(t, &w, 200)
		err := enc.WriteFrames(make([]float32, ch+1))
		require.Error(t, err, "a part of a frame")
		e.dead(t, enc, &w, err)
	}
}

func (e *Encoding) writerErrors(t *testing.T) {
	samples := e.noise(40000)
	total := len(e.bytes(t, samples))
	for _, left := range []int{0, 1, 43, 500, total / 3, total - 1} {
		w := &countingWriter{limited: true, left: left}
		o := e.Options
		o.Frames = 40000
		enc, err := e.New(w, &e.Format, o)
		if err != nil {
			require.ErrorIs(t, err, ErrBroken)
			require.Nil(t, enc, "an encoder together with an error")
			continue
		}
		for block := range slices.Chunk(samples, 1000*e.Format.NumChannels) {
			if err = enc.WriteFrames(block); err != nil {
				break
			}
		}
		if err == nil {
			err = enc.Finish()
		}
		require.ErrorIs(t, err, ErrBroken, "the writer takes %d of %d bytes", left, total)
		e.dead(t, enc, w, ErrBroken)
	}
}

func (e *Encoding) refusals(t *testing.T) {
	o := e.Options
	o.Frames = 100
	negative := o
	negative.Frames = -2
	for name, c := range map[string]struct {
		f *goaudio.Format
		o codec.Options
	}{
		"no format":      {nil, o},
		"0 channels":     {&goaudio.Format{SampleRate: e.Format.SampleRate}, o},
		"-1 channels":    {&goaudio.Format{NumChannels: -1, SampleRate: e.Format.SampleRate}, o},
		"70000 channels": {&goaudio.Format{NumChannels: 70000, SampleRate: e.Format.SampleRate}, o},
		"0 Hz":           {&goaudio.Format{NumChannels: e.Format.NumChannels}, o},
		"-8000 Hz":       {&goaudio.Format{NumChannels: e.Format.NumChannels, SampleRate: -8000}, o},
		"-2 frames":      {&e.Format, negative},
	} {
		var w countingWriter
		enc, err := e.New(&w, c.f, c.o)
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u, name)
		require.NotEmpty(t, u.Codec, name)
		require.Nil(t, enc, name)
		require.Zero(t, w.writes, "%s: written although refused", name)
	}
}

// EncoderAllocations requires that an encoder allocates nothing for a block,
// once it is warm. It can't be part of a parallel test.
func EncoderAllocations(t *testing.T, e Encoding) {
	t.Helper()
	enc := e.start(t, io.Discard, codec.FramesUnknown)
	block := e.noise(1 << 12)
	for range 4 {
		require.NoError(t, enc.WriteFrames(block))
	}
	var err error
	require.Zero(t, testing.AllocsPerRun(20, func() { err = errors.Join(err, enc.WriteFrames(block)) }), "allocations for a block")
	require.NoError(t, err)
}

// countingWriter counts writes, and fails with ErrBroken once it has taken left
// bytes, if it is limited.
type countingWriter struct {
	writes  int
	left    int
	limited bool
	closed  bool
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.writes++
	if w.limited {
		if len(b) > w.left {
			n := w.left
			w.left = 0
			return n, fmt.Errorf("a writer: %w", ErrBroken)
		}
		w.left -= len(b)
	}
	return len(b), nil
}

// Close implements io.Closer.
func (w *countingWriter) Close() error {
	w.closed = true
	return nil
}
