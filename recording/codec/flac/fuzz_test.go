package flac_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Arbitrary samples with arbitrary options come back bit by bit.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{}, uint8(0), uint8(0), uint8(0), uint16(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0xC0, 0x7F}, 40), uint8(1), uint8(2), uint8(3), uint16(77))
	f.Add(bytes.Repeat([]byte{0xFF, 0x7F, 0x01, 0x80}, 90), uint8(2), uint8(4), uint8(1), uint16(3))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 30), uint8(8), uint8(8), uint8(0), uint16(1000))
	f.Fuzz(func(t *testing.T, pcm []byte, channelsByte, shift, flags uint8, size uint16) {
		channels := 1 + int(channelsByte%flac.MaxChannels)
		depth := 16 + int(flags&1)*8
		var samples []float32
		if flags&2 != 0 {
			for ; len(pcm) >= 4; pcm = pcm[4:] {
				samples = append(samples, math.Float32frombits(binary.LittleEndian.Uint32(pcm)))
			}
		} else {
			for ; len(pcm) >= 2; pcm = pcm[2:] {
				samples = append(samples, float32(int16(binary.LittleEndian.Uint16(pcm))>>(shift%16))/32768)
			}
		}
		samples = samples[:len(samples)/channels*channels]
		if flags&4 != 0 { // long enough for whole blocks
			for len(samples) > 0 && len(samples) < 5000*channels {
				samples = append(samples, samples...)
			}
		}
		var b bytes.Buffer
		o := codec.Options{Frames: int64(len(samples) / channels), BitDepth: depth}
		e, err := flac.New(&b, &goaudio.Format{NumChannels: channels, SampleRate: 1 + int(size)}, o)
		require.NoError(t, err)
		step := channels * (1 + int(size)%5000)
		for s := samples; len(s) > 0; s = s[min(step, len(s)):] {
			require.NoError(t, e.WriteFrames(s[:min(step, len(s))]))
		}
		require.NoError(t, e.Finish())
		require.LessOrEqual(t, b.Len(), 42+len(samples)*depth/8+(len(samples)/channels/1024+1)*(20+1024/8+channels), "larger than PCM")
		_, got := decodeMewkiz(t, b.Bytes())
		equal(t, integers(samples, depth), got, "mewkiz")
	})
}

// Whatever the bytes, decoding ends, knows its total rightly, holds a bounded
// amount of memory, and gives the same from a stream.
func FuzzDecode(f *testing.F) {
	speechLike := recordingtest.Sine(1200, 8000, 440, 0.5, 0)
	file := encode(f, speechLike, 1, 8000, codec.Options{Frames: 1200})
	f.Add(file[:len(file)-1])
	f.Add(encode(f, speechLike, 2, 24000, codec.Options{Frames: 600, BitDepth: 24}))
	f.Add(encode(f, make([]float32, 8*3000), 8, 8000, codec.Options{Frames: 3000}))
	f.Add([]byte("ID3\x04\x00\x00\x7F\x7F\x7F\x7FfLaC"))
	f.Add(append(file, encode(f, make([]float32, 2*600), 2, 48000, codec.Options{Frames: 600})...))
	f.Add(file[42:])
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		src, _, err := flac.Decode(bytes.NewReader(data), codec.Hint{Size: int64(len(data))})
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
				require.ErrorIs(t, err, io.EOF)
				break
			}
		}
		codec.LaterDefects(src)
		runtime.ReadMemStats(&after)
		require.Equal(t, total, frames)
		// No frame of the stream is shorter than 10 bytes nor longer than 65535 frames.
		require.LessOrEqual(t, frames, int64(len(data)/8+2)*65535)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20)+uint64(len(data)/8+2)*uint64(65535*4*ch*2))

		again, _, err := flac.Decode(plain{bytes.NewReader(data)}, codec.Hint{Size: codec.SizeUnknown})
		require.NoError(t, err)
		n, err := again.ReadFrames(block)
		require.True(t, err == nil || errors.Is(err, io.EOF))
		require.LessOrEqual(t, int64(n), total)
	})
}
