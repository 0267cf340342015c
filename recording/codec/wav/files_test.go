package wav_test

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Files that were joined by cat are one recording, in the first one's format, whatever the
// first one's header says of its length.
func TestJoinedFiles(t *testing.T) {
	t.Parallel()
	tone := func(rate, channels int) []float32 {
		var out []float32
		for _, v := range recordingtest.Sine(2*rate, rate, 300, 0.5, 0) {
			out = append(out, slices.Repeat([]float32{v}, channels)...)
		}
		return out
	}
	one := encode(t, wav.NewPCM, codec.Options{Frames: 16000}, 1, tone(8000, 1))
	setSize := func(size uint32) []byte {
		b := bytes.Clone(one)
		at := bytes.Index(b, []byte("data")) + 4
		le.PutUint32(b[at:], size)
		return b
	}
	wide := encode(t, wav.NewPCM, codec.Options{Frames: 32000}, 2, tone(16000, 2))
	le.PutUint32(wide[24:], 16000)
	le.PutUint32(wide[28:], 4*16000)
	for name, c := range map[string]struct {
		file    []byte
		parts   int
		changed bool
	}{
		"two":                  {slices.Concat(one, one), 2, false},
		"three":                {slices.Concat(one, one, one), 3, false},
		"data size 0":          {slices.Concat(setSize(0), one), 2, false},
		"data size 0xFFFFFFFF": {slices.Concat(setSize(0xFFFFFFFF), setSize(0xFFFFFFFF), one), 3, false},
		"another format":       {slices.Concat(one, wide, one), 3, true},
		"0 and another format": {slices.Concat(setSize(0), wide), 2, true},
	} {
		for _, r := range []io.Reader{bytes.NewReader(c.file), struct{ io.Reader }{bytes.NewReader(c.file)}} {
			hint := codec.Hint{Size: codec.SizeUnknown}
			_, random := r.(io.ReaderAt)
			if random {
				hint.Size = int64(len(c.file))
			}
			s, defects, err := wav.Decode(r, hint)
			require.NoError(t, err, name)
			n, known := audio.FramesOf(s)
			require.Equal(t, random, known, name)
			got := recordingtest.ReadAll(t, s)
			require.Len(t, got, 16000*c.parts, name)
			if known {
				require.Len(t, got, int(n), name)
			}
			for part := range c.parts {
				want := tone(8000, 1)
				require.Greater(t, recordingtest.SNR(want[200:15800], got[16000*part+200:][:15600]), 70.0, "%s, part %d", name, part)
			}
			var codes []record.DefectCode
			for _, d := range append(defects, codec.LaterDefects(s)...) {
				codes = append(codes, d.Code)
			}
			require.Contains(t, codes, record.DefectHeaderRepaired, name)
			require.NotContains(t, codes, record.DefectTruncated, name)
			require.Equal(t, c.changed, slices.Contains(codes, record.DefectFormatChanged), name)
		}
	}

	// What can't be read behind the first is named.
	s, _, err := wav.Decode(bytes.NewReader(slices.Concat(one, one[:20])), codec.Hint{Size: int64(len(one)) + 20})
	require.NoError(t, err)
	require.Len(t, recordingtest.ReadAll(t, s), 16000)
	require.Equal(t, record.DefectTruncated, codec.LaterDefects(s)[0].Code)
}
