package ogg_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/recording/codec/ogg"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

type packet struct {
	data    []byte
	granule int64
	flush   bool
}

func write(t require.TestingT, w io.Writer, serial uint32, packets []packet) {
	o := ogg.NewWriter(w, serial)
	for _, p := range packets {
		require.NoError(t, o.WritePacket(p.data, p.granule))
		if p.flush {
			require.NoError(t, o.Flush())
		}
	}
	require.NoError(t, o.Close())
	require.NoError(t, o.Close(), "closing again is a no-op")
	require.ErrorIs(t, o.WritePacket(nil, 1<<40), ogg.ErrClosed)
}

// Whatever the packets' lengths, they come back as they were, in pages that are
// sound; and a page's granule position is that of the last packet ending on it.
func TestPacketsComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		granule := int64(0)
		packets := make([]packet, rapid.IntRange(0, 30).Draw(t, "packets"))
		for i := range packets {
			size := rapid.OneOf(rapid.IntRange(0, 600), rapid.SampledFrom([]int{0, 254, 255, 256, 510, 65024, 65025, 65026, 200000})).Draw(t, "size")
			granule += rapid.Int64Range(0, 5000).Draw(t, "step")
			data := bytes.Repeat([]byte{byte(i + 1)}, size)
			packets[i] = packet{data, granule, rapid.Bool().Draw(t, "flush")}
		}
		var file bytes.Buffer
		write(t, &file, 7, packets)
		var got []packet
		info, err := ogg.Walk(iotest.HalfReader(bytes.NewReader(file.Bytes())), func(p ogg.Packet) error {
			if p.Granule != ogg.NoGranule {
				require.Equal(t, packets[len(got)].granule, p.Granule)
			}
			require.Equal(t, len(got) == len(packets)-1, p.Last && p.Granule != ogg.NoGranule)
			got = append(got, packet{data: slices.Clone(p.Data)})
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, uint32(7), info.Serial)
		require.Equal(t, int64(file.Len()), info.Bytes)
		require.Len(t, got, len(packets))
		for i := range got {
			require.True(t, bytes.Equal(packets[i].data, got[i].data), "packet %d", i)
		}
		if len(packets) > 0 {
			require.Equal(t, granule, info.Granule)
		}
	})
}

// One page, byte by byte: RFC 3533 § 6, with the checksum that libogg gives.
func TestPage(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	write(t, &file, 0x01020304, []packet{{data: []byte("abc"), granule: 5}, {data: make([]byte, 255), granule: 9}})
	want := "4f676753" + "00" + "06" + "0900000000000000" + "04030201" + "00000000"
	require.Equal(t, want, hex.EncodeToString(file.Bytes()[:22]))
	require.Equal(t, "0303ff00616263", hex.EncodeToString(file.Bytes()[26:33]))
	require.Len(t, file.Bytes(), 30+3+255)
}

// A stream of another's making, which libogg wrote, is sound here; one of ours
// with the same packets is the same but for the cut into pages.
func TestAgainstLibogg(t *testing.T) {
	t.Parallel()
	ffmpeg := recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	path := filepath.Join(t.TempDir(), "x.ogg")
	out, err := exec.CommandContext(t.Context(), ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=d=3",
		"-c:a", "flac", "-f", "ogg", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	var packets []packet
	info, err := ogg.Walk(bytes.NewReader(file), func(p ogg.Packet) error {
		packets = append(packets, packet{slices.Clone(p.Data), max(p.Granule, 0), p.Granule != ogg.NoGranule})
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(3*44100), info.Granule)
	for i := 1; i < len(packets); i++ {
		packets[i].granule = max(packets[i].granule, packets[i-1].granule)
	}
	var again bytes.Buffer
	write(t, &again, info.Serial, packets)
	require.True(t, bytes.Equal(file, again.Bytes()))
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	write(t, &b, 1, []packet{{[]byte("head"), 0, true}, {make([]byte, 70000), 10, true}, {[]byte("end"), 20, false}})
	file := b.Bytes()
	first, second := 28+4, 28+4+27+255+65025
	for at := range file[:first+300] {
		bad := slices.Clone(file)
		bad[at] ^= 0x10
		var e *ogg.Error
		_, err := ogg.Walk(bytes.NewReader(bad), nil)
		require.ErrorAs(t, err, &e, "byte %d", at)
	}
	for name, bad := range map[string][]byte{
		"nothing":              nil,
		"the first page":       file[:first],
		"a header":             file[:first+10],
		"a page":               file[:first+1000],
		"lacing values":        file[:first+30],
		"a page lost":          append(slices.Clone(file[:first]), file[second:]...),
		"the first page twice": append(slices.Clone(file[:first]), file...),
		"bytes behind it":      append(slices.Clone(file), "tail"...),
		"a second stream":      append(slices.Clone(file), file...),
	} {
		var e *ogg.Error
		_, err := ogg.Walk(bytes.NewReader(bad), nil)
		require.ErrorAs(t, err, &e, name)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk full")
	w := ogg.NewWriter(failing{errDisk}, 1)
	require.NoError(t, w.WritePacket([]byte{1}, 4))
	require.NoError(t, w.Flush())
	require.ErrorIs(t, w.WritePacket([]byte{1}, 8), errDisk)
	require.ErrorIs(t, w.WritePacket([]byte{1}, 8), errDisk, "sticky")
	require.ErrorIs(t, w.Flush(), errDisk)
	require.ErrorIs(t, w.Close(), errDisk)
	for _, after := range []int64{-1, 3} {
		w = ogg.NewWriter(io.Discard, 1)
		require.NoError(t, w.WritePacket([]byte{1}, 4))
		require.ErrorIs(t, w.WritePacket([]byte{1}, after), ogg.ErrGranule)
		require.ErrorIs(t, w.Close(), ogg.ErrGranule)
	}
	_, err := ogg.Walk(iotest.ErrReader(errDisk), nil)
	require.ErrorIs(t, err, errDisk)
	var b bytes.Buffer
	write(t, &b, 1, []packet{{data: []byte{1}, granule: 1}})
	_, err = ogg.Walk(&b, func(ogg.Packet) error { return errDisk })
	require.ErrorIs(t, err, errDisk)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestSerial(t *testing.T) {
	t.Parallel()
	require.Equal(t, uint32(0xE40C292C), ogg.Serial([]byte("a")), "FNV-1a")
	require.NotEqual(t, ogg.Serial([]byte("a")), ogg.Serial([]byte("b")))
}

func TestNoAllocations(t *testing.T) {
	w := ogg.NewWriter(io.Discard, 1)
	granule, data := int64(0), make([]byte, 70000)
	require.Zero(t, testing.AllocsPerRun(50, func() {
		granule += 960
		_ = w.WritePacket(data[:80], granule)
		_ = w.WritePacket(data, granule)
		_ = w.Flush()
	}))
}

// Whatever the bytes, a walk ends without a panic, and what it finds sound is
// sound again once it is written anew.
func FuzzWalk(f *testing.F) {
	var b bytes.Buffer
	write(f, &b, 1, []packet{{[]byte("head"), 0, true}, {make([]byte, 600), 10, false}, {nil, 20, true}, {[]byte("end"), 20, false}})
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:40])
	f.Add([]byte("OggS\x00\x02"))
	f.Fuzz(func(t *testing.T, file []byte) {
		var packets []packet
		last := int64(0)
		info, err := ogg.Walk(bytes.NewReader(file), func(p ogg.Packet) error {
			last = max(last, p.Granule)
			packets = append(packets, packet{slices.Clone(p.Data), last, p.Granule != ogg.NoGranule})
			return nil
		})
		if err != nil {
			return
		}
		require.Equal(t, int64(len(file)), info.Bytes)
		var again bytes.Buffer
		write(t, &again, info.Serial, packets)
		second, err := ogg.Walk(&again, nil)
		require.NoError(t, err)
		require.Equal(t, info.Packets, second.Packets)
	})
}

func Example() {
	var file bytes.Buffer
	w := ogg.NewWriter(&file, ogg.Serial([]byte("call 1")))
	_ = w.WritePacket([]byte("a header"), 0)
	_ = w.Flush()
	_ = w.WritePacket([]byte("20 ms of audio"), 960)
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}
	info, err := ogg.Walk(&file, func(p ogg.Packet) error {
		fmt.Printf("page %d: %s\n", p.Page, p.Data)
		return nil
	})
	fmt.Println(info.Pages, "pages up to", info.Granule, err)
	// Output:
	// page 0: a header
	// page 1: 20 ms of audio
	// 2 pages up to 960 <nil>
}
