package mp3

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"testing"

	goaudio "github.com/go-audio/audio"
	gomp3 "github.com/hajimehoshi/go-mp3"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// encodeAll encodes frames in one go.
func encodeAll(tb testing.TB, samples []float32, channels, rate, bitrate int, m *EncoderOptions) []byte {
	tb.Helper()
	var b bytes.Buffer
	e, err := NewEncoder(&b, format(channels, rate), codec.Options{Frames: int64(len(samples) / channels), BitrateBps: bitrate}, m)
	require.NoError(tb, err)
	require.NoError(tb, e.WriteFrames(samples))
	require.NoError(tb, e.Finish())
	return b.Bytes()
}

func format(channels, rate int) *goaudio.Format {
	return &goaudio.Format{NumChannels: channels, SampleRate: rate}
}

// needTool returns the path of a program, or skips the test, loudly; it fails
// the test instead where services are required.
func needTool(tb testing.TB, name, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
		tb.Fatalf("%s is not installed: install Debian's package %s", name, debian)
	}
	tb.Skipf("SKIPPED: %s is not installed, so the streams are not checked with it: install Debian's package %s", name, debian)
	return ""
}

// snr is the ratio of a signal to got's deviation from it, in dB.
func snr(want, got []float32) float64 {
	var s, e float64
	for i, w := range want {
		d := float64(w) - float64(got[i])
		s += float64(w) * float64(w)
		e += d * d
	}
	return 10 * math.Log10(s/e)
}

// pcm16 turns little endian 16 bit samples into floats.
func pcm16(b []byte) []float32 {
	f := make([]float32, len(b)/2)
	for i := range f {
		f[i] = float32(int16(uint16(b[2*i])|uint16(b[2*i+1])<<8)) / 32768
	}
	return f
}

// decodeGoMP3 decodes a stream with go-mp3, which can MPEG-1 and MPEG-2, to
// frames of two channels of 16 bits, delay and padding included.
func decodeGoMP3(tb testing.TB, data []byte) []float32 {
	tb.Helper()
	d, err := gomp3.NewDecoder(bytes.NewReader(data))
	require.NoError(tb, err)
	b, err := io.ReadAll(d)
	require.NoError(tb, err)
	return pcm16(b)
}

// floats turns little endian float32 samples into floats.
func floats(b []byte) []float32 {
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f
}

// decodeAll decodes a sound stream with our decoder.
func decodeAll(tb testing.TB, data []byte) []float32 {
	tb.Helper()
	s, _, err := Decode(bytes.NewReader(data), codec.Hint{Size: int64(len(data))})
	require.NoError(tb, err)
	var all []float32
	block := make([]float32, 4096)
	for {
		n, err := s.ReadFrames(block)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(tb, err)
		all = append(all, block[:n*s.Format().NumChannels]...)
	}
	for _, d := range codec.LaterDefects(s) {
		require.Equal(tb, record.DefectClipped, d.Code, d.Detail)
	}
	return all
}

// How far our decoder's samples may be from mpg123's and from the sums of the
// standard in double precision, full scale being 1, and from ffmpeg's, which
// stray further from those sums.
const (
	sameSample = 1e-5
	sameFFmpeg = 2e-5
)

// deviation is how far samples are from others.
type deviation struct{ max, rms float64 }

func (d deviation) String() string { return fmt.Sprintf("at most %.2g, RMS %.2g", d.max, d.rms) }

func (d deviation) worse(e deviation) deviation {
	return deviation{max(d.max, e.max), max(d.rms, e.rms)}
}

// difference is infinite where the lengths differ.
func difference(want, got []float32) deviation {
	if len(want) != len(got) {
		return deviation{math.Inf(1), math.Inf(1)}
	}
	var d deviation
	for i, w := range want {
		e := math.Abs(float64(w) - float64(got[i]))
		if math.IsNaN(e) {
			return deviation{math.Inf(1), math.Inf(1)}
		}
		d.max = max(d.max, e)
		d.rms += e * e
	}
	d.rms = math.Sqrt(d.rms / float64(max(1, len(want))))
	return d
}
