package wav_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func encoders() map[string]struct {
	make      codec.NewEncoder
	options   codec.Options
	tolerance float64
} {
	type row = struct {
		make      codec.NewEncoder
		options   codec.Options
		tolerance float64
	}
	return map[string]row{
		"PCM of 16 bits": {wav.NewPCM, codec.Options{}, 0.5 / 32768},
		"PCM of 24 bits": {wav.NewPCM, codec.Options{BitDepth: 24}, 0.5 / (1 << 23)},
		"µ-law":          {wav.NewMulaw, codec.Options{}, 516.0 / 32768},
		"A-law":          {wav.NewAlaw, codec.Options{}, 528.0 / 32768},
	}
}

// What is written is read again, by our reader and by ffmpeg, for every format,
// block size, odd lengths and channel counts, with the sizes known and unknown.
func TestWriteAndReadAgain(t *testing.T) {
	t.Parallel()
	for name, e := range encoders() {
		for _, channels := range []int{1, 2, 3} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %d channels, known %v", name, channels, known), func(t *testing.T) {
					t.Parallel()
					const frames = 12345
					samples := recordingtest.Noise(frames*channels, 0.98, 3)
					o := e.options
					o.Frames = codec.FramesUnknown
					if known {
						o.Frames = frames
					}
					file := encode(t, e.make, o, channels, samples)
					s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
					require.NoError(t, err)
					got := recordingtest.ReadAll(t, s)
					require.True(t, recordingtest.Near(samples, got[:len(samples)], e.tolerance))
					if known {
						require.Len(t, got, len(samples))
						require.Empty(t, codec.LaterDefects(s))
						require.Equal(t, len(file)-8, int(binary.LittleEndian.Uint32(file[4:])), "RIFF size")
						theirs, err := recordingtest.FFmpegSamples(t, file)
						require.NoError(t, err)
						require.True(t, recordingtest.Near(got, theirs, 1e-7))
					}
				})
			}
		}
	}
}

func encode(t testing.TB, newEncoder codec.NewEncoder, o codec.Options, channels int, samples []float32) []byte {
	t.Helper()
	var file bytes.Buffer
	e, err := newEncoder(&file, &goaudio.Format{NumChannels: channels, SampleRate: 8000}, o)
	require.NoError(t, err)
	for i := 1; len(samples) > 0; i++ {
		n := min(len(samples), i*37%3000*channels)
		require.NoError(t, e.WriteFrames(samples[:n]))
		samples = samples[n:]
	}
	require.NoError(t, e.Finish())
	require.NoError(t, e.Finish(), "finishing again is a no-op")
	require.ErrorIs(t, e.WriteFrames(nil), codec.ErrFinished)
	return file.Bytes()
}

func TestUnsupportedNamesTheNearest(t *testing.T) {
	t.Parallel()
	cases := []struct {
		newEncoder codec.NewEncoder
		f          goaudio.Format
		o          codec.Options
		want       string
	}{
		{wav.NewPCM, goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{BitDepth: 20}, "16 or 24"},
		{wav.NewPCM, goaudio.Format{NumChannels: 0, SampleRate: 8000}, codec.Options{}, "1 to 256"},
		{wav.NewMulaw, goaudio.Format{NumChannels: 1}, codec.Options{}, "100 to 768000 Hz"},
		{wav.NewAlaw, goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{BitrateBps: 64000}, "bitrate"},
		{wav.NewAlaw, goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{BitDepth: 16}, "8"},
		{wav.NewPCM, goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: -2}, "frames"},
	}
	for _, c := range cases {
		_, err := c.newEncoder(io.Discard, &c.f, c.o)
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u)
		require.ErrorContains(t, err, c.want)
	}
}

// A recording of more than 4 GiB gets an RF64 header with its 64-bit sizes.
func TestRF64Header(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	const frames = 3 << 30
	_, err := wav.NewPCM(&file, recordingtest.Mono(8000), codec.Options{Frames: frames})
	require.NoError(t, err)
	h := file.Bytes()
	require.Equal(t, "RF64", string(h[:4]))
	require.Equal(t, uint64(len(h)-8+2*frames), binary.LittleEndian.Uint64(h[20:]))
	require.Equal(t, uint64(2*frames), binary.LittleEndian.Uint64(h[28:]))
	s, _, err := wav.Decode(io.MultiReader(&file, zeros(1000)), codec.Hint{Size: int64(len(h)) + 2*frames})
	require.NoError(t, err)
	n, _ := s.(interface{ Frames() int64 })
	require.Equal(t, int64(frames), n.Frames())
}

func zeros(n int) io.Reader { return bytes.NewReader(make([]byte, n)) }

func Example() {
	var file bytes.Buffer
	enc, err := wav.NewMulaw(&file, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = enc.WriteFrames([]float32{0, 0.25, -0.25})
	if err := enc.Finish(); err != nil {
		fmt.Println(err)
		return
	}
	src, _, err := wav.Decode(&file, codec.Hint{Size: codec.SizeUnknown})
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]float32, 160)
	n, _ := src.ReadFrames(block)
	fmt.Printf("%d frames at %d Hz: %.3f\n", n, src.Format().SampleRate, block[:n])
	// Output: 3 frames at 8000 Hz: [0.000 0.254 -0.254]
}
