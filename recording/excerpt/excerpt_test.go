package excerpt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/excerpt"
)

const rate = 8000

// encoded is an output of these interleaved samples.
func encoded(t *testing.T, c record.Codec, channels, depth int, samples []float32) ([]byte, *record.OutputResult) {
	t.Helper()
	var out bytes.Buffer
	frames := int64(len(samples) / channels)
	e, err := recording.BuiltinCodecs().NewEncoder(c, &out, &goaudio.Format{NumChannels: channels, SampleRate: rate}, codec.Options{Frames: frames, BitDepth: depth})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	o := &record.OutputResult{Codec: c, Channels: channels, Rate: rate, Frames: frames, Bytes: int64(out.Len()), Bitrate: 32000}
	if c == record.CodecWAV {
		o.Bitrate = depth * channels * rate
	}
	return out.Bytes(), o
}

func decoded(t *testing.T, b []byte) []float32 {
	t.Helper()
	src, _, err := recording.BuiltinCodecs().Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
	require.NoError(t, err)
	var all []float32
	block := make([]float32, 1000*src.Format().NumChannels)
	for {
		n, err := audio.ReadFull(src, block)
		all = append(all, block[:n*src.Format().NumChannels]...)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
	}
}

func cut(t *testing.T, b []byte, o *record.OutputResult, from, to time.Duration) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := excerpt.Cut(t.Context(), recording.BuiltinCodecs(), bytes.NewReader(b), int64(len(b)), o, from, to, &out)
	require.NoError(t, err)
	require.Positive(t, n)
	return out.Bytes()
}

// TestLossless: of formats that lose nothing, and of G.711, every sample of the part stays
// as it is, and no other is there.
func TestLossless(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		codec           record.Codec
		channels, depth int
	}{
		{record.CodecWAV, 1, 16},
		{record.CodecWAV, 2, 24},
		{record.CodecFLAC, 1, 16},
		{record.CodecFLAC, 2, 24},
		{record.CodecMulaw, 1, 0},
		{record.CodecAlaw, 2, 0},
	} {
		t.Run(fmt.Sprint(c.codec, c.channels, c.depth), func(t *testing.T) {
			t.Parallel()
			samples := make([]float32, 5*rate*c.channels)
			for i := range samples {
				samples[i] = r.Float32() - 0.5
			}
			b, o := encoded(t, c.codec, c.channels, c.depth, samples)
			whole := decoded(t, b)
			for _, part := range [][2]time.Duration{{0, time.Second}, {1234567 * time.Microsecond, 3 * time.Second}, {4 * time.Second, 0}, {time.Second, 5 * time.Second}} {
				first, end := audio.FramesIn(part[0], rate), audio.FramesIn(part[1], rate)
				if part[1] == 0 {
					end = o.Frames
				}
				part := cut(t, b, o, part[0], part[1])
				require.Equal(t, whole[first*int64(c.channels):end*int64(c.channels)], decoded(t, part))
			}
			first, again := cut(t, b, o, 0, time.Second), cut(t, b, o, 0, time.Second)
			require.Equal(t, first, again, "the same bytes")
		})
	}
}

// TestMP3: what lies outside of the part isn't in the excerpt, neither as audio nor as bytes
// of frames.
func TestMP3(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	samples := make([]float32, 6*rate)
	for i := range samples {
		if at := i / rate; at < 2 || at >= 4 { // loud but for the two seconds in the middle
			samples[i] = 1.4 * (r.Float32() - 0.5)
		}
	}
	b, o := encoded(t, record.CodecMP3, 1, 0, samples)
	part := cut(t, b, o, 2100*time.Millisecond, 3900*time.Millisecond)
	heard := decoded(t, part)
	require.Len(t, heard, 18*rate/10, "not a frame more")
	var power float64
	for _, s := range heard {
		power += float64(s) * float64(s)
	}
	require.Less(t, math.Sqrt(power/float64(len(heard))), 0.002)
	loud := decoded(t, cut(t, b, o, 4500*time.Millisecond, 5*time.Second))
	var peak float64
	for _, s := range loud {
		peak = max(peak, math.Abs(float64(s)))
	}
	require.Greater(t, peak, 0.5)
	const run, loudFrom, loudTo = 64, 1000, 7000 // of the first two seconds, at 4000 bytes each
	for i := loudFrom; i < loudTo; i += run {
		require.False(t, bytes.Contains(part, b[i:i+run]), "bytes of the output at %d", i)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	codecs := recording.BuiltinCodecs()
	o := &record.OutputResult{Codec: record.CodecWAV, Channels: 1, Rate: rate, Frames: 10 * rate}
	for _, part := range [][2]time.Duration{{0, 0}, {0, 10 * time.Second}, {9 * time.Second, 10500 * time.Millisecond}} {
		require.NoError(t, excerpt.Check(codecs, o, part[0], part[1]))
	}
	for _, part := range [][2]time.Duration{{-1, 0}, {10 * time.Second, 0}, {2 * time.Second, time.Second}, {time.Second, time.Second}, {0, time.Minute}} {
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(excerpt.Check(codecs, o, part[0], part[1])), "%v", part)
	}
	for _, c := range []record.Codec{record.CodecOpus, record.CodecPeaksJSON} {
		require.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(excerpt.Check(codecs, &record.OutputResult{Codec: c, Rate: rate, Frames: rate}, 0, 0)))
	}
}

// TestShort: an output that has fewer frames than was noted, or none, gives no excerpt.
func TestShort(t *testing.T) {
	t.Parallel()
	b, o := encoded(t, record.CodecWAV, 1, 16, make([]float32, rate))
	o.Frames = 5 * rate
	_, err := excerpt.Cut(t.Context(), recording.BuiltinCodecs(), bytes.NewReader(b), int64(len(b)), o, 0, 2*time.Second, io.Discard)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = excerpt.Cut(ctx, recording.BuiltinCodecs(), bytes.NewReader(b), int64(len(b)), o, 0, time.Second/2, io.Discard)
	require.ErrorIs(t, err, context.Canceled)
}
