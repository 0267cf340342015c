package flac_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	goaudio "github.com/go-audio/audio"
	mewkiz "github.com/mewkiz/flac"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// encode is the stream of samples, written in blocks of mixed sizes.
func encode(t testing.TB, samples []float32, channels, rate int, o codec.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := flac.New(&b, &goaudio.Format{NumChannels: channels, SampleRate: rate}, o)
	require.NoError(t, err)
	for i := 1; len(samples) > 0; i++ {
		n := min(len(samples), (i*37%5000+1)*channels)
		require.NoError(t, e.WriteFrames(samples[:n]))
		samples = samples[n:]
	}
	require.NoError(t, e.Finish())
	require.NoError(t, e.Finish(), "finishing again is a no-op")
	require.ErrorIs(t, e.WriteFrames(nil), codec.ErrFinished)
	return b.Bytes()
}

// integers are samples as a WAV file of the depth has them.
func integers(samples []float32, depth int) []int32 {
	out := make([]int32, len(samples))
	b := make([]byte, 3*len(samples))
	if depth == 24 {
		audio.PutPCM24(b, samples)
	} else {
		audio.PutPCM16(b, samples)
	}
	for i := range out {
		if depth == 24 {
			out[i] = int32(uint32(b[3*i])<<8|uint32(b[3*i+1])<<16|uint32(b[3*i+2])<<24) >> 8
		} else {
			out[i] = int32(int16(binary.LittleEndian.Uint16(b[2*i:])))
		}
	}
	return out
}

// decodeMewkiz decodes a stream with mewkiz/flac and returns its samples.
func decodeMewkiz(t testing.TB, file []byte) (*mewkiz.Stream, []int32) {
	t.Helper()
	s, err := mewkiz.Parse(bytes.NewReader(file))
	require.NoError(t, err)
	var out []int32
	for {
		f, err := s.ParseNext()
		if errors.Is(err, io.EOF) {
			return s, out
		}
		require.NoError(t, err)
		for i := range int(f.BlockSize) {
			for _, sub := range f.Subframes {
				out = append(out, sub.Samples[i])
			}
		}
	}
}

// equal fails unless the samples are the same; it doesn't print them all.
func equal(t testing.TB, want, got []int32, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i, v := range want {
		if got[i] != v {
			require.Failf(t, "samples differ", "%s: sample %d is %d, want %d", what, i, got[i], v)
		}
	}
}

// stream is an encoded file of the matrix and what it must decode to.
type stream struct {
	name     string
	file     []byte
	channels int
	rate     int
	depth    int
	want     []int32
}

// checkWithFLAC has the command flac test and decode the streams, all in few processes.
func checkWithFLAC(t *testing.T, streams []stream) {
	t.Helper()
	tool := recordingtest.Tool(t, "flac", "flac")
	dir := t.TempDir()
	var names []string
	for i, s := range streams {
		name := filepath.Join(dir, strconv.Itoa(i)+".flac")
		require.NoError(t, os.WriteFile(name, s.file, 0o600))
		names = append(names, name)
	}
	for _, args := range [][]string{
		{"-t", "--silent"},
		{"-d", "--silent", "--force-raw-format", "--endian=little", "--sign=signed"},
	} {
		out, err := exec.CommandContext(t.Context(), tool, append(args, names...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for i, s := range streams {
		raw, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(i)+".raw"))
		require.NoError(t, err, s.name)
		equal(t, s.want, fromPCM(raw, s.depth), "flac -d: "+s.name)
	}
}

// checkWithFFmpeg has ffmpeg decode the streams, many in a process.
func checkWithFFmpeg(t *testing.T, streams []stream) {
	t.Helper()
	tool := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	dir := t.TempDir()
	const batch = 64
	for start := 0; start < len(streams); start += batch {
		part := streams[start:min(start+batch, len(streams))]
		args := []string{"-nostdin", "-v", "error", "-xerror"}
		var outputs []string
		for i, s := range part {
			name := filepath.Join(dir, strconv.Itoa(start+i))
			require.NoError(t, os.WriteFile(name+".flac", s.file, 0o600))
			args = append(args, "-i", name+".flac")
			outputs = append(outputs, "-map", strconv.Itoa(i)+":a", "-f", "s"+strconv.Itoa(s.depth)+"le", name+".raw")
		}
		out, err := exec.CommandContext(t.Context(), tool, append(args, outputs...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Empty(t, string(out))
		for i, s := range part {
			raw, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(start+i)+".raw"))
			require.NoError(t, err, s.name)
			equal(t, s.want, fromPCM(raw, s.depth), "ffmpeg: "+s.name)
		}
	}
}

func fromPCM(raw []byte, depth int) []int32 {
	size := depth / 8
	out := make([]int32, len(raw)/size)
	for i := range out {
		b := raw[size*i:]
		if depth == 24 {
			out[i] = int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24) >> 8
		} else {
			out[i] = int32(int16(binary.LittleEndian.Uint16(b)))
		}
	}
	return out
}

// leg is the customer's leg of the sample call.
func leg(t testing.TB, file []byte) []float32 {
	t.Helper()
	s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(t, err)
	return recordingtest.ReadAll(t, s)
}

// call is the sample call as two channels.
func call(t testing.TB) []float32 {
	t.Helper()
	agent, customer := leg(t, samplecall.Agent()), leg(t, samplecall.Customer())
	out := make([]float32, 2*len(agent))
	for i, v := range agent {
		out[2*i] = v
	}
	offset := int(samplecall.CustomerOffset.Seconds() * samplecall.SampleRateHz)
	for i, v := range customer {
		out[2*(i+offset)+1] = v
	}
	return out
}

// signals are what the matrix encodes: each gives any number of samples.
func signals(t testing.TB) map[string]func(frames, channels int) []float32 {
	t.Helper()
	speech := leg(t, samplecall.Agent())
	each := func(f func(i, ch int) float64) func(int, int) []float32 {
		return func(frames, channels int) []float32 {
			s := make([]float32, frames*channels)
			for i := range s {
				s[i] = float32(f(i/channels, i%channels))
			}
			return s
		}
	}
	return map[string]func(int, int) []float32{
		"silence": each(func(int, int) float64 { return 0 }),
		"noise":   func(frames, channels int) []float32 { return recordingtest.Noise(frames*channels, 1.01, 7) },
		"square": each(func(i, ch int) float64 {
			if i/(20+ch)%2 == 0 {
				return 1
			}
			return -1
		}),
		"sine": each(func(i, ch int) float64 { return 0.9 * math.Sin(float64(i)*(0.05+0.001*float64(ch))) }),
		"impulse": each(func(i, ch int) float64 {
			if i == 1000+ch {
				return -1
			}
			return 0
		}),
		"µ-law steps": each(func(i, ch int) float64 { return float64((i*i+77*ch)%4001-2000) / 4096 }),
		"one leg silent": each(func(i, ch int) float64 {
			return float64(ch%2) * float64(speech[30000+i])
		}),
		"same on all": each(func(i, _ int) float64 { return float64(speech[20000+i]) }),
		"speech":      each(func(i, ch int) float64 { return float64(speech[20000+i+8000*ch]) }),
	}
}
