package flac_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// onlyReader hides that a reader can be read at random.
type onlyReader struct{ io.Reader }

// frames are the frames of a stream of ours, without its header.
func frames(file []byte) []byte { return file[42:] }

// tone is n frames of a tone of 300 Hz.
func tone(n, rate, channels int) []float32 {
	s := recordingtest.Sine(n, rate, 300, 0.5, 0)
	out := make([]float32, 0, n*channels)
	for _, v := range s {
		for range channels {
			out = append(out, v)
		}
	}
	return out
}

// A stream whose frames change their parameters, and streams that are joined, are read to
// their end in the first one's format, at the right rate, with a defect.
func TestParametersChange(t *testing.T) {
	t.Parallel()
	first := encode(t, tone(16000, 8000, 1), 1, 8000, codec.Options{Frames: 16000})
	for name, second := range map[string][]byte{
		"rate":     encode(t, tone(32000, 16000, 1), 1, 16000, codec.Options{Frames: 32000}),
		"odd rate": encode(t, tone(22050, 11025, 1), 1, 11025, codec.Options{Frames: 22050}),
		"channels": encode(t, tone(16000, 8000, 2), 2, 8000, codec.Options{Frames: 16000}),
		"bits":     encode(t, tone(16000, 8000, 1), 1, 8000, codec.Options{Frames: 16000, BitDepth: 24}),
		"all":      encode(t, tone(96000, 48000, 2), 2, 48000, codec.Options{Frames: 96000, BitDepth: 24}),
	} {
		for how, file := range map[string][]byte{
			"frames change": slices.Concat(first, frames(second)),
			"joined":        slices.Concat(first, second),
			"back again":    slices.Concat(first, second, first),
		} {
			what := name + ", " + how
			for way, open := range ways(file) {
				r, hint := open()
				s, defects, err := flac.Decode(r, hint)
				require.NoError(t, err, what)
				n, known := audio.FramesOf(s)
				got := recordingtest.ReadAll(t, s)
				whole := 32000
				if how == "back again" {
					whole = 48000
				}
				require.Len(t, got, whole, "%s, %s", what, way)
				if known {
					require.EqualValues(t, whole, n, what)
				}
				// The same tone, but for the resampler's edges at the seams.
				for part := range whole / 16000 {
					want := tone(16000, 8000, 1)
					require.Greater(t, recordingtest.SNR(want[200:15800], got[part*16000+200:][:15600]), 70.0, "%s, part %d", what, part)
				}
				defects = append(defects, codec.LaterDefects(s)...)
				require.Contains(t, codesOf(defects), record.DefectFormatChanged, what)
				require.NotContains(t, codesOf(defects), record.DefectTruncated, what)
			}
		}
	}
}

func codesOf(defects []record.Defect) []record.DefectCode {
	var codes []record.DefectCode
	for _, d := range defects {
		codes = append(codes, d.Code)
	}
	return codes
}

// Two streams of the same parameters are one recording.
func TestJoined(t *testing.T) {
	t.Parallel()
	one := encode(t, tone(16000, 8000, 1), 1, 8000, codec.Options{Frames: 16000})
	got, codes := read(t, slices.Concat(one, one))
	require.Len(t, got, 32000)
	require.Equal(t, map[record.DefectCode]int64{record.DefectHeaderRepaired: 0}, codes)
}

// A stream that begins at a frame, behind zeros or junk, or behind a large tag, from any
// reader, is found by the registry and read whole.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	file := encode(t, tone(16000, 8000, 1), 1, 8000, codec.Options{Frames: 16000})
	want, _ := read(t, file)
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x60\x00"), make([]byte, 0x60<<7)...) // 12 KB
	noise := bytes.Repeat([]byte("\x31\x9A\xFF\xF8\x42"), 1000)
	for name, b := range map[string][]byte{
		"at a frame":            frames(file),
		"behind zeros":          append(make([]byte, 5000), file...),
		"a frame behind zeros":  append(make([]byte, 5000), frames(file)...),
		"behind junk":           append(bytes.Clone(noise), file...),
		"a frame behind junk":   append(bytes.Clone(noise), frames(file)...),
		"behind a tag of 12 KB": append(tag, file...),
		"no total, no MD5":      slices.Concat(file[:21], []byte{file[21] & 0xF0}, make([]byte, 20), file[42:]),
	} {
		for _, r := range []io.Reader{bytes.NewReader(b), onlyReader{bytes.NewReader(b)}} {
			hint := codec.Hint{Size: codec.SizeUnknown}
			if _, ok := r.(io.ReaderAt); ok {
				hint.Size = int64(len(b))
			}
			s, _, err := recording.BuiltinCodecs().Decode(r, hint)
			require.NoError(t, err, name)
			require.Equal(t, want, recordingtest.ReadAll(t, s), name)
		}
	}
}

// A block of 65,536 frames, which no decoder reads, is silence of its length.
func TestLargestBlock(t *testing.T) {
	t.Parallel()
	file := encode(t, tone(2048, 8000, 1), 1, 8000, codec.Options{Frames: 2048})
	// A constant subframe in a block that states its length minus 1 in 16 bits.
	large := []byte{0xFF, 0xF8, 0x74, 0x08, 0x00, 0xFF, 0xFF}
	large = append(append(large, checkSum(large, 8, 0x07)...), 0, 0x10, 0x00)
	large = append(large, checkSum(large, 16, 0x8005)...)
	want, _ := read(t, file)
	got, codes := read(t, slices.Concat(file[:42], large, frames(file)))
	require.Len(t, got, 65536+2048)
	require.Equal(t, make([]float32, 65536), got[:65536])
	require.Equal(t, want, got[65536:])
	require.EqualValues(t, 65536, codes[record.DefectTruncated])
}
