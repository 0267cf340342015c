package gsm_test

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec/gsm"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// speech is 2 s of the sample call's agent, as bare frames.
//
//go:embed testdata/agent.gsm
var speech []byte

// decode decodes bare frames to 16-bit samples.
func decode(frames []byte) []byte {
	var d gsm.Decoder
	var out []byte
	for ; len(frames) >= gsm.FrameBytes; frames = frames[gsm.FrameBytes:] {
		var samples [gsm.FrameSamples]int16
		d.Frame(&samples, (*[gsm.FrameBytes]byte)(frames))
		for _, s := range samples {
			out = binary.LittleEndian.AppendUint16(out, uint16(s))
		}
	}
	return out
}

// repack makes blocks for a WAV file of bare frames.
func repack(frames []byte) []byte {
	var out []byte
	for ; len(frames) >= 2*gsm.FrameBytes; frames = frames[2*gsm.FrameBytes:] {
		block := make([]byte, gsm.BlockBytes)
		at := 0
		for f := range 2 {
			b := frames[f*gsm.FrameBytes:]
			from := 4
			take := func(bits int) {
				for i := range bits {
					bit := from + bits - 1 - i
					block[at/8] |= b[bit/8] >> (7 - bit%8) & 1 << (at % 8)
					at++
				}
				from += bits
			}
			for _, n := range []int{6, 6, 5, 5, 4, 4, 3, 3} {
				take(n)
			}
			for range 4 {
				for _, n := range []int{7, 2, 2, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3} {
					take(n)
				}
			}
		}
		out = append(out, block...)
	}
	return out
}

// random frames have every codeword there is.
func random(frames int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, frames*gsm.FrameBytes)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for i := 0; i < len(b); i += gsm.FrameBytes {
		b[i] = b[i]&15 | 0xD0
	}
	return b
}

// The samples of libgsm, which sox and ffmpeg agree on: the checks are of its
// output for the same frames.
func TestSamples(t *testing.T) {
	t.Parallel()
	for want, frames := range map[string][]byte{
		"539c23e9d8bb59dbbd73cb123bc10cedab954dc94d480688f7401047f6384998": speech,
		"d58df249f0b8b599719a0ff1f8aa38fe86e10445dbad2139ac387a218e6c3024": random(500),
	} {
		sum := sha256.Sum256(decode(frames))
		require.Equal(t, want, hex.EncodeToString(sum[:]))
	}
}

// The same as sox and ffmpeg, of speech and of frames that no encoder makes; of
// the latter ffmpeg's own decoder makes something else than libgsm.
func TestAgainstLibgsm(t *testing.T) {
	t.Parallel()
	sox, ffmpeg := recordingtest.Tool(t, "sox", "sox"), recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	for _, c := range []struct {
		name, decoder string
		frames        []byte
	}{{"speech", "gsm", speech}, {"speech", "libgsm", speech}, {"random", "libgsm", random(500)}} {
		path := filepath.Join(t.TempDir(), "x.gsm")
		require.NoError(t, os.WriteFile(path, c.frames, 0o600))
		want, err := exec.CommandContext(t.Context(), sox, path, "-t", "raw", "-e", "signed", "-b", "16", "-").Output()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, decode(c.frames)), "%s, sox", c.name)
		want, err = exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-c:a", c.decoder, "-i", path, "-f", "s16le", "-").Output()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, decode(c.frames)), "%s, ffmpeg's %s", c.name, c.decoder)
	}
}

func TestBlocksAreFrames(t *testing.T) {
	t.Parallel()
	frames := random(100)
	var d gsm.Decoder
	var got []byte
	for b := repack(frames); len(b) > 0; b = b[gsm.BlockBytes:] {
		var samples [gsm.BlockSamples]int16
		d.Block(&samples, (*[gsm.BlockBytes]byte)(b))
		for _, s := range samples {
			got = binary.LittleEndian.AppendUint16(got, uint16(s))
		}
	}
	require.True(t, bytes.Equal(decode(frames), got))
	require.True(t, gsm.Valid(frames))
	require.False(t, gsm.Valid(nil))
	require.False(t, gsm.Valid([]byte{0xCF}))
}

func TestNoAllocations(t *testing.T) {
	var d gsm.Decoder
	var samples [gsm.BlockSamples]int16
	var block [gsm.BlockBytes]byte
	copy(block[:], random(3))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d.Block(&samples, &block)
		d.Frame((*[gsm.FrameSamples]int16)(samples[:]), (*[gsm.FrameBytes]byte)(block[:]))
	}))
}

// Whatever the bits, there are samples whose last three bits are 0.
func FuzzDecode(f *testing.F) {
	f.Add(speech[:10*gsm.FrameBytes])
	f.Add(bytes.Repeat([]byte{0xFF}, 3*gsm.BlockBytes))
	f.Add(make([]byte, 3*gsm.BlockBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d gsm.Decoder
		for ; len(b) >= gsm.BlockBytes; b = b[gsm.BlockBytes:] {
			var samples [gsm.BlockSamples]int16
			d.Block(&samples, (*[gsm.BlockBytes]byte)(b))
			for _, s := range samples {
				require.Zero(t, s&7)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var d gsm.Decoder
	var samples [gsm.BlockSamples]int16
	blocks := repack(speech)
	b.ReportAllocs()
	for b.Loop() {
		for rest := blocks; len(rest) > 0; rest = rest[gsm.BlockBytes:] {
			d.Block(&samples, (*[gsm.BlockBytes]byte)(rest))
		}
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "x-realtime")
}
