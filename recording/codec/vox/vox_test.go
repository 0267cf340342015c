package vox_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec/vox"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func decode(stream []byte) []byte {
	var d vox.Decoder
	var out []byte
	for len(stream) > 0 {
		n := min(5, len(stream))
		samples := make([]int16, vox.SamplesPerByte*n)
		d.Decode(samples, stream[:n])
		for _, s := range samples {
			out = binary.LittleEndian.AppendUint16(out, uint16(s))
		}
		stream = stream[n:]
	}
	return out
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, 49))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The same samples as sox's, of a sweep below full scale, and as ffmpeg's, of any codes.
// (Above full scale sox goes on from a sum of 16 bits, which no 12-bit chip has.)
func TestAgainstSoxAndFFmpeg(t *testing.T) {
	t.Parallel()
	sox, ffmpeg := recordingtest.Tool(t, "sox", "sox"), recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	sweep := filepath.Join(t.TempDir(), "sweep.vox")
	require.NoError(t, exec.CommandContext(t.Context(), sox, "-n", "-r", "8000", "-c", "1", sweep, "synth", "3", "sine", "50-3000", "gain", "-6").Run())
	want, err := exec.CommandContext(t.Context(), sox, "-r", "8000", sweep, "-t", "raw", "-e", "signed", "-b", "16", "-").Output()
	require.NoError(t, err)
	stream, err := os.ReadFile(sweep)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, decode(stream)), "sox")

	for name, codes := range map[string][]byte{"sweep": stream, "random": random(4000)} {
		// ffmpeg knows the encoding in WAV files only, as tag 0x0010.
		path := filepath.Join(t.TempDir(), "x.wav")
		require.NoError(t, os.WriteFile(path, inWAV(codes), 0o600))
		want, err = exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", path, "-f", "s16le", "-").Output()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, decode(codes)), "ffmpeg, %s", name)
	}
}

// inWAV is a WAV file of format tag 0x0010.
func inWAV(codes []byte) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x10\x00\x01\x00\x40\x1f\x00\x00\xa0\x0f\x00\x00\x01\x00\x04\x00data")
	b = append(binary.LittleEndian.AppendUint32(b, uint32(len(codes))), codes...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func TestNoAllocations(t *testing.T) {
	var d vox.Decoder
	codes, samples := random(80), make([]int16, 160)
	require.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(samples, codes) }))
}

// Whatever the codes, the samples are on the 12-bit scale, and pieces of a stream are
// the stream.
func FuzzDecode(f *testing.F) {
	f.Add(random(100))
	f.Add(bytes.Repeat([]byte{0x77}, 100))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		samples := make([]int16, vox.SamplesPerByte*len(b))
		var d vox.Decoder
		d.Decode(samples, b)
		var whole []byte
		for _, s := range samples {
			require.Zero(t, s&15)
			whole = binary.LittleEndian.AppendUint16(whole, uint16(s))
		}
		require.Equal(t, whole, decode(b), "in pieces")
	})
}

func BenchmarkDecode(b *testing.B) {
	codes, samples := random(4000), make([]int16, 8000)
	var d vox.Decoder
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(samples, codes)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
}

func ExampleDecoder_Decode() {
	var d vox.Decoder
	var samples [4]int16
	d.Decode(samples[:], []byte{0x17, 0xF0})
	fmt.Println(samples)
	// Output: [96 576 -432 -288]
}
