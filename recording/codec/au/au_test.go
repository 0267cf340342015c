package au_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

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

// Files that were joined by cat are one recording, in the first one's format, whatever the
// first one's header says of its length.
func TestJoinedFiles(t *testing.T) {
	t.Parallel()
	pcm := func(encoding, rate, channels, seconds int, size int) []byte {
		var b []byte
		for _, v := range recordingtest.Sine(seconds*rate, rate, 300, 0.5, 0) {
			for range channels {
				switch encoding {
				case 3:
					b = binary.BigEndian.AppendUint16(b, uint16(int16(v*32767)))
				case 6:
					b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
				}
			}
		}
		if size < 0 {
			size = len(b)
		}
		return file(encoding, rate, channels, size, b)
	}
	const unknown = 0xFFFFFFFF
	one := pcm(3, 8000, 1, 2, -1)
	for name, c := range map[string]struct {
		file    []byte
		seconds int
		changed bool
	}{
		"two":                  {slices.Concat(one, one), 4, false},
		"three":                {slices.Concat(one, one, one), 6, false},
		"data size 0":          {slices.Concat(pcm(3, 8000, 1, 2, 0), one), 4, false},
		"data size unknown":    {slices.Concat(pcm(3, 8000, 1, 2, unknown), pcm(3, 8000, 1, 2, unknown), one), 6, false},
		"another format":       {slices.Concat(one, pcm(6, 16000, 2, 2, -1), one), 6, true},
		"0 and another format": {slices.Concat(pcm(3, 8000, 1, 2, 0), pcm(6, 16000, 2, 2, unknown)), 4, true},
	} {
		for _, r := range []io.Reader{bytes.NewReader(c.file), struct{ io.Reader }{iotest.OneByteReader(bytes.NewReader(c.file))}} {
			hint := codec.Hint{Size: codec.SizeUnknown}
			_, random := r.(io.ReaderAt)
			if random {
				hint.Size = int64(len(c.file))
			}
			s, defects, err := au.Decode(r, hint)
			require.NoError(t, err, name)
			n, known := audio.FramesOf(s)
			require.Equal(t, random, known, name)
			got := recordingtest.ReadAll(t, s)
			require.Len(t, got, 8000*c.seconds, name)
			if known {
				require.EqualValues(t, len(got), n, name)
			}
			// No header is heard as a click: what differs is the sine that begins anew, and
			// the resampler's edge.
			for i, v := range got {
				if at := i % 16000; at > 200 && at < 15800 {
					require.InDelta(t, 0.5*math.Sin(2*math.Pi*300*float64(at)/8000), v, 0.002, "%s, sample %d", name, i)
				}
			}
			defects = append(defects, codec.LaterDefects(s)...)
			codes := map[record.DefectCode]bool{}
			for _, d := range defects {
				codes[d.Code] = true
			}
			want := map[record.DefectCode]bool{record.DefectHeaderRepaired: true}
			if c.changed {
				want[record.DefectFormatChanged] = true
			}
			require.Equal(t, want, codes, name)
		}
	}
	for name, second := range map[string][]byte{"encoding": file(21, 8000, 1, 100, nil), "rate": file(3, 1, 1, 100, nil)} {
		b := slices.Concat(one, second)
		s := open(t, b)
		require.Len(t, recordingtest.ReadAll(t, s), 16000, name)
		later := codec.LaterDefects(s)
		require.Len(t, later, 1, name)
		require.Equal(t, record.DefectTruncated, later[0].Code, name)
		require.Contains(t, later[0].Detail, "joined behind the audio was left out", name)
	}
	// However many there are, it ends; each costs little.
	b := bytes.Repeat(file(3, 8000, 1, 2, []byte{1, 2}), 1100)
	s := open(t, b)
	require.Len(t, recordingtest.ReadAll(t, s), 1001)
	require.Contains(t, codec.LaterDefects(s)[1].Detail, "more than 1000")
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
	f.Add(slices.Concat(file(3, 8000, 1, 200, make([]byte, 200)), file(1, 16000, 2, 0, make([]byte, 99)), file(27, 44100, 1, 1000, make([]byte, 50))))
	f.Fuzz(func(t *testing.T, b []byte) {
		files := bytes.Count(b, []byte(".snd")) + bytes.Count(b, []byte("dns."))
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
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20)+uint64(16*len(b))+uint64(files)*160<<10)
	})
}
