//go:build opus && cgo

package opus_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/ogg"
	"github.com/switchtape/switchtape/recording/codec/opus"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func encode(t require.TestingT, samples []float32, channels, rate int, o codec.Options, m *opus.EncoderOptions) []byte {
	var b bytes.Buffer
	e, err := opus.NewEncoder(&b, &goaudio.Format{NumChannels: channels, SampleRate: rate}, o, m)
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	return b.Bytes()
}

// speech is the sample call, by channel another part of it, with a tone of the
// channel's own.
func speech(t testing.TB, frames, channels int) []float32 {
	t.Helper()
	s, _, err := wav.Decode(bytes.NewReader(samplecall.Agent()), codec.Hint{Size: codec.SizeUnknown})
	require.NoError(t, err)
	all := recordingtest.ReadAll(t, s)
	out := make([]float32, frames*channels)
	for i := range out {
		n, ch := i/channels, i%channels
		out[i] = all[(16000+n+ch*24000)%len(all)] + 0.05*float32(math.Sin(float64(n)*(0.3+0.02*float64(ch))))
	}
	return out
}

// head is what a stream's first packet says.
func head(t testing.TB, file []byte) (preSkip int, family byte, info ogg.StreamInfo) {
	t.Helper()
	first := true
	info, err := ogg.Walk(bytes.NewReader(file), func(p ogg.Packet) error {
		if first {
			require.Equal(t, "OpusHead\x01", string(p.Data[:9]))
			preSkip, family = int(binary.LittleEndian.Uint16(p.Data[10:])), p.Data[18]
			first = false
		}
		return nil
	})
	require.NoError(t, err)
	return preSkip, family, info
}

func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, stderr.String())
	return out
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// correlation is that of two signals, at no delay.
func correlation(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, x := range a {
		y := float64(b[i])
		ab += float64(x) * y
		aa += float64(x) * float64(x)
		bb += y * y
	}
	return ab / math.Sqrt(aa*bb)
}

// For every rate and number of channels: the exact length by ffmpeg, ffprobe and
// opusdec, no complaint of opusinfo's, each channel in its place and in time.
func TestPlayersPlayWhatWasWritten(t *testing.T) {
	t.Parallel()
	ffmpeg, ffprobe := recordingtest.Tool(t, "ffmpeg", "ffmpeg"), recordingtest.Tool(t, "ffprobe", "ffmpeg")
	opusdec, opusinfo := recordingtest.Tool(t, "opusdec", "opus-tools"), recordingtest.Tool(t, "opusinfo", "opus-tools")
	for _, rate := range opus.SampleRates() {
		for _, channels := range []int{1, 2, 3, 8, opus.MaxChannels} {
			t.Run(fmt.Sprintf("%d Hz, %d channels", rate, channels), func(t *testing.T) {
				t.Parallel()
				frames := 3*rate + 137
				samples := speech(t, frames, channels)
				file := encode(t, samples, channels, rate, codec.Options{Frames: int64(frames), BitrateBps: 64000 * channels},
					&opus.EncoderOptions{Application: opus.Audio, Complexity: 5})
				path := filepath.Join(t.TempDir(), "x.opus")
				require.NoError(t, os.WriteFile(path, file, 0o600))
				preSkip, family, info := head(t, file)
				require.Equal(t, map[bool]byte{true: 0, false: 255}[channels <= 2], family)
				require.Equal(t, int64(preSkip+frames*48000/rate), info.Granule)

				got := strings.TrimSpace(string(run(t, ffprobe, "-v", "error", "-show_entries", "stream=duration_ts",
					"-of", "csv=p=0", path)))
				ticks, err := strconv.ParseInt(got, 10, 64)
				require.NoError(t, err)
				require.Equal(t, int64(preSkip+frames*48000/rate), ticks, "ffprobe counts the pre-skip")

				decoded := floats(run(t, ffmpeg, "-v", "error", "-i", path, "-f", "f32le", "-"))
				require.Len(t, decoded, frames*48000/rate*channels)
				step := 48000 / rate
				for ch := range channels {
					ours, theirs := make([]float32, frames), make([]float32, frames)
					for i := range frames {
						ours[i], theirs[i] = samples[i*channels+ch], decoded[i*step*channels+ch]
					}
					require.Greater(t, correlation(ours, theirs), 0.95, "channel %d", ch)
				}
				if channels <= 2 { // opusdec doesn't know mapping family 255
					theirs := run(t, opusdec, "--quiet", "--rate", "48000", "--float", path, "-")
					require.Len(t, theirs, 4*len(decoded))
				}
				report := string(run(t, opusinfo, path))
				require.NotContains(t, report, "WARNING")
				require.Contains(t, report, "Total data length")
			})
		}
	}
}

// The shortest recordings have their exact length too.
func TestShortStreams(t *testing.T) {
	t.Parallel()
	ffmpeg, opusdec := recordingtest.Tool(t, "ffmpeg", "ffmpeg"), recordingtest.Tool(t, "opusdec", "opus-tools")
	for _, rate := range opus.SampleRates() {
		for _, frames := range []int{0, 1, 2, rate/50 - 1, rate / 50, rate/50 + 1, rate, rate + 1} {
			file := encode(t, speech(t, frames, 1), 1, rate, codec.Options{Frames: int64(frames)}, nil)
			preSkip, _, info := head(t, file)
			require.Equal(t, int64(preSkip+frames*48000/rate), info.Granule)
			path := filepath.Join(t.TempDir(), "x.opus")
			require.NoError(t, os.WriteFile(path, file, 0o600))
			out := run(t, opusdec, "--quiet", "--rate", "48000", "--no-dither", path, "-")
			require.Len(t, out, 2*frames*48000/rate, "%d frames at %d Hz, by opusdec", frames, rate)
			if frames >= rate/50-1 { // ffmpeg plays the whole of a shorter stream's one packet
				out = run(t, ffmpeg, "-v", "error", "-i", path, "-f", "f32le", "-")
				require.Len(t, out, 4*frames*48000/rate, "%d frames at %d Hz, by ffmpeg", frames, rate)
			}
		}
	}
}

// Speech is close to the original, and the closer the more bits it may take.
func TestQuality(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	const frames, rate = 8 * 16000, 16000
	samples := speech(t, frames, 1)
	last := 0.0
	for _, bitrate := range []int{16000, 32000, 96000} {
		file := encode(t, samples, 1, rate, codec.Options{Frames: frames, BitrateBps: bitrate}, &opus.EncoderOptions{Application: opus.Audio})
		path := filepath.Join(t.TempDir(), "x.opus")
		require.NoError(t, os.WriteFile(path, file, 0o600))
		decoded := floats(run(t, ffmpeg, "-v", "error", "-i", path, "-f", "f32le", "-"))
		every := make([]float32, frames)
		for i := range every {
			every[i] = decoded[3*i]
		}
		snr := recordingtest.SNR(samples, every)
		measured := float64(8*len(file)) * rate / frames
		t.Logf("%d bit/s: SNR %.1f dB, %.0f bit/s in the file", bitrate, snr, measured)
		require.Greater(t, snr, last)
		require.Less(t, measured, 1.1*float64(bitrate))
		last = snr
	}
	require.Greater(t, last, 18.0)
}

// A silent leg stays silent beside one that speaks.
func TestIndependentLegs(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	const frames, rate = 4 * 8000, 8000
	samples := speech(t, frames, 2)
	for i := 1; i < len(samples); i += 2 {
		samples[i] = 0
	}
	leak := func(independent bool) float64 {
		file := encode(t, samples, 2, rate, codec.Options{Frames: frames}, &opus.EncoderOptions{Independent: independent})
		path := filepath.Join(t.TempDir(), "x.opus")
		require.NoError(t, os.WriteFile(path, file, 0o600))
		_, family, _ := head(t, file)
		require.Equal(t, independent, family == 1)
		decoded := floats(run(t, ffmpeg, "-v", "error", "-i", path, "-f", "f32le", "-"))
		var left, right float64
		for i := 0; i < len(decoded); i += 2 {
			left += float64(decoded[i]) * float64(decoded[i])
			right += float64(decoded[i+1]) * float64(decoded[i+1])
		}
		return 10 * math.Log10(right/left)
	}
	coupled, own := leak(false), leak(true)
	t.Logf("leak from one leg to the other: %.1f dB coupled, %.1f dB independent", coupled, own)
	require.Less(t, own, -70.0)
	require.Less(t, coupled, -50.0)
}

func TestTags(t *testing.T) {
	t.Parallel()
	ffprobe := recordingtest.Tool(t, "ffprobe", "ffmpeg")
	o := codec.Options{Frames: 800, Tags: []codec.Tag{{Key: "call_id", Value: "c-1"}, {Key: "title", Value: "Grüße = \xFF"}}}
	file := encode(t, make([]float32, 800), 1, 8000, o, nil)
	require.Contains(t, string(file), opus.Version())
	path := filepath.Join(t.TempDir(), "x.opus")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	tags := string(run(t, ffprobe, "-v", "error", "-show_entries", "stream_tags", "-of", "default=nw=1", path))
	require.Contains(t, tags, "TAG:CALL_ID=c-1")
	require.Contains(t, tags, "TAG:TITLE=Grüße = \uFFFD")

	other := o
	other.Tags = o.Tags[:1]
	serial := func(b []byte) []byte { return b[14:18] }
	require.NotEqual(t, serial(file), serial(encode(t, make([]float32, 800), 1, 8000, other, nil)))
	require.Equal(t, file, encode(t, make([]float32, 800), 1, 8000, o, nil))
}

func TestUnsupportedNamesTheNearest(t *testing.T) {
	t.Parallel()
	f := func(channels, rate int) *goaudio.Format {
		return &goaudio.Format{NumChannels: channels, SampleRate: rate}
	}
	for _, c := range []struct {
		f    *goaudio.Format
		o    codec.Options
		m    opus.EncoderOptions
		want string
	}{
		{f(1, 44100), codec.Options{}, opus.EncoderOptions{}, "24000 or 48000 Hz"},
		{f(0, 8000), codec.Options{}, opus.EncoderOptions{}, "1 to 32"},
		{f(33, 8000), codec.Options{}, opus.EncoderOptions{}, "1 to 32"},
		{f(1, 8000), codec.Options{BitrateBps: 5999}, opus.EncoderOptions{}, "6000 to 256000 bit/s"},
		{f(2, 8000), codec.Options{BitrateBps: 512001}, opus.EncoderOptions{}, "12000 to 512000 bit/s"},
		{f(1, 8000), codec.Options{BitDepth: 16}, opus.EncoderOptions{}, "no bit depth"},
		{f(1, 8000), codec.Options{Frames: -2}, opus.EncoderOptions{}, "FramesUnknown"},
		{f(1, 8000), codec.Options{Tags: []codec.Tag{{Key: "a=b"}}}, opus.EncoderOptions{}, "tag"},
		{f(1, 8000), codec.Options{}, opus.EncoderOptions{Complexity: 11}, "1 to 10"},
		{f(1, 8000), codec.Options{}, opus.EncoderOptions{Application: 2}, "Speech or Audio"},
		{nil, codec.Options{}, opus.EncoderOptions{}, "format"},
	} {
		_, err := opus.NewEncoder(io.Discard, c.f, c.o, &c.m)
		var u *codec.UnsupportedError
		require.ErrorAs(t, err, &u)
		require.ErrorContains(t, err, c.want)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		channels, rate int
		m              opus.EncoderOptions
	}{
		{1, 8000, opus.EncoderOptions{}},
		{2, 16000, opus.EncoderOptions{CBR: true}},
		{2, 48000, opus.EncoderOptions{Independent: true}},
		{5, 24000, opus.EncoderOptions{Complexity: 3}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			recordingtest.EncoderContract(t, encoding(c.channels, c.rate, c.m))
		})
	}
}

func encoding(channels, rate int, m opus.EncoderOptions) recordingtest.Encoding {
	return recordingtest.Encoding{
		New: func(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
			e, err := opus.NewEncoder(w, f, o, &m)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
		Format: goaudio.Format{NumChannels: channels, SampleRate: rate},
	}
}

func TestNoAllocations(t *testing.T) {
	for _, channels := range []int{1, 2, 5} {
		recordingtest.EncoderAllocations(t, encoding(channels, 8000, opus.EncoderOptions{}))
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, complexity := range []int{1, 5, 10} {
		b.Run(fmt.Sprintf("8 kHz mono, complexity %d", complexity), func(b *testing.B) {
			samples := speech(b, 80000, 1)
			b.ReportAllocs()
			for b.Loop() {
				e, err := opus.NewEncoder(io.Discard, recordingtest.Mono(8000), codec.Options{Frames: 80000}, &opus.EncoderOptions{Complexity: complexity})
				require.NoError(b, err)
				require.NoError(b, e.WriteFrames(samples))
				require.NoError(b, e.Finish())
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
		})
	}
}
