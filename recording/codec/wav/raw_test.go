package wav_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// rawSamples reads a file without a header.
func rawSamples(t *testing.T, file []byte, raw record.RawFormat) []float32 {
	t.Helper()
	s, defects, err := wav.DecodeRaw(bytes.NewReader(file), codec.Hint{Size: int64(len(file)), Raw: &raw})
	require.NoError(t, err, raw.Encoding)
	require.Empty(t, defects)
	got := recordingtest.ReadAll(t, s)
	require.Empty(t, codec.LaterDefects(s), raw.Encoding)
	return got
}

// Whatever a spec may say of a file without a header can be read.
func TestEveryRawEncodingIsRead(t *testing.T) {
	t.Parallel()
	for _, encoding := range record.RawEncodings() {
		raw := record.RawFormat{Encoding: encoding, SampleRateHz: 8000}
		if encoding == "g722" {
			raw.SampleRateHz = 16000
		}
		src, _, err := wav.DecodeRaw(bytes.NewReader(make([]byte, 33)), codec.Hint{Size: 33, Raw: &raw})
		require.NoError(t, err, encoding)
		require.NotEmpty(t, recordingtest.ReadAll(t, src), encoding)
	}
	for _, raw := range []record.RawFormat{
		{Encoding: "mp3", SampleRateHz: 8000},
		{Encoding: "g722", SampleRateHz: 8000},
		{Encoding: "vox", SampleRateHz: 8000, Channels: 2},
		{Encoding: "s16le", SampleRateHz: 8000, Channels: 257},
	} {
		_, _, err := wav.DecodeRaw(strings.NewReader("....."), codec.Hint{Size: 5, Raw: &raw})
		var fault *codec.DecodeError
		require.ErrorAs(t, err, &fault, "%+v", raw)
		require.Equal(t, record.DefectUnsupportedCodec, fault.Code)
	}
}

// Linear PCM and floats, in both byte orders, are the samples that were written.
func TestRawLinear(t *testing.T) {
	t.Parallel()
	want := []float32{0, 0.5, -0.5, -1, 0.25}
	for encoding, put := range map[string]func(b []byte, v float64) []byte{
		"s8":    func(b []byte, v float64) []byte { return append(b, byte(int8(v*128))) },
		"u8":    func(b []byte, v float64) []byte { return append(b, byte(int(v*128)+128)) },
		"s16be": func(b []byte, v float64) []byte { return binary.BigEndian.AppendUint16(b, uint16(int16(v*(1<<15)))) },
		"s24le": func(b []byte, v float64) []byte {
			return append(b, binary.LittleEndian.AppendUint32(nil, uint32(int32(v*(1<<31))))[1:]...)
		},
		"s24be": func(b []byte, v float64) []byte {
			return append(b, binary.BigEndian.AppendUint32(nil, uint32(int32(v*(1<<31))))[:3]...)
		},
		"s32le": func(b []byte, v float64) []byte { return binary.LittleEndian.AppendUint32(b, uint32(int32(v*(1<<31)))) },
		"s32be": func(b []byte, v float64) []byte { return binary.BigEndian.AppendUint32(b, uint32(int32(v*(1<<31)))) },
		"f32be": func(b []byte, v float64) []byte {
			return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(v)))
		},
		"f64le": func(b []byte, v float64) []byte { return binary.LittleEndian.AppendUint64(b, math.Float64bits(v)) },
	} {
		var file []byte
		for _, v := range want {
			file = put(file, float64(v))
		}
		require.Equal(t, want, rawSamples(t, file, record.RawFormat{Encoding: encoding, SampleRateHz: 8000}), encoding)
	}
}

// IMA's ADPCM without blocks is what sox makes of it.
func TestRawIMA(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	path := filepath.Join(t.TempDir(), "x.ima")
	require.NoError(t, exec.CommandContext(t.Context(), sox, "-n", "-r", "8000", "-c", "1", path, "synth", "2", "sine", "50-3000", "gain", "-6").Run())
	pcm, err := exec.CommandContext(t.Context(), sox, "-r", "8000", path, "-t", "raw", "-e", "signed", "-b", "16", "-").Output()
	require.NoError(t, err)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	got := rawSamples(t, file, record.RawFormat{Encoding: "ima", SampleRateHz: 8000})
	require.Equal(t, rawSamples(t, pcm, record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}), got)
}

// G.722 and G.726 in WAV files are what ffmpeg makes of them;
// of G.726 within -30 dB, as its decoder rounds otherwise.
func TestStreamsInWAV(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	path := filepath.Join(t.TempDir(), "x.wav")
	for _, c := range []struct {
		encoder, rate string
		most          float64 // of the sound's power
	}{{"g722", "16000", 0}, {"g726", "8000", 0.001}} {
		require.NoError(t, exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-y", "-f", "lavfi",
			"-i", "aevalsrc=0.4*sin(2*PI*t*(50+800*t)):s="+c.rate+":d=1", "-c:a", c.encoder, path).Run())
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		want, err := recordingtest.FFmpegSamples(t, file)
		require.NoError(t, err)
		s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
		require.NoError(t, err)
		got := recordingtest.ReadAll(t, s)
		require.Len(t, got, len(want), c.encoder)
		sound, off := 0.0, 0.0
		for i, w := range want {
			sound, off = sound+float64(w*w), off+float64((got[i]-w)*(got[i]-w))
		}
		require.LessOrEqual(t, off, c.most*sound, c.encoder)
		require.Empty(t, codec.LaterDefects(s), c.encoder)
	}
}
