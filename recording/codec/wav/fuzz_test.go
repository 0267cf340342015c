package wav_test

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// densest is how many samples a byte of the stream may hold at most, by what it
// says that it is.
func densest(format string) int64 {
	switch {
	case strings.Contains(format, "MP3"):
		return 64 // a frame of two channels with nothing but side information, 36 bytes, has 2,304
	case strings.Contains(format, "GSM"):
		return 5 // 33 bytes have 160
	case strings.Contains(format, "G.726"):
		return 4 // of 2 bits
	case strings.Contains(format, "ADPCM"), strings.Contains(format, "G.722"):
		return 2
	default:
		return 1
	}
}

// Whatever the bytes, reading ends, gives no more frames than there are bytes
// for, knows its total rightly, allocates a bounded amount, and gives the same
// from a stream in small pieces.
func FuzzWAVDecode(f *testing.F) {
	for _, c := range recordingtest.WAVCorpus(1) {
		f.Add(c.File[:min(len(c.File), 600)], false)
		f.Add(c.File[:min(len(c.File), 600)], true)
	}
	good := recordingtest.WAVCorpus(1)[0].File
	f.Add(append(append([]byte(nil), good[:300]...), good[:300]...), false)
	f.Fuzz(func(t *testing.T, file []byte, raw bool) {
		hint := codec.Hint{Size: int64(len(file))}
		if raw {
			hint.Raw = &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		src, _, err := wav.Decode(bytes.NewReader(file), hint)
		if err != nil {
			var fault *codec.DecodeError
			require.ErrorAs(t, err, &fault)
			return
		}
		total, known := audio.FramesOf(src)
		require.True(t, known)
		ch := src.Format().NumChannels
		block := make([]float32, 512*ch)
		frames := int64(0)
		for {
			n, err := src.ReadFrames(block)
			frames += int64(n)
			if err != nil {
				break
			}
		}
		changed := slices.ContainsFunc(codec.LaterDefects(src), func(d record.Defect) bool { return d.Code == record.DefectFormatChanged })
		runtime.ReadMemStats(&after)
		require.Equal(t, total, frames)
		if !changed { // a joined file is resampled, to up to 256 times its frames
			require.LessOrEqual(t, frames*int64(ch), densest(codec.Describe(src))*int64(len(file)))
		}
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20)+uint64(8*len(file)))
	})
}
