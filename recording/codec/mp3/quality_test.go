package mp3

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
)

func codecOptions(bitrate int) codec.Options { return codec.Options{BitrateBps: bitrate} }

// decodeFFmpeg decodes a stream to interleaved frames, without delay and
// padding.
func decodeFFmpeg(t *testing.T, data []byte) []float32 {
	t.Helper()
	ffmpeg := needTool(t, "ffmpeg", "ffmpeg")
	var stdout, stderr bytes.Buffer
	name := filepath.Join(t.TempDir(), "in.mp3")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-i", name, "-f", "s16le", "-")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), stderr.String())
	require.Empty(t, stderr.String())
	return pcm16(stdout.Bytes())
}

// TestQuality holds the signal-to-noise ratio of synthetic speech, sample for
// sample, above floors a little below what was measured.
func TestQuality(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate, channels, bitrate int
		m                       EncoderOptions
		floorDB                 float64
	}{
		{8000, 1, 16000, EncoderOptions{}, 17.7},
		{8000, 1, 24000, EncoderOptions{}, 22.7},
		{8000, 1, 32000, EncoderOptions{}, 28.1},
		{8000, 1, 32000, EncoderOptions{Mode: ABR}, 29.5},
		{8000, 1, 0, EncoderOptions{Mode: VBR, VBRQuality: 4}, 31.5},
		{8000, 1, 64000, EncoderOptions{}, 41.5},
		{16000, 1, 32000, EncoderOptions{}, 24.2},
		{16000, 2, 64000, EncoderOptions{}, 27},
		{16000, 2, 64000, EncoderOptions{Stereo: StereoJoint}, 27},
		{24000, 1, 48000, EncoderOptions{}, 28.4},
		{44100, 2, 128000, EncoderOptions{}, 34.2},
		{44100, 2, 128000, EncoderOptions{Mode: VBR, VBRQuality: 2}, 40},
		{48000, 2, 320000, EncoderOptions{}, 44.5},
	} {
		t.Run(fmt.Sprintf("%d-%d-%d-%d-%d", c.rate, c.channels, c.bitrate/1000, c.m.Mode, c.m.Stereo), func(t *testing.T) {
			t.Parallel()
			samples := speech(c.rate, 10*c.rate, c.channels)
			data := encodeAll(t, samples, c.channels, c.rate, c.bitrate, &c.m)
			got := decodeFFmpeg(t, data)
			require.Equal(t, len(samples), len(got)) //nolint:testifylint // Len would print them
			db := snr(samples, got)
			t.Logf("%.2f dB at %d bit/s", db, 8*len(data)/10)
			require.Greater(t, db, c.floorDB)
		})
	}
}

// TestChannelsStaySeparate shows that a silent leg stays silent and that the
// other one gets its bits.
func TestChannelsStaySeparate(t *testing.T) {
	t.Parallel()
	const rate = 16000
	mono := speech(rate, 5*rate, 1)
	both := make([]float32, 2*len(mono))
	for i, v := range mono {
		both[2*i] = v
	}
	got := decodeFFmpeg(t, encodeAll(t, both, 2, rate, 64000, nil))
	left := make([]float32, len(mono))
	for i := range left {
		left[i] = got[2*i]
		require.Zero(t, got[2*i+1])
	}
	alone := decodeFFmpeg(t, encodeAll(t, mono, 1, rate, 64000, nil))
	require.Greater(t, snr(mono, left), snr(mono, alone)-1) // the second side information takes 8 of 288 bytes
}

// TestJointStereoPays shows what mid and side win when both channels are alike.
func TestJointStereoPays(t *testing.T) {
	t.Parallel()
	const rate = 44100
	mono := speech(rate, 3*rate, 1)
	both := make([]float32, 2*len(mono))
	for i, v := range mono {
		both[2*i], both[2*i+1] = v, 0.9*v
	}
	apart := snr(both, decodeFFmpeg(t, encodeAll(t, both, 2, rate, 96000, nil)))
	joint := snr(both, decodeFFmpeg(t, encodeAll(t, both, 2, rate, 96000, &EncoderOptions{Stereo: StereoJoint})))
	t.Logf("apart %.1f dB, joint %.1f dB", apart, joint)
	require.Greater(t, joint, apart+3)
}

// TestVariableRates shows that ABR meets its average, that a better VBR quality
// takes more bits, and that silence takes next to none.
func TestVariableRates(t *testing.T) {
	t.Parallel()
	const rate = 16000
	samples := speech(rate, 20*rate, 1)
	data := encodeAll(t, samples, 1, rate, 32000, &EncoderOptions{Mode: ABR})
	require.InEpsilon(t, 32000, 8*len(data)/20, 0.05)
	info, err := Walk(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, "Xing", info.InfoFrame)
	require.Less(t, info.MinBitrateBps, info.MaxBitrateBps)
	last := 1 << 30
	for quality := range 10 {
		n := len(encodeAll(t, samples, 1, rate, 0, &EncoderOptions{Mode: VBR, VBRQuality: quality}))
		require.Less(t, n, last, strconv.Itoa(quality))
		last = n
	}
	quiet := encodeAll(t, make([]float32, 20*rate), 1, rate, 0, &EncoderOptions{Mode: VBR})
	require.Less(t, len(quiet), 8000*20/8*11/10)
}

// TestLowpass shows that a lowpass removes what is above it.
func TestLowpass(t *testing.T) {
	t.Parallel()
	const rate = 16000
	tone := sineWave(rate, 2*rate, 6000)
	got := decodeFFmpeg(t, encodeAll(t, tone, 1, rate, 64000, &EncoderOptions{LowpassHz: 4000}))
	require.InDelta(t, 0, snr(tone, got), 0.1)
}
