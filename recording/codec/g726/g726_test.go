package g726_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec/g726"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func newDecoder(t testing.TB, codeBits int, highFirst bool) *g726.Decoder {
	t.Helper()
	d, err := g726.NewDecoder(codeBits, highFirst)
	require.NoError(t, err)
	return d
}

func decode(t testing.TB, stream []byte, codeBits int, highFirst bool) []byte {
	t.Helper()
	d := newDecoder(t, codeBits, highFirst)
	var out []byte
	for len(stream) > 0 {
		n := min(len(stream), 3*codeBits)
		samples := make([]int16, d.Samples(n))
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
	r := rand.New(rand.NewPCG(7, 26))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// encode is a sound, by an expression of ffmpeg's, in a packing of ffmpeg's.
func encode(t *testing.T, sound, packing string, codeBits int) []byte {
	t.Helper()
	b, err := exec.CommandContext(t.Context(), recordingtest.Tool(t, "ffmpeg", "ffmpeg"), "-v", "error", "-f", "lavfi",
		"-i", "aevalsrc="+sound+":s=8000:d=2", "-c:a", packing, "-code_size", strconv.Itoa(codeBits), "-f", packing, "-").Output()
	require.NoError(t, err)
	return b
}

// sounds have something like syllables, and tones that end.
var sounds = map[string]string{
	"sweep": "0.5*sin(2*PI*t*(50+800*t))*abs(sin(9*t))",
	"tones": "0.4*sin(2*PI*t*2100)*lt(mod(t\\,0.5)\\,0.3)+0.1*sin(2*PI*t*300)",
}

// quiet is random codes of the smaller half of the magnitudes, so that no sample goes
// beyond the 14 bits, which the reference lets overflow.
func quiet(codeBits int) []byte {
	r := rand.New(rand.NewPCG(7, 26))
	var b []byte
	for range 2000 {
		var word uint64
		for range 8 {
			code := r.Uint64N(1 << (codeBits - 2))
			if r.Uint64N(2) == 1 {
				code ^= 1<<codeBits - 1
			}
			word = word<<codeBits | code
		}
		b = append(b, binary.LittleEndian.AppendUint64(nil, word)[:codeBits]...)
	}
	return b
}

// at is the sample at byte i.
func at(b []byte, i int) float64 { return float64(int16(binary.LittleEndian.Uint16(b[i:]))) }

// The same samples as sox: of sounds, and of codes that no encoder makes. Where a
// coefficient is 0 sox has an exponent of 1 for it, where the Recommendation has 0, so that
// a sample may be off by the least unit of 14 bits, which is 4 of 16. At 40 kbit/s
// the sounds are left out: the codes of ffmpeg's encoder aren't the Recommendation's.
func TestAgainstSox(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	for codeBits, encoding := range map[int]byte{4: 23, 3: 25, 5: 26} {
		streams := map[string][]byte{"random": quiet(codeBits)}
		if codeBits < 5 {
			for name, sound := range sounds {
				streams[name] = encode(t, sound, "g726le", codeBits)
			}
		}
		for name, stream := range streams {
			header := []byte(".snd\x00\x00\x00\x1C\xFF\xFF\xFF\xFF\x00\x00\x00\x00\x00\x00\x1F\x40\x00\x00\x00\x01\x00\x00\x00\x00")
			header[15] = encoding
			path := filepath.Join(t.TempDir(), "x.au")
			require.NoError(t, os.WriteFile(path, append(header, stream...), 0o600))
			want, err := exec.CommandContext(t.Context(), sox, path, "-t", "raw", "-e", "signed", "-b", "16", "-").Output()
			require.NoError(t, err)
			require.NotEmpty(t, want)
			got := decode(t, stream, codeBits, false)
			require.InDelta(t, len(want), len(got), 16, "%s of %d bits", name, codeBits)
			n := min(len(got), len(want)) &^ 1
			most := 4.0
			if name == "random" {
				most = 0
			}
			for i := 0; i < n; i += 2 {
				require.InDelta(t, at(want, i), at(got, i), most, "sample %d of %s, %d bits", i/2, name, codeBits)
			}
		}
	}
}

// ffmpeg's decoder rounds otherwise than the reference. It is no further than -35 dB of the
// sound from this one, in either packing. Its 40 kbit/s aren't the Recommendation's.
func TestAgainstFFmpeg(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	for codeBits := 2; codeBits <= 4; codeBits++ {
		for packing, highFirst := range map[string]bool{"g726": true, "g726le": false} {
			stream := encode(t, sounds["sweep"], packing, codeBits)
			path := filepath.Join(t.TempDir(), "x."+packing)
			require.NoError(t, os.WriteFile(path, stream, 0o600))
			want, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", packing, "-code_size", strconv.Itoa(codeBits),
				"-i", path, "-f", "s16le", "-").Output()
			require.NoError(t, err)
			got := decode(t, stream, codeBits, highFirst)
			require.Len(t, got, len(want))
			var sound, off float64
			for i := 0; i < len(got); i += 2 {
				g, w := at(got, i), at(want, i)
				sound, off = sound+w*w, off+(g-w)*(g-w)
			}
			db := 10 * math.Log10(off/sound)
			t.Logf("%s of %d bits: %.1f dB", packing, codeBits, db)
			require.Less(t, db, -35.0, "%s of %d bits", packing, codeBits)
		}
	}
}

// The two packings of the same codes are the same samples.
func TestPackings(t *testing.T) {
	t.Parallel()
	for codeBits := 2; codeBits <= 5; codeBits++ {
		low := quiet(codeBits)
		high := make([]byte, len(low))
		for i := range 8 * len(low) / codeBits {
			for k := range codeBits {
				from, to := i*codeBits+k, i*codeBits+codeBits-1-k
				high[to/8] |= low[from/8] >> (from % 8) & 1 << (7 - to%8)
			}
		}
		require.True(t, bytes.Equal(decode(t, low, codeBits, false), decode(t, high, codeBits, true)), "%d bits", codeBits)
	}
}

func TestBits(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{-1, 0, 1, 6} {
		_, err := g726.NewDecoder(bits, false)
		require.ErrorContains(t, err, "there are 2 (16 kbit/s)")
	}
	require.Equal(t, 8, newDecoder(t, 3, false).Samples(3))
	require.Equal(t, 2, newDecoder(t, 3, false).Samples(1))
}

func TestNoAllocations(t *testing.T) {
	d := newDecoder(t, 4, false)
	codes, samples := random(80), make([]int16, 160)
	require.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(samples, codes) }))
}

// Whatever the codes, the samples are on the 14-bit scale, and pieces of a stream are
// the stream.
func FuzzDecode(f *testing.F) {
	f.Add(random(100), uint8(2), true)
	f.Add(bytes.Repeat([]byte{0xFF}, 100), uint8(0), false)
	f.Add([]byte{}, uint8(1), false)
	f.Fuzz(func(t *testing.T, b []byte, bits uint8, highFirst bool) {
		codeBits := 2 + int(bits%4)
		d := newDecoder(t, codeBits, highFirst)
		samples := make([]int16, d.Samples(len(b)))
		d.Decode(samples, b)
		var whole []byte
		for _, s := range samples {
			require.Zero(t, s&3)
			whole = binary.LittleEndian.AppendUint16(whole, uint16(s))
		}
		require.Equal(t, whole, decode(t, b, codeBits, highFirst), "in pieces")
	})
}

func BenchmarkDecode(b *testing.B) {
	codes, samples := random(4000), make([]int16, 8000)
	d := newDecoder(b, 4, false)
	b.ReportAllocs()
	for b.Loop() {
		d.Decode(samples, codes)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
}

func ExampleDecoder_Decode() {
	d, err := g726.NewDecoder(4, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	samples := make([]int16, d.Samples(4))
	d.Decode(samples, []byte{0x77, 0x77, 0x88, 0x88})
	fmt.Println(samples)
	// Output: [88 104 128 192 -220 -368 -584 -1048]
}
