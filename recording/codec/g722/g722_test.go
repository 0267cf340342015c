package g722_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec/g722"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// decode decodes a whole stream, in pieces of odd lengths, to 16-bit samples.
func decode(stream []byte) []byte {
	d := g722.NewDecoder()
	var out []byte
	for len(stream) > 0 {
		n := min(7, len(stream))
		samples := make([]int16, g722.SamplesPerByte*n)
		d.Decode(samples, stream[:n])
		for _, s := range samples {
			out = binary.LittleEndian.AppendUint16(out, uint16(s))
		}
		stream = stream[n:]
	}
	return out
}

// random has every code there is.
func random(n int) []byte {
	r := rand.New(rand.NewPCG(7, 22))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The check is of ffmpeg's samples of the same codes.
func TestSamples(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256(decode(random(20000)))
	require.Equal(t, "752404bfea648914b466df0d83de4ee9f0bcfdd9ef380a76ad2527a40f970a89", hex.EncodeToString(sum[:]))
}

// The same samples as ffmpeg's, of a sweep that ffmpeg encoded and of codes that no
// encoder makes.
func TestAgainstFFmpeg(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	sweep := filepath.Join(t.TempDir(), "sweep.g722")
	run := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "lavfi",
		"-i", "aevalsrc=0.9*sin(2*PI*t*(50+2500*t)):s=16000:d=3", "-c:a", "g722", sweep)
	require.NoError(t, run.Run())
	encoded, err := os.ReadFile(sweep)
	require.NoError(t, err)
	for name, stream := range map[string][]byte{"sweep": encoded, "random": random(20000), "silence": bytes.Repeat([]byte{0xFA}, 800)} {
		path := filepath.Join(t.TempDir(), "x.g722")
		require.NoError(t, os.WriteFile(path, stream, 0o600))
		want, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", path, "-f", "s16le", "-").Output()
		require.NoError(t, err)
		require.Len(t, want, 4*len(stream), name)
		require.True(t, bytes.Equal(want, decode(stream)), name)
	}
}

func TestNoAllocations(t *testing.T) {
	d := g722.NewDecoder()
	codes, samples := random(160), make([]int16, 320)
	require.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(samples, codes) }))
}

// Whatever the codes, pieces of a stream are the stream.
func FuzzDecode(f *testing.F) {
	f.Add(random(100))
	f.Add(bytes.Repeat([]byte{0xFF}, 100))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		samples := make([]int16, g722.SamplesPerByte*len(b))
		g722.NewDecoder().Decode(samples, b)
		var whole []byte
		for _, s := range samples {
			whole = binary.LittleEndian.AppendUint16(whole, uint16(s))
		}
		require.Equal(t, whole, append([]byte(nil), decode(b)...), "in pieces")
	})
}

func BenchmarkDecode(b *testing.B) {
	codes, samples := random(g722.SampleRate/g722.SamplesPerByte), make([]int16, g722.SampleRate)
	d := g722.NewDecoder()
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(samples, codes)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
}

// A byte of G.722 is two samples at 16000 Hz.
func ExampleDecoder_Decode() {
	d := g722.NewDecoder()
	var samples [8]int16
	d.Decode(samples[:], []byte{0xE4, 0x64, 0xA4, 0x24})
	fmt.Println(samples)
	// Output: [0 -1 -1 0 0 -1 0 1]
}
