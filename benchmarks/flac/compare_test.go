package flacbench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/speech"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// dataDir is not committed.
const dataDir = "../data"

// The bounds of the comparison.
const (
	worstRatio   = 1.01 // of our size to that of flac -5
	monoBudget   = 0.7  // CPU seconds per hour of audio
	stereoBudget = 1.0
)

// TestCompareWithFLAC encodes an hour each of the sample call and of Debian's
// telephone speech with our encoder and with the command flac -5, and measures
// sizes and CPU time in one run. It prints Markdown, and fails if a bound is
// missed. It only runs if SWITCHTAPE_FLAC_COMPARE=1, and fetches the speech to
// ../data with apt-get download.
func TestCompareWithFLAC(t *testing.T) {
	if os.Getenv("SWITCHTAPE_FLAC_COMPARE") != "1" {
		t.Skip("SKIPPED: takes a minute, and fetches speech from Debian: set SWITCHTAPE_FLAC_COMPARE=1")
	}
	for _, tool := range []string{"flac", "apt-get", "dpkg-deb"} {
		_, err := exec.LookPath(tool)
		require.NoError(t, err, "install Debian's package flac")
	}
	const hour = 3600 * 8000
	mono, stereo := repeat(sampleCall(t, 1), hour), repeat(sampleCall(t, 2), 2*hour)
	speech := repeat(corpus(t), hour)
	both := make([]float32, 2*hour)
	for i, v := range speech {
		both[2*i], both[2*((i+hour/3)%hour)+1] = v, v
	}
	same := make([]float32, 2*hour)
	for i, v := range speech {
		same[2*i], same[2*i+1] = v, v/2
	}
	var out strings.Builder
	out.WriteString("| an hour of | ours, ratio to PCM | flac -5 | ours ÷ flac | ours, CPU s/h | best of 5 | whole file to file | flac -5, the command | flac ÷ ours |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		name     string
		samples  []float32
		channels int
		budget   float64
	}{
		{"sample call, customer's leg, mono", mono, 1, monoBudget},
		{"sample call, two legs, stereo", stereo, 2, stereoBudget},
		{"telephone speech, mono", speech, 1, monoBudget},
		{"telephone speech, two speakers, stereo", both, 2, stereoBudget},
		{"telephone speech, one speaker left, fainter right, stereo", same, 2, stereoBudget},
	} {
		file := filepath.Join(t.TempDir(), "in.wav")
		writeWAV(t, file, c.samples, c.channels)
		theirFile := filepath.Join(t.TempDir(), "out.flac")
		var ours, whole, theirs []float64
		var size int
		for range 5 {
			before := ownCPU(t)
			size = encode(t, c.samples, c.channels)
			ours = append(ours, (ownCPU(t) - before).Seconds())
			before = ownCPU(t)
			transcode(t, file, filepath.Join(t.TempDir(), "ours.flac"), c.channels, len(c.samples)/c.channels)
			whole = append(whole, (ownCPU(t) - before).Seconds())
			// Without what only flac embeds: padding and a seek table.
			theirs = append(theirs, run(t, "flac", "-5", "--totally-silent", "--no-padding", "--no-seektable",
				"-f", "-o", theirFile, file).Seconds())
		}
		info, err := os.Stat(theirFile)
		require.NoError(t, err)
		pcm, a, b := float64(2*len(c.samples)), median(ours), median(theirs)
		ratio := float64(size) / float64(info.Size())
		fmt.Fprintf(&out, "| %s | %.4f | %.4f | %.4f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", c.name,
			float64(size)/pcm, float64(info.Size())/pcm, ratio, a, ours[0], median(whole), b, b/a)
		require.LessOrEqual(t, ratio, worstRatio, c.name)
		if a > c.budget {
			t.Errorf("%s: %.2f CPU s/h, more than %.2f", c.name, a, c.budget)
		}
	}
	t.Log("\n" + out.String())
}

// repeat is samples as often as needed for a number of them.
func repeat(samples []float32, n int) []float32 {
	out := make([]float32, 0, n+len(samples))
	for len(out) < n {
		out = append(out, samples...)
	}
	return out[:n]
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

// encode is the length of our stream.
func encode(t *testing.T, samples []float32, channels int) int {
	t.Helper()
	var c counter
	f := &goaudio.Format{NumChannels: channels, SampleRate: 8000}
	e, err := flac.New(&c, f, codec.Options{Frames: int64(len(samples) / channels)})
	require.NoError(t, err)
	for s := samples; len(s) > 0; s = s[min(8192, len(s)):] {
		require.NoError(t, e.WriteFrames(s[:min(8192, len(s))]))
	}
	require.NoError(t, e.Finish())
	return c.n
}

// transcode does what the command flac does: from a WAV file to a FLAC file.
func transcode(t *testing.T, from, to string, channels, frames int) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.Create(to)
	require.NoError(t, err)
	defer out.Close()
	src, _, err := wav.Decode(in, codec.Hint{Size: codec.SizeUnknown})
	require.NoError(t, err)
	f := &goaudio.Format{NumChannels: channels, SampleRate: 8000}
	e, err := flac.New(out, f, codec.Options{Frames: int64(frames)})
	require.NoError(t, err)
	block := make([]float32, 4096*channels)
	for {
		n, err := src.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.NoError(t, e.WriteFrames(block[:n*channels]))
	}
	require.NoError(t, e.Finish())
}

func writeWAV(t *testing.T, name string, samples []float32, channels int) {
	t.Helper()
	var b bytes.Buffer
	e, err := wav.NewPCM(&b, &goaudio.Format{NumChannels: channels, SampleRate: 8000},
		codec.Options{Frames: int64(len(samples) / channels)})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
}

// run runs a command and returns its CPU time.
func run(t *testing.T, name string, args ...string) time.Duration {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, output)
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// packages are Debian's packages of telephone speech at 8 kHz.
var packages = []string{"asterisk-core-sounds-en-wav", "codec2-examples"}

// corpus is the 8 kHz speech of the packages, in one piece.
func corpus(t *testing.T) []float32 {
	t.Helper()
	at, err := filepath.Abs(filepath.Join(dataDir, "speech"))
	require.NoError(t, err)
	speech.Unpack(t, at, packages...)
	var files []string
	require.NoError(t, filepath.WalkDir(at, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".wav") && !strings.Contains(path, "silence") {
			files = append(files, path)
		}
		return err
	}))
	slices.Sort(files)
	var samples []float32
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		if len(b) > 44 && binary.LittleEndian.Uint32(b[24:]) == 8000 && binary.LittleEndian.Uint16(b[22:]) == 1 {
			samples = append(samples, leg(t, b)...)
		}
	}
	require.Greater(t, len(samples), 20*60*8000, "at least 20 minutes: "+strconv.Itoa(len(files))+" files")
	return samples
}
