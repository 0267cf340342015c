package mp3_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// encode is a second of noise in MP3.
func encode(t *testing.T, rate int, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	e, err := mp3.New(&b, &goaudio.Format{NumChannels: 1, SampleRate: rate}, codec.Options{Frames: int64(rate)})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Noise(rate, 0.3, seed)))
	require.NoError(t, e.Finish())
	return b.Bytes()
}

// decodeFile is the samples of a file and what was said of it.
func decodeFile(t *testing.T, file []byte) ([]float32, string) {
	t.Helper()
	s, _, err := mp3.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(t, err)
	got := recordingtest.ReadAll(t, s)
	n, known := audio.FramesOf(s)
	require.True(t, known)
	require.Equal(t, len(got), int(n))
	return got, fmt.Sprint(codec.LaterDefects(s))
}

// LAME puts its Info frame where it stands without a CRC, though there is one.
func TestInfoFrameWithCRC(t *testing.T) {
	t.Parallel()
	file := encode(t, 44100, 1)
	at := bytes.Index(file, []byte("Info"))
	require.Positive(t, at)
	want, _ := decodeFile(t, file)
	protected := slices.Clone(file)
	protected[1] &^= 1
	got, details := decodeFile(t, protected)
	require.True(t, recordingtest.Near(want, got, 0))
	require.Equal(t, "[]", details)
	// And it may make room for it.
	moved := slices.Concat(protected[:4], []byte{0, 0}, protected[4:])
	copy(moved[4:], make([]byte, at-2))
	n := 144 * 32000 / 44100
	for ; mp3HeaderAt(file, n) != mp3HeaderAt(file, 0); n++ {
	}
	moved = slices.Delete(moved, n, n+2)
	got, _ = decodeFile(t, moved)
	require.True(t, recordingtest.Near(want, got, 0))
}

// mp3HeaderAt is the part of a header that frames have in common.
func mp3HeaderAt(b []byte, at int) uint16 { return binary.BigEndian.Uint16(b[at:]) | 1 }

// A last frame that lacks bytes that it has no use for is whole.
func TestLastFrameWithoutItsStuffing(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	e, err := mp3.New(&b, &goaudio.Format{NumChannels: 1, SampleRate: 16000}, codec.Options{Frames: 16000})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(slices.Concat(recordingtest.Noise(8000, 0.3, 1), make([]float32, 8000))))
	require.NoError(t, e.Finish())
	want, _ := decodeFile(t, b.Bytes())
	got, details := decodeFile(t, b.Bytes()[:b.Len()-3])
	require.True(t, recordingtest.Near(want, got, 0), "%d, want %d", len(got), len(want))
	require.Contains(t, details, "the file ends within a frame")
}

// What a tag says of its length is believed only as far as the stream goes, also
// of streams, if their length is known.
func TestTagLongerThanTheStream(t *testing.T) {
	t.Parallel()
	file := encode(t, 16000, 1)
	want, _ := decodeFile(t, file)
	ape := append(binary.LittleEndian.AppendUint32([]byte("APETAGEX\xd0\x07\x00\x00"), 0xFFFFFFF0), make([]byte, 16)...)
	for _, tag := range [][]byte{[]byte("ID3\x03\x00\x00\x7f\x7f\x7f\x7f"), ape} {
		whole := slices.Concat(tag, file)
		s, _, err := mp3.Decode(struct{ io.Reader }{bytes.NewReader(whole)}, codec.Hint{Size: int64(len(whole))})
		require.NoError(t, err)
		require.True(t, recordingtest.Near(want, recordingtest.ReadAll(t, s), 0))
		_, _, err = mp3.Decode(struct{ io.Reader }{bytes.NewReader(whole)}, codec.Hint{Size: -1})
		require.ErrorContains(t, err, "unreadable_leg: a file that begins with a tag longer than itself")
	}
}

// Files put one behind the other: of the same rate they are one, with their
// tags; what is of another rate is named.
func TestConcatenated(t *testing.T) {
	t.Parallel()
	one, other := encode(t, 16000, 1), encode(t, 16000, 2)
	_, plain := decodeFile(t, slices.Concat(one, other))
	require.Equal(t, "[]", plain)
	id3v1 := append([]byte("TAG"), bytes.Repeat([]byte("x"), 125)...)
	for _, tags := range [][]byte{id3v1, slices.Concat(id3v1, []byte("ID3\x04\x00\x00\x00\x00\x00\x05hello"))} {
		got, details := decodeFile(t, slices.Concat(one, tags, other))
		require.Equal(t, "[]", details)
		require.Greater(t, len(got), 2*16000-1)
	}
	got, details := decodeFile(t, slices.Concat(one, encode(t, 8000, 1)))
	require.Len(t, got, 16000)
	require.Contains(t, details, string(record.DefectTruncated))
	require.Contains(t, details, "among them MPEG audio at 8000 Hz, where the stream begins at 16000 Hz")
}

// Megabytes of what is no audio are gone past without a call or an allocation
// for each byte.
func TestLongTail(t *testing.T) {
	file := encode(t, 16000, 1)
	want, _ := decodeFile(t, file)
	noise := make([]byte, 2<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32()) & 0x7F
	}
	for name, tail := range map[string][]byte{
		"zeros": make([]byte, 8<<20), "ones": bytes.Repeat([]byte{0xFF}, 8<<20), "noise": noise, "text": bytes.Repeat([]byte("TAG IDs, APE! "), 1<<16),
	} {
		whole := slices.Concat(file, tail)
		got, details := decodeFile(t, whole)
		require.True(t, recordingtest.Near(want, got, 0), name)
		require.Contains(t, details, fmt.Sprintf("%d bytes between frames were left out", len(tail)), name)
		block := make([]float32, 4096)
		allocs := testing.AllocsPerRun(1, func() {
			s, _, err := mp3.Decode(bytes.NewReader(whole), codec.Hint{Size: int64(len(whole))})
			for err == nil {
				_, err = s.ReadFrames(block)
			}
		})
		require.Less(t, allocs, float64(len(tail)/100), name)
	}
}

// An Info frame that announces less than its own delay is wrong.
func TestInfoFrameTooShort(t *testing.T) {
	t.Parallel()
	file := encode(t, 44100, 1)
	want, _ := decodeFile(t, file)
	at := bytes.Index(file, []byte("Info"))
	for _, n := range []uint32{0, 1} {
		binary.BigEndian.PutUint32(file[at+8:], n)
		got, _ := decodeFile(t, file)
		require.True(t, recordingtest.Near(want, got[:min(len(got), len(want))], 0), "%d: %d of %d", n, len(got), len(want))
	}
}

// Frames whose emphasis is of the reserved kind are frames.
func TestReservedEmphasis(t *testing.T) {
	t.Parallel()
	file := encode(t, 16000, 1)
	want, _ := decodeFile(t, file)
	marked := slices.Clone(file)
	for i := 0; i+4 < len(marked); i++ {
		if mp3HeaderAt(file, i) == mp3HeaderAt(file, 0) && file[i+2]&^2 == file[2]&^2 && file[i+3] == file[3] {
			marked[i+3] |= 2
		}
	}
	require.NotEqual(t, file, marked)
	got, _ := decodeFile(t, marked)
	require.True(t, recordingtest.Near(want, got, 0))
}

// A stream is as long as Frames says, wherever it is damaged and cut.
func TestDamagedStreamsAreCountedRightly(t *testing.T) {
	t.Parallel()
	file := encode(t, 16000, 1)
	r := rand.New(rand.NewPCG(7, 11))
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for i := range rounds {
		damaged := slices.Clone(file[:len(file)/2+r.IntN(len(file)/2)])
		for range 1 + r.IntN(6) {
			at := len(damaged) - 60 - r.IntN(1000)
			switch n := 1 + r.IntN(50); r.IntN(3) {
			case 0:
				damaged = slices.Delete(damaged, at, at+n)
			case 1:
				damaged = slices.Insert(damaged, at, make([]byte, n)...)
			default:
				for j := range n {
					damaged[at+j] ^= byte(r.Uint32())
				}
			}
		}
		s := open(t, damaged)
		frames, known := audio.FramesOf(s)
		require.True(t, known)
		require.Len(t, recordingtest.ReadAll(t, s), int(frames), "%d", i)
	}
}

// The frames of a free format are of one length, which may be too short for a
// later one with more side information.
func TestFreeFormatWithoutRoom(t *testing.T) {
	t.Parallel()
	mono := append([]byte{0xFF, 0xF3, 0x00, 0xC0}, make([]byte, 9)...) // MPEG-2, no main data
	stereo := append([]byte{0xFF, 0xF2, 0x00, 0x00}, make([]byte, 9)...)
	s := open(t, slices.Concat(mono, mono, mono, stereo, mono, mono, stereo))
	require.Len(t, recordingtest.ReadAll(t, s), 5*576)
	require.Contains(t, codec.LaterDefects(s)[0].Detail, "26 bytes between frames were left out")
}

// Streams that are joined are each cut by their own Info frame, and one that has none is
// read as it is.
func TestJoinedStreams(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 16000, 44100} {
		first, second := encode(t, rate, 1), encode(t, rate, 2)
		a, _ := decodeFile(t, first)
		b, _ := decodeFile(t, second)
		require.Len(t, a, rate)
		for name, between := range map[string][]byte{"": nil, "with tags between": slices.Concat(id3v1(), []byte("ID3\x04\x00\x00\x00\x00\x00\x00"))} {
			got, details := decodeFile(t, slices.Concat(first, between, second, between, first))
			require.Equal(t, 3*rate, len(got), "%d Hz %s", rate, name) //nolint:testifylint // its words would be all samples
			require.True(t, recordingtest.Near(a, got[:rate], 0), "%d Hz %s", rate, name)
			require.True(t, recordingtest.Near(b, got[rate:2*rate], 1e-6), "%d Hz %s", rate, name)
			require.True(t, recordingtest.Near(a, got[2*rate:], 1e-6), "%d Hz %s", rate, name)
			require.Equal(t, "[]", details)
		}
	}
}

// What the filter bank holds of a stream whose padding is shorter than its delay is the
// beginning of what comes out of the next.
func TestJoinedStreamsOfShortPadding(t *testing.T) {
	t.Parallel()
	const rate, padding = 16000, 100
	first, second := encode(t, rate, 1), encode(t, rate, 2)
	at := bytes.Index(first, []byte("LAME")) + 21
	delay, was := int(first[at])<<4|int(first[at+1])>>4, int(first[at+1]&15)<<8|int(first[at+2])
	require.Greater(t, was, 529)
	first[at+1], first[at+2] = byte(delay<<4)|padding>>8, padding
	got, _ := decodeFile(t, slices.Concat(first, second))
	b, _ := decodeFile(t, second)
	require.Equal(t, rate+was-padding+rate, len(got)) //nolint:testifylint // its words would be all samples
	require.True(t, recordingtest.Near(b, got[rate+was-padding:], 1e-6))
}

func id3v1() []byte { return append([]byte("TAG"), make([]byte, 125)...) }
