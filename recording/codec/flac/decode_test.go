package flac_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"testing/iotest"

	goaudio "github.com/go-audio/audio"
	mewkiz "github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// block is how many frames the encoder takes at a time at 8 kHz.
const block = 1024

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

// ways are the kinds of readers that a file may come from.
func ways(file []byte) map[string]func() (io.Reader, codec.Hint) {
	size := int64(len(file))
	return map[string]func() (io.Reader, codec.Hint){
		"file":   func() (io.Reader, codec.Hint) { return bytes.NewReader(file), codec.Hint{Size: size} },
		"stream": func() (io.Reader, codec.Hint) { return plain{bytes.NewReader(file)}, codec.Hint{Size: -1} },
		"one byte a time": func() (io.Reader, codec.Hint) {
			return iotest.OneByteReader(plain{bytes.NewReader(file)}), codec.Hint{Size: -1}
		},
		"data and end together": func() (io.Reader, codec.Hint) {
			return iotest.DataErrReader(plain{bytes.NewReader(file)}), codec.Hint{Size: -1}
		},
	}
}

// read decodes a file in every way and returns its samples and defects.
func read(t *testing.T, file []byte) (samples []float32, codes map[record.DefectCode]int64) {
	t.Helper()
	for way, open := range ways(file) {
		r, hint := open()
		src, defects, err := flac.Decode(r, hint)
		require.NoError(t, err, way)
		require.Empty(t, defects, way)
		total, known := audio.FramesOf(src)
		require.Equal(t, way == "file", known, way)
		got := recordingtest.ReadAll(t, src)
		if known {
			require.Equal(t, len(got)/src.Format().NumChannels, int(total), way)
		}
		these := map[record.DefectCode]int64{}
		for _, d := range codec.LaterDefects(src) {
			these[d.Code] = d.Count
		}
		if codes != nil {
			require.Equal(t, samples, got, way)
			require.Equal(t, codes, these, way)
		}
		samples, codes = got, these
	}
	return samples, codes
}

func TestDecodeContract(t *testing.T) {
	t.Parallel()
	samples := call(t)[2*100000 : 2*112000]
	for _, file := range [][]byte{
		encode(t, samples, 2, 8000, codec.Options{Frames: 12000}),
		encode(t, samples, 2, 8000, codec.Options{Frames: 12000})[:12000],
	} {
		recordingtest.SourceContract(t, func() audio.Source {
			s, _, err := flac.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
			require.NoError(t, err)
			return s
		})
	}
	s, _, err := flac.Decode(bytes.NewReader(encode(t, samples, 2, 8000, codec.Options{Frames: 12000})), codec.Hint{Size: -1})
	require.NoError(t, err)
	require.Equal(t, &goaudio.Format{NumChannels: 2, SampleRate: 8000}, s.Format())
}

// What the command flac writes, by any preset and block size, gives ffmpeg's
// samples.
func TestDecodeTheirs(t *testing.T) {
	t.Parallel()
	tool := recordingtest.Tool(t, "flac", "flac")
	raw := make([]byte, 3*2*20000)
	audio.PutPCM24(raw, call(t)[2*100000:2*120000])
	dir := t.TempDir()
	in := filepath.Join(dir, "in.raw")
	require.NoError(t, os.WriteFile(in, raw, 0o600))
	for i, args := range [][]string{
		{"--bps=24", "--channels=2", "-8", "-e"},
		{"--bps=24", "--channels=1", "-0", "--lax", "-b", "65535"},
		{"--bps=24", "--channels=8", "-5", "-b", "192"},
		{"--bps=16", "--channels=3", "-8", "--lax", "-l", "32", "-r", "0,15"},
		{"--bps=8", "--channels=2", "-5", "--sample-rate=176400"},
		{"--bps=16", "--channels=1", "-5", "--sample-rate=24000"},
		{"--bps=24", "--channels=2", "-2", "-T", "TITLE=x", "-P", "70000"},
	} {
		out := filepath.Join(dir, strconv.Itoa(i)+".flac")
		all := append([]string{"--totally-silent", "--force-raw-format", "--endian=little", "--sign=signed", "--sample-rate=8000"}, args...)
		log, err := exec.CommandContext(t.Context(), tool, append(all, "-o", out, in)...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, log)
		file, err := os.ReadFile(out)
		require.NoError(t, err)
		got, codes := read(t, file)
		delete(codes, record.DefectClipped)
		require.Empty(t, codes, "%v", args)
		want, err := recordingtest.FFmpegSamples(t, file)
		require.NoError(t, err)
		require.True(t, recordingtest.Near(want, got, 0), "%v", args)
	}
}

// Every depth, those that a frame's header has no code for as well.
func TestDecodeDepths(t *testing.T) {
	t.Parallel()
	for depth := 4; depth <= 31; depth++ {
		var b bytes.Buffer
		enc, err := mewkiz.NewEncoder(&b, &meta.StreamInfo{
			BlockSizeMin: 64, BlockSizeMax: 64, SampleRate: 8000, NChannels: 1,
			BitsPerSample: uint8(depth), NSamples: 64,
		})
		require.NoError(t, err)
		samples := make([]int32, 64)
		want := make([]float32, 64)
		for i := range samples {
			samples[i] = int32(i-32) << (depth - 6 + 2) >> 2
			want[i] = float32(math.Ldexp(float64(samples[i]), 1-depth))
		}
		f := &frame.Frame{
			Header: frame.Header{HasFixedBlockSize: true, BlockSize: 64, SampleRate: 8000, Channels: frame.ChannelsMono},
			Subframes: []*frame.Subframe{{
				SubHeader: frame.SubHeader{Pred: frame.PredVerbatim}, Samples: samples, NSamples: 64,
			}},
		}
		f.BitsPerSample = uint8(depth)
		switch depth {
		case 8, 12, 16, 20, 24:
			require.NoError(t, enc.WriteFrame(f))
		default:
			// mewkiz/flac can't write these: a frame by hand.
			b.Write(verbatimFrame(samples, uint(depth)))
		}
		got, codes := read(t, b.Bytes())
		delete(codes, record.DefectClipped) // 4 bits have few levels
		require.Empty(t, codes, "%d bits", depth)
		require.Equal(t, want, got, "%d bits", depth)
	}
}

// verbatimFrame is a mono frame of 64 samples whose depth is in the stream's header.
func verbatimFrame(samples []int32, depth uint) []byte {
	b := []byte{0xFF, 0xF8, 0x64, 0x00, 0x00, 63}
	b = append(append(b, checkSum(b, 8, 0x07)...), 1<<1)
	acc, n := uint64(0), uint(0)
	for _, v := range samples {
		acc = acc<<depth | uint64(v)&(1<<depth-1)
		for n += depth; n >= 8; n -= 8 {
			b = append(b, byte(acc>>(n-8)))
		}
	}
	return append(b, checkSum(b, 16, 0x8005)...)
}

// checkSum is the CRC of b, bit by bit.
func checkSum(b []byte, width uint, polynomial uint32) []byte {
	c, top := uint32(0), uint32(1)<<(width-1)
	for _, x := range b {
		c ^= uint32(x) << (width - 8)
		for range 8 {
			if c&top != 0 {
				c = c<<1 ^ polynomial
			} else {
				c <<= 1
			}
		}
	}
	if width == 8 {
		return []byte{byte(c)}
	}
	return []byte{byte(c >> 8), byte(c)}
}

// Cut anywhere, every whole frame comes out.
func TestTruncated(t *testing.T) {
	t.Parallel()
	const frames = 20000
	samples := leg(t, samplecall.Agent())[20000 : 20000+frames]
	want := integers(samples, 16)
	file := encode(t, samples, 1, 8000, codec.Options{Frames: frames})
	last := 0
	for cut := len(file) - 1; cut > 0; cut -= 997 {
		src, _, err := flac.Decode(bytes.NewReader(file[:cut]), codec.Hint{Size: int64(cut)})
		if err != nil {
			var fault *codec.DecodeError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, record.DefectLegEmpty, fault.Code)
			continue
		}
		got := integers(recordingtest.ReadAll(t, src), 16)
		require.Zero(t, len(got)%block)
		equal(t, want[:len(got)], got, "cut")
		total, known := audio.FramesOf(src)
		require.True(t, known)
		require.Equal(t, int64(len(got)), total)
		d := codec.LaterDefects(src)
		require.Equal(t, record.DefectTruncated, d[0].Code)
		require.Equal(t, int64(frames-len(got)), d[0].Count)
		last = max(last, len(got))
	}
	require.Equal(t, frames/block*block, last)
}

// A damaged frame becomes silence; the rest stays where it was.
func TestDamagedFrame(t *testing.T) {
	t.Parallel()
	const frames = 20000
	samples := leg(t, samplecall.Agent())[20000 : 20000+frames]
	want := integers(samples, 16)
	file := encode(t, samples, 1, 8000, codec.Options{Frames: frames})
	for at := 60; at < len(file); at += len(file) / 23 {
		broken := bytes.Clone(file)
		broken[at] ^= 0x55
		got, codes := read(t, broken)
		lost := codes[record.DefectTruncated]
		require.True(t, lost == block || lost == frames%block, "byte %d: %d frames lost", at, lost)
		require.True(t, len(got) == frames || len(got) == frames/block*block)
		wrong := int64(0)
		for i, v := range integers(got, 16) {
			if v != want[i] {
				require.Zero(t, v)
				wrong++
			}
		}
		require.LessOrEqual(t, wrong, int64(block))
	}
	// Some bytes gone, and garbage in their place.
	middle := len(file) / 2
	for _, garbage := range [][]byte{nil, bytes.Repeat([]byte{0xFF, 0xF8}, 5000)} {
		broken := append(append(bytes.Clone(file[:middle]), garbage...), file[middle+100:]...)
		got, codes := read(t, broken)
		require.Len(t, got, frames)
		require.Zero(t, codes[record.DefectTruncated]%block)
		require.LessOrEqual(t, codes[record.DefectTruncated], int64(2*block))
	}
}

// Tags of other formats around the stream are no damage.
func TestForeignTags(t *testing.T) {
	t.Parallel()
	samples := recordingtest.Noise(10000, 0.5, 1)
	file := encode(t, samples, 1, 8000, codec.Options{Frames: 10000})
	id3 := append([]byte("ID3\x04\x00\x00\x00\x00\x01\x00"), make([]byte, 128)...)
	tagged := append(append(bytes.Clone(id3), file...), append([]byte("TAG"), make([]byte, 125)...)...)
	require.True(t, flac.Sniff(tagged[:codec.Head]))
	got, codes := read(t, tagged)
	require.Empty(t, codes)
	equal(t, integers(samples, 16), integers(got, 16), "tagged")
}

func TestTotalInTheHeader(t *testing.T) {
	t.Parallel()
	samples := recordingtest.Noise(10000, 0.5, 1)
	file := encode(t, samples, 1, 8000, codec.Options{Frames: 10000})
	for total, want := range map[uint16]map[record.DefectCode]int64{
		0:     {},
		9000:  {record.DefectHeaderRepaired: 0},
		10000: {},
		11000: {record.DefectTruncated: 1000},
	} {
		file[24], file[25] = byte(total>>8), byte(total)
		got, codes := read(t, file)
		require.Len(t, got, 10000)
		require.Equal(t, want, codes, "%d", total)
	}
}

func TestClippedSource(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{16, 24} {
		_, codes := read(t, encode(t, []float32{0, 1, 1, 1, 1, 0, -1, -1, 0}, 1, 8000, codec.Options{Frames: 9, BitDepth: depth}))
		require.Equal(t, map[record.DefectCode]int64{record.DefectClipped: 4}, codes)
	}
}

func TestReadErrorIsNotAFault(t *testing.T) {
	t.Parallel()
	file := encode(t, recordingtest.Noise(10000, 0.5, 1), 1, 8000, codec.Options{Frames: 10000})
	broken := errors.New("the network is gone")
	for _, n := range []int{0, 3, 30, 42, 45, 1000, 9000, len(file) - 1, len(file)} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		s, _, err := flac.Decode(r, codec.Hint{Size: int64(len(file))})
		for err == nil {
			_, err = s.ReadFrames(make([]float32, 100))
		}
		require.ErrorIs(t, err, broken, "%d", n)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	file := encode(t, recordingtest.Noise(100, 0.5, 1), 1, 8000, codec.Options{Frames: 100})
	change := func(at int, v ...byte) []byte {
		b := bytes.Clone(file)
		copy(b[at:], v)
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		want record.DefectCode
	}{
		"nothing":         {nil, record.DefectLegEmpty},
		"magic only":      {file[:4], record.DefectLegEmpty},
		"metadata only":   {file[:42], record.DefectLegEmpty},
		"half a frame":    {file[:60], record.DefectLegEmpty},
		"no FLAC":         {bytes.Repeat([]byte("no \xFF\xF8 "), 50), record.DefectUnreadableLeg},
		"no STREAMINFO":   {change(4, 1), record.DefectUnreadableLeg},
		"sample rate 0":   {change(18, 0, 0, 0), record.DefectUnreadableLeg},
		"3 bits":          {change(20, 0x40, 0x20), record.DefectUnreadableLeg},
		"32 bits":         {change(20, 0x41, 0xF0), record.DefectUnsupportedCodec},
		"endless padding": {change(4, 0), record.DefectLegEmpty},
	} {
		if name == "endless padding" {
			c.file = append(bytes.Clone(c.file[:42]), 0x01, 0xFF, 0xFF, 0xFF, 0)
		}
		_, _, err := flac.Decode(bytes.NewReader(c.file), codec.Hint{Size: int64(len(c.file))})
		var fault *codec.DecodeError
		require.ErrorAs(t, err, &fault, name)
		require.Equal(t, c.want, fault.Code, "%s: %v", name, err)
	}
}

// Where the first frame contradicts STREAMINFO, it is right; and without a frame
// that makes sense a file isn't empty.
func TestStreamInfoContradicted(t *testing.T) {
	t.Parallel()
	noise := recordingtest.Noise(5000, 0.5, 1)
	file := encode(t, noise, 1, 8000, codec.Options{Frames: 5000})
	want, err := readAllOf(file)
	require.NoError(t, err)
	require.Len(t, want, 5000)
	for name, v := range map[string][2]byte{"2 channels": {0x42, 0xF0}, "8 channels": {0x4E, 0xF0}, "24 bits": {0x41, 0x70}, "8 bits": {0x40, 0x70}} {
		b := bytes.Clone(file)
		copy(b[20:], v[:])
		b[20] = file[20]&0xF0 | v[0]&0x0F
		b[21] = v[1]&0xF0 | file[21]&0x0F
		s, _, err := flac.Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
		require.NoError(t, err, name)
		require.True(t, recordingtest.Near(want, recordingtest.ReadAll(t, s), 0), name)
		require.Contains(t, fmt.Sprint(codec.LaterDefects(s)), "where the frames have 1 of 16", name)
	}
	other := append(bytes.Clone(file[:42]), bytes.Repeat([]byte("no frame "), 100)...)
	other[4] |= 0x80 // the last block
	_, err = readAllOf(other)
	require.ErrorContains(t, err, "unreadable_leg: a FLAC file of which no frame agrees")
}

func readAllOf(file []byte) ([]float32, error) {
	s, _, err := flac.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	if err != nil {
		return nil, err
	}
	out := make([]float32, 1<<20)
	n, err := s.ReadFrames(out)
	return out[:n*s.Format().NumChannels], err
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]bool{
		"": false, "f": true, "fLa": true, "fLaC": true, "fLaC\x00\x00": true, "fLaX": false, "RIFF": false,
		"ID3\x04\x00\x00\x00\x00\x00\x02xxfLaC": true, "ID3\x04\x00\x00\x00\x00\x00\x02xx\xFF\xFB": false,
		"ID3\x04\x00\x00\x00\x00\x7F\x02xx": false,
	} {
		require.Equal(t, want, flac.Sniff([]byte(head)), "%q", head)
	}
}
