package au_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/au"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// file is an AU file with a comment of 4 bytes, and a data size that the caller states.
func file(encoding, rate, channels, size int, body []byte) []byte {
	b := []byte(".snd")
	for _, v := range []int{28, size, encoding, rate, channels} {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return append(append(b, "call"...), body...)
}

// open decodes a file of a known size.
func open(t *testing.T, b []byte) audio.Source {
	t.Helper()
	require.True(t, au.Sniff(b))
	s, defects, err := au.Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
	require.NoError(t, err)
	require.Empty(t, defects)
	return s
}

// What sox and ffmpeg write is what they read of it.
func TestAgainstSoxAndFFmpeg(t *testing.T) {
	t.Parallel()
	sox, ffmpeg := recordingtest.Tool(t, "sox", "sox"), recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	path := filepath.Join(t.TempDir(), "x.au")
	for _, c := range []struct {
		encoding []string
		is       string
	}{
		{[]string{"-e", "mu-law"}, "AU, µ-law"},
		{[]string{"-e", "a-law"}, "AU, A-law"},
		{[]string{"-e", "signed", "-b", "8"}, "AU, PCM of 8 bits"},
		{[]string{"-e", "signed", "-b", "16"}, "AU, PCM of 16 bits"},
		{[]string{"-e", "signed", "-b", "24"}, "AU, PCM of 24 bits"},
		{[]string{"-e", "signed", "-b", "32"}, "AU, PCM of 32 bits"},
		{[]string{"-e", "float", "-b", "32"}, "AU, float of 32 bits"},
		{[]string{"-e", "float", "-b", "64"}, "AU, float of 64 bits"},
	} {
		args := append([]string{"-D", "-n", "-r", "8000", "-c", "2"}, append(c.encoding, path, "synth", "0.5", "sine", "300", "sine", "500", "gain", "-3")...)
		require.NoError(t, exec.CommandContext(t.Context(), sox, args...).Run())
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		s := open(t, b)
		require.Equal(t, goaudio.Format{NumChannels: 2, SampleRate: 8000}, *s.Format())
		require.Equal(t, c.is, codec.Describe(s))
		n, known := audio.FramesOf(s)
		require.True(t, known)
		require.EqualValues(t, 4000, n)
		got := recordingtest.ReadAll(t, s)
		require.Empty(t, codec.LaterDefects(s), c.is)
		pcm, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-i", path, "-f", "f64be", "-c:a", "pcm_f64be", "-f", "au", "-").Output()
		require.NoError(t, err)
		require.True(t, recordingtest.Near(recordingtest.ReadAll(t, open(t, pcm)), got, 1e-6), c.is)
	}
}

// ADPCM in AU files is what sox makes of it, within the least unit of 14 bits.
func TestADPCM(t *testing.T) {
	t.Parallel()
	sox, ffmpeg := recordingtest.Tool(t, "sox", "sox"), recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	codes, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*t*(50+800*t)):s=8000:d=1",
		"-c:a", "g726le", "-code_size", "4", "-f", "g726le", "-").Output()
	require.NoError(t, err)
	b := file(23, 8000, 1, len(codes), codes)
	path := filepath.Join(t.TempDir(), "x.au")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	pcm, err := exec.CommandContext(t.Context(), sox, path, "-e", "signed", "-b", "16", "-t", "au", "-").Output()
	require.NoError(t, err)
	s := open(t, b)
	require.Equal(t, "AU, G.726 of 32 kbit/s", codec.Describe(s))
	require.True(t, recordingtest.Near(recordingtest.ReadAll(t, open(t, pcm)), recordingtest.ReadAll(t, s), 4.0/32768))
}

// A header that states too much, nothing, or that nothing is known, is survived.
func TestSizes(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("\x10\x20"), 8000)
	for name, c := range map[string]struct {
		size   int
		frames int
		defect record.DefectCode
	}{
		"right":   {16000, 8000, ""},
		"unknown": {0xFFFFFFFF, 8000, ""},
		"zero":    {0, 8000, record.DefectHeaderRepaired},
		"short":   {6000, 3000, record.DefectHeaderRepaired},
		"long":    {20000, 8000, record.DefectTruncated},
	} {
		b := file(3, 4000, 1, c.size, body)
		for _, hint := range []codec.Hint{{Size: int64(len(b))}, {Size: codec.SizeUnknown}} {
			s, defects, err := au.Decode(bytes.NewReader(b), hint)
			require.NoError(t, err, name)
			got := recordingtest.ReadAll(t, s)
			require.Len(t, got, c.frames, name)
			require.InDelta(t, float64(0x1020)/32768, got[c.frames-1], 1e-9)
			defects = append(defects, codec.LaterDefects(s)...)
			if c.defect == "" {
				require.Empty(t, defects, name)
				continue
			}
			require.Len(t, defects, 1, name)
			require.Equal(t, c.defect, defects[0].Code, name)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tooFar := file(3, 8000, 1, 100, make([]byte, 100))
	tooFar[4] = 1
	for name, c := range map[string]struct {
		file []byte
		code record.DefectCode
		says string
	}{
		"nothing":      {nil, record.DefectLegEmpty, "ends after 0 bytes"},
		"half":         {file(3, 8000, 1, 100, nil)[:20], record.DefectLegEmpty, "ends after 20 bytes"},
		"another":      {[]byte("RIFF" + strings.Repeat(".", 40)), record.DefectUnreadableLeg, "not an AU file"},
		"encoding":     {file(21, 8000, 1, 100, nil), record.DefectUnsupportedCodec, "AU encoding 21"},
		"no channel":   {file(3, 8000, 0, 100, nil), record.DefectUnreadableLeg, "of 0 channels"},
		"rate":         {file(3, 1, 1, 100, nil), record.DefectUnreadableLeg, "at 1 Hz"},
		"header":       {tooFar, record.DefectUnreadableLeg, "begin at byte"},
		"stereo G.722": {file(24, 16000, 2, 100, nil), record.DefectUnsupportedCodec, "of 2 channels"},
	} {
		_, _, err := au.Decode(bytes.NewReader(c.file), codec.Hint{Size: int64(len(c.file))})
		var fault *codec.DecodeError
		require.ErrorAs(t, err, &fault, name)
		require.Equal(t, c.code, fault.Code, name)
		require.ErrorContains(t, err, c.says)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	b := file(3, 8000, 2, 4*2000, bytes.Repeat([]byte("\x10\x20\x30\x40"), 2000))
	recordingtest.DecoderContract(t, recordingtest.Decoding{
		Decode: au.Decode, File: b, Format: goaudio.Format{NumChannels: 2, SampleRate: 8000}, Want: recordingtest.ReadAll(t, open(t, b)),
	})
}

func TestNoAllocations(t *testing.T) {
	recordingtest.DecoderAllocations(t, recordingtest.Decoding{Decode: au.Decode, File: file(3, 8000, 1, 1<<19, make([]byte, 1<<19))})
}

// Whatever the bytes, reading ends, the total is right and memory follows the bytes.
func FuzzDecode(f *testing.F) {
	f.Add(file(3, 8000, 1, 200, make([]byte, 200)))
	f.Add(file(23, 8000, 1, 0, make([]byte, 99)))
	f.Add(file(24, 16000, 1, 0xFFFFFFFF, make([]byte, 50)))
	f.Add(file(7, 8000, 2, 1000, make([]byte, 99)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, _, err := au.Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
		if err != nil {
			var fault *codec.DecodeError
			require.ErrorAs(t, err, &fault)
			return
		}
		total, known := audio.FramesOf(s)
		require.True(t, known)
		frames, block := int64(0), make([]float32, 64*s.Format().NumChannels)
		for {
			n, err := s.ReadFrames(block)
			frames += int64(n)
			if err != nil {
				break
			}
		}
		require.Equal(t, total, frames)
		codec.LaterDefects(s)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20)+uint64(16*len(b)))
	})
}
