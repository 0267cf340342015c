package wav_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// byTool has ffmpeg encode n frames of the sample call.
func byTool(t testing.TB, codecName string, n, channels int, more ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.wav")
	args := slices.Concat([]string{
		"-v", "error", "-i", "pipe:0", "-af", "atrim=start_sample=20000:end_sample=" + strconv.Itoa(20000+n),
		"-ac", strconv.Itoa(channels), "-c:a", codecName,
	}, more, []string{path})
	cmd := exec.CommandContext(t.Context(), recordingtest.Tool(t, "ffmpeg", "ffmpeg"), args...)
	cmd.Stdin = bytes.NewReader(samplecall.Agent())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return file
}

// Encodings in blocks decode to ffmpeg's samples, bit by bit, from every kind of
// reader; a file cut anywhere gives the beginning of them.
func TestBlocksAgainstFFmpeg(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for _, c := range []struct {
		codec    string
		channels int
		more     []string
	}{
		{"libgsm_ms", 1, nil},
		{"adpcm_ima_wav", 1, nil},
		{"adpcm_ima_wav", 2, nil},
		{"adpcm_ima_wav", 1, []string{"-block_size", "256"}},
		{"adpcm_ms", 1, nil},
		{"adpcm_ms", 2, nil},
		{"adpcm_ms", 2, []string{"-block_size", "512"}},
	} {
		t.Run(c.codec+" "+strconv.Itoa(c.channels), func(t *testing.T) {
			t.Parallel()
			file := byTool(t, c.codec, 32000, c.channels, c.more...)
			want, err := recordingtest.FFmpegSamples(t, file)
			require.NoError(t, err)
			for way, open := range ways(file) {
				r, hint := open()
				s, _, err := wav.Decode(r, hint)
				require.NoError(t, err, way)
				n, known := audio.FramesOf(s)
				got := recordingtest.ReadAll(t, s)
				// The fact chunk cuts padding off that ffmpeg gives.
				require.GreaterOrEqual(t, len(got), 32000*c.channels, way)
				require.Less(t, len(want)-len(got), 2048*c.channels, way)
				require.True(t, recordingtest.Near(want[:len(got)], got, 0), way)
				if known {
					require.Equal(t, len(got)/c.channels, int(n), way)
				}
				for _, d := range codec.LaterDefects(s) {
					require.Equal(t, record.DefectClipped, d.Code, "%s: %s", way, d.Detail)
				}
			}
			recordingtest.SourceContract(t, func() audio.Source {
				s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
				require.NoError(t, err)
				return s
			})
			for _, size := range []int{200, 1000, 5003, len(file) - 1} {
				var first []float32
				for way, open := range ways(file[:size]) {
					r, hint := open()
					s, _, err := wav.Decode(r, hint)
					require.NoError(t, err, way)
					n, known := audio.FramesOf(s)
					got := recordingtest.ReadAll(t, s)
					require.True(t, recordingtest.Near(want[:min(len(got), len(want))], got, 0), "%s: %d of %d bytes", way, size, len(file))
					require.Equal(t, record.DefectTruncated, codec.LaterDefects(s)[0].Code, way)
					if known {
						require.Equal(t, len(got)/c.channels, int(n), way)
					}
					if first == nil {
						first = got
					}
					require.Len(t, got, len(first), way)
				}
			}
		})
	}
}

// sox's wav49 ends where its fact chunk says.
func TestWav49OfSox(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	for _, n := range []int{1, 159, 160, 161, 319, 320, 321, 16001} {
		cmd := exec.CommandContext(t.Context(), sox, "-t", "wav", "-", "-t", "wav", "-e", "gsm-full-rate", "-", "trim", "20000s", strconv.Itoa(n)+"s")
		cmd.Stdin = bytes.NewReader(samplecall.Agent())
		file, err := cmd.Output()
		require.NoError(t, err)
		if n := len(file); string(file[52:56]) == "data" { // to a pipe sox writes no sizes
			binary.LittleEndian.PutUint32(file[56:], uint32((n-60)/65*65))
		}
		path := filepath.Join(t.TempDir(), "x.wav")
		require.NoError(t, os.WriteFile(path, file, 0o600))
		raw, err := exec.CommandContext(t.Context(), sox, path, "-t", "raw", "-e", "signed", "-b", "16", "-").Output()
		require.NoError(t, err)
		s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
		require.NoError(t, err)
		got := recordingtest.ReadAll(t, s)
		for i := range min(len(got), len(raw)/2) {
			require.Equal(t, int16(binary.LittleEndian.Uint16(raw[2*i:])), int16(32768*got[i]))
		}
		fact := int(binary.LittleEndian.Uint32(file[48:]))
		if fact == n {
			require.Len(t, got, n)
		}
	}
}

// sox counts the pad byte behind an odd number of blocks as audio: nothing is
// missing then.
func TestPadByteOfBlocks(t *testing.T) {
	t.Parallel()
	file := byTool(t, "libgsm_ms", 320*75, 1)
	_, size, _ := bytes.Cut(file, []byte("data")) // a part of file
	require.Equal(t, 75*65, int(binary.LittleEndian.Uint32(size)))
	binary.LittleEndian.PutUint32(size, 75*65+1)
	for way, open := range ways(file) {
		r, hint := open()
		s, _, err := wav.Decode(r, hint)
		require.NoError(t, err, way)
		require.Len(t, recordingtest.ReadAll(t, s), 320*75, way)
		require.Empty(t, codec.LaterDefects(s), way)
	}
}

// Bare GSM frames by the job's hint; frames without a signature are silent.
func TestRawGSM(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	cmd := exec.CommandContext(t.Context(), sox, "-t", "wav", "-", "-t", "gsm", "-", "trim", "20000s", "16000s")
	cmd.Stdin = bytes.NewReader(samplecall.Agent())
	file, err := cmd.Output()
	require.NoError(t, err)
	cmd = exec.CommandContext(t.Context(), sox, "-t", "gsm", "-", "-t", "raw", "-e", "signed", "-b", "16", "-")
	cmd.Stdin = bytes.NewReader(file)
	want, err := cmd.Output()
	require.NoError(t, err)
	raw := &record.RawFormat{Encoding: "gsm", SampleRateHz: 8000}
	open := func(file []byte) audio.Source {
		s, _, err := wav.DecodeRaw(bytes.NewReader(file), codec.Hint{Size: int64(len(file)), Raw: raw})
		require.NoError(t, err)
		n, _ := audio.FramesOf(s)
		require.Equal(t, len(file)/33*160, int(n))
		return s
	}
	got := recordingtest.ReadAll(t, open(file))
	require.Len(t, got, len(want)/2)
	for i := range got {
		require.Equal(t, int16(binary.LittleEndian.Uint16(want[2*i:])), int16(32768*got[i]))
	}
	bad := slices.Clone(file[:33*10+5])
	bad[33] = 0
	s := open(bad)
	got = recordingtest.ReadAll(t, s)
	require.Equal(t, make([]float32, 160), got[160:320])
	require.Len(t, codec.LaterDefects(s), 2)
	for _, wrong := range []record.RawFormat{{Encoding: "gsm", SampleRateHz: 16000}, {Encoding: "gsm", SampleRateHz: 8000, Channels: 2}} {
		_, _, err := wav.DecodeRaw(bytes.NewReader(file), codec.Hint{Size: -1, Raw: &wrong})
		require.ErrorContains(t, err, "GSM")
	}
}

// MP3 in a WAV file is the stream within.
func TestMP3InWAV(t *testing.T) {
	t.Parallel()
	file := byTool(t, "libmp3lame", 32000, 1, "-ar", "16000", "-b:a", "32k")
	want, err := recordingtest.FFmpegSamples(t, file)
	require.NoError(t, err)
	for way, open := range ways(file) {
		r, hint := open()
		s, _, err := wav.Decode(r, hint)
		require.NoError(t, err, way)
		n, known := audio.FramesOf(s)
		require.Equal(t, way == "file", known, way)
		got := recordingtest.ReadAll(t, s)
		if known {
			require.Equal(t, len(got), int(n))
		}
		require.Empty(t, codec.LaterDefects(s))
		require.Len(t, got, len(want), way)
		require.Greater(t, recordingtest.SNR(want, got), 60.0, way)
	}
}
