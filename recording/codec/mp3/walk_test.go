package mp3

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
)

func TestWalkTellsWhatTheStreamHolds(t *testing.T) {
	t.Parallel()
	samples := speech(44100, 44100, 2)
	info, err := Walk(bytes.NewReader(encodeAll(t, samples, 2, 44100, 128000, &EncoderOptions{CRC: true})))
	require.NoError(t, err)
	require.Equal(t, 44100, info.SampleRate)
	require.Equal(t, "1", info.Version)
	require.Equal(t, int64(44100), info.Frames)
	require.Equal(t, int64(40), info.MPEGFrames)
	require.True(t, info.Gapless)
	require.True(t, info.Protected)
	require.Equal(t, "Info", info.InfoFrame)
	require.Equal(t, encoderName, info.Encoder)
	require.Equal(t, encoderDelay, info.DelayFrames)
	require.Equal(t, 128000, info.MinBitrateBps)
	require.Equal(t, 128000, info.MaxBitrateBps)
	require.InDelta(t, 128000, info.AvgBitrateBps, 200)
}

func TestWalkSkipsTags(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	tags := []codec.Tag{
		{Key: "call_id", Value: "3f2a\x00b"},
		{Key: "title", Value: "Aufzeichnung Zürich"},
		{Key: "started_at", Value: "2026-11-21T22:00:00Z"},
		{Key: "channel_map", Value: strings.Repeat("agent,customer;", 20)},
	}
	e, err := New(&b, format(1, 8000), codec.Options{Frames: 800, Tags: tags})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(make([]float32, 800)))
	require.NoError(t, e.Finish())
	data := b.Bytes()
	require.Equal(t, "ID3\x04\x00", string(data[:5]))
	require.Contains(t, string(data), "TIT2")
	require.Contains(t, string(data), "Aufzeichnung Zürich")
	require.Contains(t, string(data), "call_id\x003f2a b")
	id3v1 := make([]byte, 128)
	copy(id3v1, "TAG")
	info, err := Walk(bytes.NewReader(append(data, id3v1...)))
	require.NoError(t, err)
	require.Equal(t, int64(800), info.Frames)
	require.Greater(t, info.ID3v2Bytes, int64(300))
}

func TestWalkFindsDamage(t *testing.T) {
	t.Parallel()
	sound := encodeAll(t, speech(8000, 16000, 1), 1, 8000, 32000, nil)
	const frame = 288
	const at = 6*frame + 4 + 2 // the high bits of big_values
	guarded := encodeAll(t, speech(8000, 16000, 1), 1, 8000, 32000, &EncoderOptions{CRC: true})
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "no layer III frame"},
		{"text", []byte("this is not an MP3 stream"), "no frame sync"},
		{"cut within a frame", sound[:10*frame-7], "ends within a frame"},
		{"cut between frames", sound[:10*frame], "Info frame announces"},
		{"cut within a header", sound[:10*frame+2], "ends within a frame header"},
		{"a frame lost", append(append([]byte(nil), sound[:5*frame]...), sound[6*frame:]...), ""},
		{"a byte lost", append(append([]byte(nil), sound[:5*frame+100]...), sound[5*frame+101:]...), "no frame sync"},
		{"other sample rate", damaged(sound, 6*frame+2, 0x08), "sample rate changes"},
		{"main data before the stream", damaged(sound, frame+4, 0xff), "before the stream"},
		{"side information", damaged(guarded, 6*frame+10, 0x10), "CRC is"},
		{"big values", damaged(sound, at, 7&^sound[at]), "big_values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Walk(bytes.NewReader(c.data))
			var w *WalkError
			require.ErrorAs(t, err, &w)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// damaged is data with the bits of mask flipped in one byte.
func damaged(data []byte, at int, mask byte) []byte {
	d := append([]byte(nil), data...)
	d[at] ^= mask
	return d
}

func TestWalkReturnsTheReadersError(t *testing.T) {
	t.Parallel()
	errNet := errors.New("connection reset")
	data := encodeAll(t, make([]float32, 8000), 1, 8000, 32000, nil)
	for _, n := range []int{0, 3, 300, 2000} {
		_, err := Walk(io.MultiReader(bytes.NewReader(data[:n]), failingReader{errNet}))
		require.ErrorIs(t, err, errNet, "after %d bytes", n)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestInfoFrameHasAllFields(t *testing.T) {
	t.Parallel()
	data := encodeAll(t, speech(8000, 80000, 1), 1, 8000, 32000, nil)
	b := data[4+9:]
	require.Equal(t, "Info", string(b[:4]))
	require.Equal(t, uint32(15), binary.BigEndian.Uint32(b[4:]), "all four fields")
	total, padding := frameTotal(80000, 576)
	require.Equal(t, uint32(total), binary.BigEndian.Uint32(b[8:]))
	require.Equal(t, uint32(len(data)), binary.BigEndian.Uint32(b[12:]))
	lame := b[120:]
	require.Equal(t, encoderName, string(lame[:9]))
	require.Equal(t, encoderDelay, int(lame[21])<<4|int(lame[22])>>4)
	require.Equal(t, int(padding), int(lame[22]&15)<<8|int(lame[23]))
	end := 4 + 9 + 120 + 34
	require.Equal(t, crc16Reflected(data[:end]), binary.BigEndian.Uint16(data[end:]))
}
