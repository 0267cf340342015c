package audio_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// The same tones, up to 85 % of the lower Nyquist frequency, from us and from
// sox rate -v: ours are the theory's to 100 dB at every ratio, and sox's on the
// same frames, as far as those are the theory's.
func TestResamplerBesideSox(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	const tones, seconds = 12, 2
	for _, r := range [][2]int{{8000, 16000}, {16000, 8000}, {8000, 11025}, {11025, 8000}, {44100, 8000}, {8000, 48000}, {48000, 44100}} {
		in, out := r[0], r[1]
		chord := func(rate int) []float32 {
			sum := make([]float32, seconds*rate)
			for k := range tones {
				hz := 0.85 * float64(min(in, out)) / 2 * float64(k+1) / tones
				for i, x := range recordingtest.Sine(len(sum), rate, hz, 0.06, float64(k)) {
					sum[i] += x
				}
			}
			return sum
		}
		source := chord(in)
		theory := chord(out)
		f, err := audio.NewResampleFilter(in, out)
		require.NoError(t, err)
		src, err := audio.Resample(audio.NewSource(recordingtest.Mono(in), source), f)
		require.NoError(t, err)
		ours := recordingtest.ReadAll(t, src)

		var stdin, stdout bytes.Buffer
		require.NoError(t, binary.Write(&stdin, binary.LittleEndian, source))
		cmd := exec.CommandContext(t.Context(), sox, "-V1", "-D", "-t", "f32", "-r", strconv.Itoa(in), "-c", "1", "-",
			"-t", "f32", "-r", strconv.Itoa(out), "-", "rate", "-v")
		cmd.Stdin, cmd.Stdout = &stdin, &stdout
		require.NoError(t, cmd.Run())
		theirs := floats(stdout.Bytes())
		require.InDelta(t, len(theory), len(ours), 0)
		require.InDelta(t, len(theory), len(theirs), 1)

		// Away from the ends, where what is beyond them counts.
		from, to := out/4, len(theory)-out/4
		us, them := recordingtest.SNR(theory[from:to], ours[from:to]), recordingtest.SNR(theory[from:to], theirs[from:to])
		t.Logf("%d to %d Hz: %.1f dB, sox %.1f dB, one from the other %.1f dB", in, out, us, them, recordingtest.SNR(theirs[from:to], ours[from:to]))
		require.Greater(t, us, 100.0, "%d to %d Hz", in, out)
		require.Greater(t, recordingtest.SNR(theirs[from:to], ours[from:to]), min(100.0, them-6), "%d to %d Hz", in, out)
	}
}

// floats is the samples of raw 32 bit floats.
func floats(b []byte) []float32 {
	s := make([]float32, len(b)/4)
	for i := range s {
		s[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return s
}
