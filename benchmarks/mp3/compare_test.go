package mp3bench

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// TestCompareWithLAME measures our streams and those of lame -q 7 on real
// telephone speech in one run, and our encoder's CPU time next to those of the
// whole commands of lame and tuned ffmpeg. It prints Markdown, and fails if a
// bound is missed. It only runs if SWITCHTAPE_MP3_COMPARE=1, and fetches the
// speech to ../data with apt-get download.
func TestCompareWithLAME(t *testing.T) {
	if os.Getenv("SWITCHTAPE_MP3_COMPARE") != "1" {
		t.Skip("SKIPPED: takes minutes, and fetches speech from Debian: set SWITCHTAPE_MP3_COMPARE=1")
	}
	for _, tool := range []string{"lame", "ffmpeg", "apt-get", "dpkg-deb", "sox"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "install Debian's packages lame, ffmpeg and sox")
	}
	speech := map[int][]float32{8000: corpus(t, 8000), 16000: corpus(t, 16000)}
	var out strings.Builder
	compareQuality(t, &out, speech)
	compareSpeed(t, &out, speech)
	t.Log("\n" + out.String())
}

func compareQuality(t *testing.T, out *strings.Builder, speech map[int][]float32) {
	t.Helper()
	fmt.Fprintf(out, "%.1f minutes of speech at 8 kHz, %.1f at 16 kHz.\n\n", float64(len(speech[8000]))/8000/60, float64(len(speech[16000]))/16000/60)
	out.WriteString("| kHz | kbit/s | SNR dB: ours | lame | segmental SNR dB: ours | lame | noise to mask dB, total: ours | lame | segmental: ours | lame |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, rate := range []int{8000, 16000} {
		for _, kbps := range []int{16, 24, 32, 48, 64} {
			ours := measure(speech[rate], decode(t, encodeOurs(t, speech[rate], 1, rate, kbps)), rate)
			lame := measure(speech[rate], decode(t, encodeLAME(t, speech[rate], rate, kbps)), rate)
			fmt.Fprintf(out, "| %d | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", rate/1000, kbps,
				ours.snr, lame.snr, ours.segmental, lame.segmental, ours.total, lame.total, ours.mean, lame.mean)
			require.Greater(t, ours.snr, lame.snr-0.3, "SNR at %d Hz, %d kbit/s", rate, kbps)
			require.LessOrEqual(t, ours.total, lame.total, "noise to mask at %d Hz, %d kbit/s", rate, kbps)
			require.LessOrEqual(t, ours.mean, lame.mean, "noise to mask at %d Hz, %d kbit/s", rate, kbps)
		}
	}
}

// quality is what is measured of a decoded stream, all in dB.
type quality struct{ snr, segmental, total, mean float64 }

// measure aligns decoded with original, removes a constant gain (lame's presets
// turn the volume down by 5 %), and compares sample for sample.
func measure(original, decoded []float32, rate int) quality {
	decoded = align(original, decoded)
	gain := fitGain(original, decoded)
	var signal, noise, segments float64
	count := 0
	const window = 256
	for i := 0; i+window <= min(len(original), len(decoded)); i += window {
		var s, n float64
		for k := i; k < i+window; k++ {
			x := float64(original[k])
			d := x - gain*float64(decoded[k])
			s += x * x
			n += d * d
		}
		signal += s
		noise += n
		if s > window*1e-5 { // above -50 dB of full scale
			segments += min(60, 10*math.Log10(s/(n+1e-9)))
			count++
		}
	}
	q := quality{snr: 10 * math.Log10(signal/noise), segmental: segments / float64(count)}
	q.total, q.mean = NoiseToMask(original, decoded, rate)
	return q
}

// align cuts the delay of a stream that doesn't announce it off decoded.
func align(original, decoded []float32) []float32 {
	best, lag := math.Inf(-1), 0
	middle := len(original) / 2
	for l := 0; l < 2400 && len(decoded) > len(original); l++ {
		sum := 0.0
		for k := middle; k < middle+16000; k++ {
			sum += float64(original[k]) * float64(decoded[k+l])
		}
		if sum > best {
			best, lag = sum, l
		}
	}
	return decoded[lag:]
}

func compareSpeed(t *testing.T, out *strings.Builder, speech map[int][]float32) {
	t.Helper()
	mono := speech[8000]
	stereo := make([]float32, 2*len(speech[16000]))
	for i, v := range speech[16000] {
		stereo[2*i] = v
		stereo[2*(len(speech[16000])-1-i)+1] = v
	}
	out.WriteString("\nCPU seconds (user and system) per hour of audio, medians of 5 runs in turn.\n\n| job | ours, the encoder | ffmpeg -compression_level 7, the command | lame -q 7, the command | ffmpeg ÷ ours |\n|---|---|---|---|---|\n")
	for _, c := range []struct {
		name                 string
		samples              []float32
		channels, rate, kbps int
		least                float64
	}{
		{"8 kHz mono, 32 kbit/s", mono, 1, 8000, 32, 2},
		{"16 kHz mono, 32 kbit/s", speech[16000], 1, 16000, 32, 1},
		{"16 kHz stereo, 64 kbit/s", stereo, 2, 16000, 64, 1.8},
	} {
		wav := filepath.Join(t.TempDir(), "in.wav")
		raw := writePCM(t, c.samples)
		run(t, "sox", "-t", "raw", "-r", strconv.Itoa(c.rate), "-e", "signed", "-b", "16", "-c", strconv.Itoa(c.channels), raw, wav)
		hours := float64(len(c.samples)/c.channels) / float64(c.rate) / 3600
		mode := "m"
		if c.channels == 2 {
			mode = "s"
		}
		mp3File := filepath.Join(t.TempDir(), "out.mp3")
		var ours, ffmpeg, lame []float64
		for range 5 {
			before := ownCPU(t)
			encodeOurs(t, c.samples, c.channels, c.rate, c.kbps)
			ours = append(ours, (ownCPU(t)-before).Seconds()/hours)
			ffmpeg = append(ffmpeg, run(t, "ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", "-i", wav,
				"-c:a", "libmp3lame", "-b:a", strconv.Itoa(c.kbps)+"k", "-compression_level", "7", "-threads", "1", mp3File).Seconds()/hours)
			lame = append(lame, run(t, "lame", "--quiet", "-q", "7", "-b", strconv.Itoa(c.kbps), "-m", mode, wav, mp3File).Seconds()/hours)
		}
		a, b, l := median(ours), median(ffmpeg), median(lame)
		fmt.Fprintf(out, "| %s | %.2f | %.2f | %.2f | %.2f |\n", c.name, a, b, l, b/a)
		require.Greater(t, b/a, c.least, c.name)
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// run runs a command and returns its CPU time.
func run(t *testing.T, name string, args ...string) time.Duration {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, output)
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func encodeOurs(t *testing.T, samples []float32, channels, rate, kbps int) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Grow(len(samples) / channels / (rate / 1000) * kbps / 8 * 11 / 10)
	f := &goaudio.Format{NumChannels: channels, SampleRate: rate}
	e, err := mp3.New(&b, f, codec.Options{Frames: int64(len(samples) / channels), BitrateBps: 1000 * kbps})
	require.NoError(t, err)
	for s := samples; len(s) > 0; s = s[min(8192, len(s)):] {
		require.NoError(t, e.WriteFrames(s[:min(8192, len(s))]))
	}
	require.NoError(t, e.Finish())
	return b.Bytes()
}

func encodeLAME(t *testing.T, samples []float32, rate, kbps int) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lame.mp3")
	khz := strconv.Itoa(rate / 1000)
	run(t, "lame", "--quiet", "-r", "-s", khz, "-m", "m", "--signed", "--little-endian", "--bitwidth", "16",
		"-q", "7", "-b", strconv.Itoa(kbps), "--resample", khz, writePCM(t, samples), name)
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}

func decode(t *testing.T, data []byte) []float32 {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in.mp3"), filepath.Join(t.TempDir(), "out.raw")
	require.NoError(t, os.WriteFile(in, data, 0o600))
	run(t, "ffmpeg", "-nostdin", "-v", "error", "-i", in, "-f", "s16le", out)
	raw, err := os.ReadFile(out)
	require.NoError(t, err)
	return floats(raw)
}
