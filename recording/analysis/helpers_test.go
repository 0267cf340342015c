package analysis_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func format(channels, rate int) *goaudio.Format {
	return &goaudio.Format{NumChannels: channels, SampleRate: rate}
}

// write gives a tap samples by blocks of frames, of mixed sizes if 0, and ends it.
func write(t testing.TB, tap analysis.Tap, channels, frames int, samples []float32) {
	t.Helper()
	for i := 1; len(samples) > 0; i++ {
		n := frames
		if n == 0 {
			n = i*i*37%2500 + 1
		}
		n = min(n*channels, len(samples))
		require.NoError(t, tap.WriteFrames(samples[:n]))
		samples = samples[n:]
	}
	require.NoError(t, tap.Finish())
}

// pcm is the samples of a plain 16 bit WAV file.
func pcm(t testing.TB, file []byte) []float32 {
	t.Helper()
	at := bytes.Index(file, []byte("data"))
	require.Positive(t, at)
	size := int(binary.LittleEndian.Uint32(file[at+4:]))
	data := file[at+8 : min(at+8+size, len(file))]
	out := make([]float32, len(data)/2)
	audio.GetPCM16(out, data)
	return out
}

// merge interleaves legs that begin at offsets, to the end of the longest.
func merge(legs [][]float32, offsets ...int) []float32 {
	frames := 0
	for c, leg := range legs {
		frames = max(frames, offsets[c]+len(leg))
	}
	out := make([]float32, frames*len(legs))
	for c, leg := range legs {
		for i, v := range leg {
			out[(offsets[c]+i)*len(legs)+c] = v
		}
	}
	return out
}

// sampleCall is the sample call in two channels, the customer offsetMS late.
func sampleCall(t testing.TB, offset time.Duration) []float32 {
	t.Helper()
	return merge([][]float32{pcm(t, samplecall.Agent()), pcm(t, samplecall.Customer())}, 0, int(offset.Seconds()*samplecall.SampleRateHz))
}

// gaussian is white noise of a level in dBFS.
func gaussian(r *rand.Rand, samples int, dBFS float64) []float32 {
	out := make([]float32, samples)
	for i := range out {
		out[i] = float32(r.NormFloat64() * math.Pow(10, dBFS/20))
	}
	return out
}

// wav32 is a WAV file of float samples, for ffmpeg.
func wav32(f *goaudio.Format, samples []float32) []byte {
	var b bytes.Buffer
	n := uint32(4 * len(samples))
	b.WriteString("RIFF")
	le := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	le(36 + n)
	b.WriteString("WAVEfmt ")
	le(uint32(16))
	le(uint16(3))
	le(uint16(f.NumChannels))
	le(uint32(f.SampleRate))
	le(uint32(4 * f.SampleRate * f.NumChannels))
	le(uint16(4 * f.NumChannels))
	le(uint16(32))
	b.WriteString("data")
	le(n)
	le(samples)
	return b.Bytes()
}

// ebur128 is what ffmpeg's filter says of samples.
type ebur128 struct{ integrated, lra, momentary, shortTerm float64 }

func ffmpegLoudness(t testing.TB, f *goaudio.Format, samples []float32) ebur128 {
	t.Helper()
	tool := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	file := filepath.Join(t.TempDir(), "in.wav")
	require.NoError(t, os.WriteFile(file, wav32(f, samples), 0o600))
	out, err := exec.CommandContext(t.Context(), tool, "-nostdin", "-hide_banner", "-i", file,
		"-af", "ebur128=framelog=verbose", "-v", "verbose", "-f", "null", "-").CombinedOutput()
	require.NoError(t, err, "%s", out)
	number := func(re string) float64 {
		m := regexp.MustCompile(re).FindAllSubmatch(out, -1)
		require.NotEmpty(t, m, "%s in %s", re, out)
		v, err := strconv.ParseFloat(string(m[len(m)-1][1]), 64)
		require.NoError(t, err)
		return v
	}
	highest := func(re string, first int) float64 {
		top := math.Inf(-1)
		for i, m := range regexp.MustCompile(re).FindAllSubmatch(out, -1) {
			if v, err := strconv.ParseFloat(string(m[1]), 64); err == nil && i >= first && !math.IsNaN(v) {
				top = max(top, v)
			}
		}
		return top
	}
	// The first windows of ffmpeg aren't whole.
	return ebur128{
		number(`I:\s+(\S+) LUFS`), number(`LRA:\s+(\S+) LU`),
		highest(`M:\s*(\S+)\s+S:`, 3), highest(`S:\s*(\S+)\s+I:`, 29),
	}
}

func pow10(x float64) float64 { return math.Pow(10, x) }
