package wav_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

// ways are the kinds of readers that a WAV file may come from.
func ways(file []byte) map[string]func() (io.Reader, codec.Hint) {
	size := int64(len(file))
	return map[string]func() (io.Reader, codec.Hint){
		"file":                 func() (io.Reader, codec.Hint) { return bytes.NewReader(file), codec.Hint{Size: size} },
		"stream of known size": func() (io.Reader, codec.Hint) { return plain{bytes.NewReader(file)}, codec.Hint{Size: size} },
		"stream":               func() (io.Reader, codec.Hint) { return plain{bytes.NewReader(file)}, codec.Hint{Size: -1} },
		"stream in halves": func() (io.Reader, codec.Hint) {
			return iotest.HalfReader(plain{bytes.NewReader(file)}), codec.Hint{Size: -1}
		},
		"stream with data and end together": func() (io.Reader, codec.Hint) {
			return iotest.DataErrReader(plain{bytes.NewReader(file)}), codec.Hint{Size: -1}
		},
	}
}

// Every file of the corpus, from every kind of reader: right samples, right
// defects, the contract kept, and a total where it can be known.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range recordingtest.WAVCorpus(1) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			for way, open := range ways(c.File) {
				if c.Random && way != "file" {
					continue
				}
				r, hint := open()
				s, defects, err := wav.Decode(r, hint)
				if c.Want == nil {
					var fault *codec.DecodeError
					require.ErrorAs(t, err, &fault, way)
					require.Equal(t, c.Defects[0], fault.Code, "%s: %v", way, err)
					continue
				}
				require.NoError(t, err, way)
				require.Equal(t, c.Format, *s.Format(), way)
				n, known := audio.FramesOf(s)
				got := recordingtest.ReadAll(t, s)
				require.True(t, recordingtest.Near(c.Want, got, 0), "%s: %d samples, want %d", way, len(got), len(c.Want))
				var codes []record.DefectCode
				for _, d := range append(defects, codec.LaterDefects(s)...) {
					codes = append(codes, d.Code)
				}
				require.Equal(t, c.Defects, codes, "%s: %+v", way, codec.LaterDefects(s))
				require.True(t, known || way != "file", "the total must be known of a file")
				if known {
					require.Equal(t, len(got)/c.Format.NumChannels, int(n), way)
				}
			}
			if c.Want != nil && !c.Random {
				recordingtest.SourceContract(t, func() audio.Source {
					s, _, err := wav.Decode(plain{bytes.NewReader(c.File)}, codec.Hint{Size: -1})
					require.NoError(t, err)
					return s
				})
			}
		})
	}
}

// Where ffmpeg reads a file of the corpus, it reads the same samples.
func TestCorpusAgainstFFmpeg(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	for _, c := range recordingtest.WAVCorpus(1) {
		if !c.FFmpeg {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got, _ := recordingtest.FFmpegSamples(t, c.File)
			require.True(t, recordingtest.Near(c.Want, got, 1e-7))
		})
	}
}

// RIFX is big-endian to sox as it is here; ffmpeg takes its samples for
// little-endian ones.
func TestRIFXAgainstSox(t *testing.T) {
	t.Parallel()
	sox := recordingtest.Tool(t, "sox", "sox")
	for _, c := range recordingtest.WAVCorpus(1) {
		if !strings.HasPrefix(string(c.File), "RIFX") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), sox, "-t", "wav", "-", "-t", "raw", "-e", "float", "-b", "32", "-L", "-")
			cmd.Stdin = bytes.NewReader(c.File)
			out, err := cmd.Output()
			require.NoError(t, err)
			got := make([]float32, len(out)/4)
			for i := range got {
				got[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
			}
			require.True(t, recordingtest.Near(c.Want, got, 1e-6))
		})
	}
}

func TestReadErrorIsNotAFault(t *testing.T) {
	t.Parallel()
	file := recordingtest.WAVCorpus(1)[0].File
	broken := errors.New("the network is gone")
	for _, n := range []int{0, 3, 30, 1000, 5000} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		s, _, err := wav.Decode(r, codec.Hint{Size: int64(len(file))})
		for err == nil {
			_, err = s.ReadFrames(make([]float32, 100))
		}
		require.ErrorIs(t, err, broken)
	}
}

func TestRaw(t *testing.T) {
	t.Parallel()
	pcm := []byte{0, 0x40, 0, 0xC0, 1}
	for _, size := range []int64{-1, int64(len(pcm))} {
		hint := codec.Hint{Size: size, Raw: &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}}
		s, _, err := wav.DecodeRaw(bytes.NewReader(pcm), hint)
		require.NoError(t, err)
		require.Equal(t, []float32{0.5, -0.5}, recordingtest.ReadAll(t, s))
		require.Equal(t, record.DefectTruncated, codec.LaterDefects(s)[0].Code)
	}
	for law, want := range map[string]float32{"mulaw": -32124.0 / 32768, "alaw": -5504.0 / 32768} {
		hint := codec.Hint{Size: -1, Raw: &record.RawFormat{Encoding: law, SampleRateHz: 8000}}
		s, _, err := wav.DecodeRaw(bytes.NewReader([]byte{0}), hint)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, recordingtest.ReadAll(t, s))
	}
	_, _, err := wav.DecodeRaw(bytes.NewReader(nil), codec.Hint{})
	require.Error(t, err)
}

// Files with a sound header and no whole frame are read as nothing.
func TestNoFrames(t *testing.T) {
	t.Parallel()
	good := recordingtest.WAVCorpus(1)[0].File
	for size, behind := range map[byte]string{0: "LIST\x04\x00\x00\x00INFO", 1: "\x01\x00"} {
		file := append(slices.Clone(good[:44]), behind...)
		file[4], file[5], file[40], file[41] = byte(len(file)-8), 0, size, 0
		for way, open := range ways(file) {
			r, hint := open()
			s, _, err := wav.Decode(r, hint)
			require.NoError(t, err, way)
			require.Empty(t, recordingtest.ReadAll(t, s), way)
			require.Len(t, codec.LaterDefects(s), int(size), "%s: truncated, if there was half a frame", way)
		}
	}
}

func TestClippedSource(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	e, err := wav.NewPCM(&file, recordingtest.Mono(8000), codec.Options{Frames: 9})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames([]float32{0, 1, 1, 1, 1, 0, -1, -1, 0}))
	require.NoError(t, e.Finish())
	s, _, err := wav.Decode(&file, codec.Hint{Size: -1})
	require.NoError(t, err)
	recordingtest.ReadAll(t, s)
	require.Equal(t, record.DefectClipped, codec.LaterDefects(s)[0].Code)
	require.Equal(t, int64(4), codec.LaterDefects(s)[0].Count)
}
