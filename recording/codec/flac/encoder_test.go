package flac_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/mewkiz/flac/meta"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// Every signal, length, number of channels and depth, at all kinds of rates,
// comes back bit by bit from mewkiz/flac, the command flac, ffmpeg and our own
// decoder.
func TestMatrix(t *testing.T) {
	t.Parallel()
	rates := []int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000, 300, 12345, 99000, 655350, 1, 1048575}
	lengths := []int{0, 1, 2, 4, 15, 63, 193, 1024, 1025, 2049, 4095, 4096, 4097}
	if testing.Short() {
		lengths = []int{0, 1, 63, 4097}
	}
	var streams []stream
	sources := signals(t)
	i := 0
	for name, signal := range sources {
		for channels := 1; channels <= flac.MaxChannels; channels++ {
			for _, depth := range []int{16, 24} {
				for _, frames := range lengths {
					if channels > 2 && frames > 0 && frames < 4095 && (channels+frames)%3 != 0 {
						continue // the same code as for two channels
					}
					i++
					rate := rates[i*7%len(rates)]
					s := signal(frames, channels)
					file := encode(t, s, channels, rate, codec.Options{Frames: int64(frames), BitDepth: depth})
					streams = append(streams, stream{
						name: fmt.Sprintf("%s, %d frames, %d channels, %d bits, %d Hz", name, frames, channels, depth, rate),
						file: file, channels: channels, rate: rate, depth: depth, want: integers(s, depth),
					})
				}
			}
		}
	}
	t.Run("mewkiz", func(t *testing.T) {
		t.Parallel()
		for _, s := range streams {
			info, got := decodeMewkiz(t, s.file)
			equal(t, s.want, got, s.name)
			require.Equal(t, uint64(len(s.want)/s.channels), info.Info.NSamples, s.name)
			require.Equal(t, uint32(s.rate), info.Info.SampleRate, s.name)
		}
	})
	t.Run("flac", func(t *testing.T) {
		t.Parallel()
		checkWithFLAC(t, streams)
	})
	t.Run("ffmpeg", func(t *testing.T) {
		t.Parallel()
		var some []stream
		for _, s := range streams {
			if len(s.want) > 0 && s.rate >= 300 && s.rate <= 655350 { // what ffmpeg's muxers take
				some = append(some, s)
			}
		}
		checkWithFFmpeg(t, some)
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		for _, s := range streams {
			if len(s.want) == 0 || s.rate < 100 || s.rate > 768000 {
				continue
			}
			src, defects, err := flac.Decode(bytes.NewReader(s.file), codec.Hint{Size: int64(len(s.file))})
			require.NoError(t, err, s.name)
			require.Empty(t, defects)
			equal(t, s.want, integers(recordingtest.ReadAll(t, src), s.depth), s.name)
		}
	})
}

// The real call: bit by bit, and not larger than what flac -5 makes of it.
func TestRatio(t *testing.T) {
	t.Parallel()
	tool := recordingtest.Tool(t, "flac", "flac")
	for name, c := range map[string]struct {
		samples  []float32
		channels int
	}{
		"agent":    {leg(t, samplecall.Agent()), 1},
		"customer": {leg(t, samplecall.Customer()), 1},
		"both":     {call(t), 2},
	} {
		for _, depth := range []int{16, 24} {
			o := codec.Options{Frames: int64(len(c.samples) / c.channels), BitDepth: depth}
			file := encode(t, c.samples, c.channels, 8000, o)
			want := integers(c.samples, depth)
			_, got := decodeMewkiz(t, file)
			equal(t, want, got, name)
			checkWithFLAC(t, []stream{{name: name, file: file, depth: depth, want: want}})

			dir := t.TempDir()
			in, out := filepath.Join(dir, "ours.flac"), filepath.Join(dir, "theirs.flac")
			require.NoError(t, os.WriteFile(in, file, 0o600))
			// Without what only the command embeds.
			log, err := exec.CommandContext(t.Context(), tool, "-5", "--totally-silent", "--no-padding",
				"--no-seektable", "-o", out, in).CombinedOutput()
			require.NoError(t, err, "%s", log)
			theirs, err := os.Stat(out)
			require.NoError(t, err)
			ratio := float64(len(file)) / float64(theirs.Size())
			t.Logf("%s, %d bits: %d bytes, %.4f of flac -5", name, depth, len(file), ratio)
			require.LessOrEqual(t, ratio, 1.01, name)
		}
	}
}

// The same bytes on every machine: whoever changes them changes Version too.
func TestGolden(t *testing.T) {
	t.Parallel()
	samples := call(t)
	for i, want := range []string{
		"caec49ae51456f9cebacc696427d14f1e0eb2abeccd7a6e475778183bea9832c",
		"924c584ee9833f70da3b85d4e92c1d85bb0da39486e3626bf1c7874d2cdfbede",
	} {
		depth := 16 + 8*i
		for i := range samples { // use all bits of the deeper one
			samples[i] += float32(i%251-125) / (1 << 22) * float32(depth-16)
		}
		o := codec.Options{Frames: int64(len(samples) / 2), BitDepth: depth}
		sum := sha256.Sum256(encode(t, samples, 2, 8000, o))
		require.Equal(t, want, hex.EncodeToString(sum[:]), "%s, %d bits", flac.Version, depth)
	}
}

// Silence takes next to nothing: at most 13 bytes for each block.
func TestSilenceIsSmall(t *testing.T) {
	t.Parallel()
	file := encode(t, make([]float32, 8000*3600), 1, 8000, codec.Options{Frames: 8000 * 3600})
	require.Less(t, len(file), 13*8000*3600/block+100)
}

func TestUnknownLength(t *testing.T) {
	t.Parallel()
	samples := leg(t, samplecall.Agent())[:30000]
	file := encode(t, samples, 1, 8000, codec.Options{Frames: codec.FramesUnknown})
	info, got := decodeMewkiz(t, file)
	require.Zero(t, info.Info.NSamples)
	equal(t, integers(samples, 16), got, "mewkiz")
	checkWithFLAC(t, []stream{{name: "unknown length", file: file, depth: 16, want: integers(samples, 16)}})
}

func TestUnsupportedNamesTheNearest(t *testing.T) {
	t.Parallel()
	f := func(channels, rate int) *goaudio.Format {
		return &goaudio.Format{NumChannels: channels, SampleRate: rate}
	}
	for _, c := range []struct {
		f    *goaudio.Format
		o    codec.Options
		want string
	}{
		{f(1, 8000), codec.Options{BitDepth: 20}, "16 or 24"},
		{f(0, 8000), codec.Options{}, "1 to 8"},
		{f(9, 8000), codec.Options{}, "1 to 8"},
		{f(1, 0), codec.Options{}, "1 to 1048575 Hz"},
		{f(1, 1<<20), codec.Options{}, "1 to 1048575 Hz"},
		{f(1, 8000), codec.Options{BitrateBps: 64000}, "bitrate"},
		{f(1, 8000), codec.Options{Frames: -2}, "frames"},
		{f(1, 8000), codec.Options{Tags: []codec.Tag{{Key: "a=b"}}}, "tag"},
		{f(1, 8000), codec.Options{Tags: []codec.Tag{{Key: ""}}}, "tag"},
		{f(1, 8000), codec.Options{Tags: []codec.Tag{{Key: "k", Value: string(make([]byte, 1<<24))}}}, "size of the tags"},
		{nil, codec.Options{}, "format"},
	} {
		_, err := flac.New(io.Discard, c.f, c.o)
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u)
		require.ErrorContains(t, err, c.want)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	file := encode(t, make([]float32, 100), 1, 8000, codec.Options{Frames: 100, Tags: []codec.Tag{
		{Key: "call_id", Value: "c-1"}, {Key: "title", Value: "Grüße = \xFF"},
	}})
	s, _ := decodeMewkiz(t, file)
	require.Len(t, s.Blocks, 1)
	c, ok := s.Blocks[0].Body.(*meta.VorbisComment)
	require.True(t, ok)
	require.Equal(t, flac.Version, c.Vendor)
	require.Equal(t, [][2]string{{"CALL_ID", "c-1"}, {"TITLE", "Grüße = \uFFFD"}}, c.Tags)
	checkWithFLAC(t, []stream{{name: "tags", file: file, depth: 16, want: make([]int32, 100)}})
}

func TestClipsAndNonFinite(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	samples := []float32{1.5, 0.5, -1.5, nan, 0.1, inf, -inf, -1}
	for depth, want := range map[int][]int32{
		16: {32767, 16384, -32768, 0, 3277, 0, 0, -32768},
		24: {8388607, 4194304, -8388608, 0, 838861, 0, 0, -8388608},
	} {
		var b bytes.Buffer
		e, err := flac.New(&b, recordingtest.Mono(8000), codec.Options{Frames: 8, BitDepth: depth})
		require.NoError(t, err)
		require.NoError(t, e.WriteFrames(samples))
		require.NoError(t, e.Finish())
		c, ok := e.(codec.ClipReporter)
		require.True(t, ok)
		require.Equal(t, int64(2), c.Clipped())
		_, got := decodeMewkiz(t, b.Bytes())
		require.Equal(t, want, got)
	}
}
