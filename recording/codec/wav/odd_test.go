package wav_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

var le = binary.LittleEndian

// part is a chunk with its pad byte.
func part(id string, body []byte) []byte {
	b := append(le.AppendUint32([]byte(id), uint32(len(body))), body...)
	return append(b, make([]byte, len(body)&1)...)
}

// file is a RIFF file of the chunks.
func file(chunks ...[]byte) []byte {
	return part("RIFF", append([]byte("WAVE"), slices.Concat(chunks...)...))
}

// fmtChunk is a fmt chunk: tag, channels, rate, bytes a second, alignment, bits.
func fmtChunk(tag, channels, rate, second, align, bits int, extension ...byte) []byte {
	b := le.AppendUint16(nil, uint16(tag))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(second))
	b = le.AppendUint16(b, uint16(align))
	b = le.AppendUint16(b, uint16(bits))
	return part("fmt ", append(b, extension...))
}

// read reads a file to its end.
func read(t *testing.T, b []byte) (samples []float32, f goaudio.Format, details string) {
	t.Helper()
	s, defects, err := wav.Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
	require.NoError(t, err)
	samples = recordingtest.ReadAll(t, s)
	n, known := audio.FramesOf(s)
	require.True(t, known)
	require.Equal(t, len(samples)/s.Format().NumChannels, int(n))
	for _, d := range append(defects, codec.LaterDefects(s)...) {
		details += string(d.Code) + ": " + d.Detail + "; "
	}
	return samples, *s.Format(), details
}

// The sub-format of EXTENSIBLE is found in RIFX whichever way its writer turned
// the GUID, and one that isn't known is refused in full.
func TestExtensibleInRIFX(t *testing.T) {
	t.Parallel()
	for name, guid := range map[string]string{
		"first number":       "\x00\x01\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71",
		"all three numbers":  "\x00\x00\x00\x01\x00\x00\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
		"none of its bytes":  "\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71",
		"another, all three": "\x00\x00\x00\x92\x00\x00\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71",
		"a foreign one":      "\x00\x01\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x72",
	} {
		be := binary.BigEndian
		b := be.AppendUint32([]byte("RIFX"), 4+48+8+4)
		b = be.AppendUint32(append(b, "WAVEfmt "...), 40)
		b = append(b, 0xFF, 0xFE, 0, 1, 0, 0, 0x1F, 0x40, 0, 0, 0x3E, 0x80, 0, 2, 0, 16, 0, 22, 0, 16, 0, 0, 0, 4)
		b = append(b, guid...)
		b = append(be.AppendUint32(append(b, "data"...), 4), 0x40, 0, 0xC0, 0)
		if strings.HasPrefix(name, "a") && name != "all three numbers" {
			_, _, err := wav.Decode(bytes.NewReader(b), codec.Hint{Size: -1})
			require.ErrorContains(t, err, "unsupported_codec: WAV", name)
			continue
		}
		got, _, details := read(t, b)
		require.Equal(t, []float32{0.5, -0.5}, got, name)
		require.Empty(t, details, name)
	}
}

// Of an ADPCM header the numbers that agree are believed.
func TestADPCMHeaders(t *testing.T) {
	t.Parallel()
	recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	for tag, blocks := range map[int]struct {
		bytes, frames int
		extra         []byte
	}{
		0x11: {256, 505, nil},
		0x02: {256, 500, append([]byte{7, 0}, slices.Repeat([]byte{0, 1, 0, 0}, 7)...)},
	} {
		body := make([]byte, 8*blocks.bytes)
		for i := range body {
			if i%blocks.bytes > 6 {
				body[i] = byte(i*i>>3) | 0x80 // no beginning of a block
			}
		}
		build := func(align, bits, frames int) []byte {
			ext := append([]byte{byte(2 + len(blocks.extra)), 0, byte(frames), byte(frames >> 8)}, blocks.extra...)
			return file(fmtChunk(tag, 1, 8000, 16000, align, bits, ext...), part("data", body))
		}
		good := build(blocks.bytes, 4, blocks.frames)
		want, _, details := read(t, good)
		require.NotContains(t, details, "header_repaired")
		require.Len(t, want, 8*blocks.frames)
		ref, _ := recordingtest.FFmpegSamples(t, good)
		require.True(t, recordingtest.Near(ref, want, 0))
		for _, align := range []int{0, 1, 3, 100, 255, 257, 65535} {
			got, _, details := read(t, build(align, 4, blocks.frames))
			require.True(t, recordingtest.Near(want, got, 0), "%#x: align %d", tag, align)
			require.Contains(t, details, fmt.Sprintf("repaired: the block alignment, %d where 256 bytes belong together", align))
		}
		for _, frames := range []int{0, 1, 9, 100, 65535} { // the alignment is right
			got, _, details := read(t, build(blocks.bytes, 4, frames))
			require.True(t, recordingtest.Near(want, got, 0), "%#x: frames %d", tag, frames)
			require.NotContains(t, details, "header_repaired")
		}
		for _, bits := range []int{0, 1, 2, 3, 8, 16} {
			got, _, details := read(t, build(blocks.bytes, bits, blocks.frames))
			require.True(t, recordingtest.Near(want, got, 0), "%#x: bits %d", tag, bits)
			require.Contains(t, details, fmt.Sprintf("the bits per sample, %d where the encoding has 4", bits))
		}
	}
	_, _, err := wav.Decode(bytes.NewReader(file(fmtChunk(0x11, 1, 8000, 4055, 256, 3, 2, 0, 0x4f, 1), part("data", make([]byte, 256)))), codec.Hint{Size: -1})
	require.ErrorContains(t, err, "0x0011 (IMA ADPCM) of 3 bits")
}

// GSM 6.10 has one channel whatever the header says of blocks of its length; the
// bytes of a last block that are no whole frame are counted.
func TestGSMHeaders(t *testing.T) {
	t.Parallel()
	for _, channels := range []int{0, 2, 8} {
		got, f, details := read(t, file(fmtChunk(0x31, channels, 8000, 1625, 65, 0, 2, 0, 0x40, 1), part("data", make([]byte, 130))))
		require.Len(t, got, 640)
		require.Equal(t, 1, f.NumChannels)
		require.Contains(t, details, fmt.Sprintf("the channels, %d where GSM 6.10 has 1", channels))
	}
	for n, lost := range map[int]string{65: "", 98: "", 99: "", 64 + 65: "truncated", 65 + 40: "truncated", 65 + 20: "truncated"} {
		_, _, details := read(t, file(fmtChunk(0x31, 1, 8000, 1625, 65, 0, 2, 0, 0x40, 1), part("data", make([]byte, n))))
		require.Equal(t, lost != "", strings.Contains(details, "truncated"), "%d: %s", n, details)
	}
}

// An MPEG stream is read as what it is, whatever the header says of it.
func TestMPEGHeaders(t *testing.T) {
	t.Parallel()
	var stream bytes.Buffer
	e, err := mp3.New(&stream, &goaudio.Format{NumChannels: 1, SampleRate: 16000}, codec.Options{Frames: 16000})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Noise(16000, 0.3, 1)))
	require.NoError(t, e.Finish())
	data := part("data", stream.Bytes())
	want, _, _ := read(t, file(fmtChunk(0x55, 1, 16000, 4000, 1, 0), data))
	require.Len(t, want, 16000)
	for name, header := range map[string][]byte{
		"no channels":      fmtChunk(0x55, 0, 16000, 4000, 1, 0),
		"no rate":          fmtChunk(0x55, 1, 0, 4000, 1, 0),
		"4 GHz":            fmtChunk(0x55, 1, 0xFFFFFFFF, 4000, 1, 0),
		"layer I or II":    fmtChunk(0x50, 1, 16000, 4000, 1, 0),
		"PCM":              fmtChunk(1, 1, 16000, 32000, 2, 16),
		"PCM of 2 channel": fmtChunk(1, 2, 44100, 176400, 4, 16),
	} {
		got, f, details := read(t, file(header, data))
		require.True(t, recordingtest.Near(want, got, 0), name)
		require.Equal(t, goaudio.Format{NumChannels: 1, SampleRate: 16000}, f, name)
		require.Equal(t, strings.Contains(name, "PCM"), strings.Contains(details, "the format tag, 0x0001 (PCM)"), name)
	}
	for body, code := range map[string]string{
		"":                              "leg_empty",
		strings.Repeat("no audio", 900): "unreadable_leg",
		"\xFF\xFD\x90\xC4" + strings.Repeat("x", 900): "unsupported_codec",
	} {
		_, _, err := wav.Decode(bytes.NewReader(file(fmtChunk(0x55, 1, 16000, 4000, 1, 0), part("data", []byte(body)))), codec.Hint{Size: -1})
		require.ErrorContains(t, err, code+": WAV of MPEG audio: ")
	}
}

// A repair names the chunk that was wrong.
func TestWrongChunkIsNamed(t *testing.T) {
	t.Parallel()
	list := part("LIST", []byte("INFOISFT\x04\x00\x00\x00abc\x00"))
	le.PutUint32(list[4:], 0x7FFFFFF0)
	_, _, details := read(t, file(fmtChunk(1, 1, 8000, 16000, 2, 16), list, part("data", make([]byte, 3000))))
	require.Contains(t, details, `the size of the chunk "LIST"`)
}

// A fmt chunk behind the audio can't be had of a stream.
func TestFormatBehindNeedsRandomAccess(t *testing.T) {
	t.Parallel()
	b := file(part("data", make([]byte, 100)), fmtChunk(1, 1, 8000, 16000, 2, 16))
	_, _, err := wav.Decode(plain{bytes.NewReader(b)}, codec.Hint{Size: int64(len(b))})
	var fault *codec.DecodeError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, record.DefectUnreadableLeg, fault.Code)
	require.Contains(t, fault.Detail, "no fmt chunk")
}

// A chunk of 5 MB is gone past in a stream as well, if the RIFF size has room
// for it.
func TestLargeChunkInStream(t *testing.T) {
	t.Parallel()
	b := file(fmtChunk(1, 1, 8000, 16000, 2, 16), part("id3 ", make([]byte, 5<<20)), part("data", make([]byte, 100)))
	s, _, err := wav.Decode(plain{bytes.NewReader(b)}, codec.Hint{Size: -1})
	require.NoError(t, err)
	require.Len(t, recordingtest.ReadAll(t, s), 50)
	require.Empty(t, codec.LaterDefects(s))
}

// A size whose 32 bits have overflowed hides nothing of a file of 6 GB.
func TestOverflownSize(t *testing.T) {
	t.Parallel()
	for _, trailer := range []int{0, 1, 20} {
		const size = 6 << 30
		name := filepath.Join(t.TempDir(), "long.wav")
		f, err := os.Create(name)
		require.NoError(t, err)
		head := file(fmtChunk(1, 1, 8000, 16000, 2, 16), part("data", nil))
		audioBytes := int64(size - len(head))
		le.PutUint32(head[len(head)-4:], uint32(audioBytes))
		_, err = f.Write(head)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(size))
		switch trailer {
		case 1:
			_, err = f.WriteAt([]byte{0}, size) // a pad byte that isn't one
		case 20:
			_, err = f.WriteAt(part("LIST", []byte("INFOabcd----")), size)
		}
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		_, err = f.Seek(0, io.SeekStart)
		require.NoError(t, err)
		s, _, err := wav.Decode(f, codec.Hint{Size: info.Size()})
		require.NoError(t, err)
		n, known := audio.FramesOf(s)
		require.True(t, known)
		require.Equal(t, audioBytes/2, n, "%d", trailer)
		require.Contains(t, fmt.Sprint(codec.LaterDefects(s)), "32 bits have overflowed")
		require.NoError(t, f.Close())
	}
}

// Hundreds of thousands of chunks take no longer than their bytes.
func TestManyChunks(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"JUNK", "abcd"} {
		b := file(fmtChunk(1, 1, 8000, 16000, 2, 16), bytes.Repeat(part(id, []byte("xy")), 300_000), part("data", make([]byte, 100)))
		began := time.Now()
		got, _, details := read(t, b)
		require.Len(t, got, 50)
		require.Empty(t, details)
		require.Less(t, time.Since(began), 2*slow*time.Second, id)
		s, _, err := wav.Decode(plain{bytes.NewReader(b)}, codec.Hint{Size: -1})
		require.NoError(t, err)
		_, err = s.ReadFrames(make([]float32, 50))
		require.NotErrorIs(t, err, io.EOF)
	}
}
