package wav_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// densest is how many samples a byte may hold at most: a frame of MP3 of two
// channels that is no longer than its side information, 36 bytes, has 2,304.
const densest = 64

// Whatever the bytes, reading ends, gives no more frames than there are bytes
// for, knows its total rightly, allocates a bounded amount, and gives the same
// from a stream in small pieces.
func FuzzWAVDecode(f *testing.F) {
	for _, c := range recordingtest.WAVCorpus(1) {
		f.Add(c.File[:min(len(c.File), 600)], false)
		f.Add(c.File[:min(len(c.File), 600)], true)
	}
	f.Fuzz(func(t *testing.T, file []byte, raw bool) {
		hint := codec.Hint{Size: int64(len(file))}
		if raw {
			hint.Raw = &callmodel.RawFormat{Encoding: "s16le", SampleRateHz: 8000}
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
		codec.LaterDefects(src)
		runtime.ReadMemStats(&after)
		require.Equal(t, total, frames)
		require.LessOrEqual(t, frames*int64(ch), densest*int64(len(file)))
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20)+uint64(8*len(file)))
	})
}
