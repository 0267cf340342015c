package mp3

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/switchtape/switchtape/recording/codec"
)

// FuzzEncode encodes arbitrary samples with arbitrary options: nothing panics,
// and what comes out walks and has the right length. Streams that go-mp3 can
// read are decoded too.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{}, uint8(0), uint8(0), uint8(0), uint16(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0xc0, 0x7f}, 700), uint8(1), uint8(2), uint8(5), uint16(77))
	f.Add(bytes.Repeat([]byte{0xff, 0x7f, 0x01, 0x80}, 3000), uint8(3), uint8(13), uint8(0x13), uint16(3))
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7}, 900), uint8(8), uint8(8), uint8(0x2e), uint16(1000))
	f.Fuzz(func(t *testing.T, pcm []byte, rateIndex, bitrateIndex, flags uint8, block uint16) {
		rates := SampleRates()
		rate := rates[int(rateIndex)%len(rates)]
		bitrates := ValidBitrates(rate)
		channels := 1 + int(flags&1)
		samples := fuzzSamples(pcm, flags&2 != 0)
		samples = samples[:len(samples)/channels*channels]
		o := codec.Options{
			Frames:     int64(len(samples) / channels),
			BitrateBps: bitrates[int(bitrateIndex)%len(bitrates)],
		}
		m := &EncoderOptions{
			Stereo: StereoMode(flags >> 2 & 1), CRC: flags&8 != 0,
			Mode: Mode(flags >> 4 & 3 % 3), VBRQuality: int(flags>>4) % 10,
			LowpassHz: int(block) * 3,
		}
		var b bytes.Buffer
		e, err := NewEncoder(&b, format(channels, rate), o, m)
		if err != nil {
			t.Fatal(err)
		}
		step := channels * (1 + int(block)%2000)
		for i := 0; i < len(samples); i += step {
			if err := e.WriteFrames(samples[i:min(i+step, len(samples))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Finish(); err != nil {
			t.Fatal(err)
		}
		info, err := Walk(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%+v %+v at %d Hz: %v", o, m, rate, err)
		}
		if info.Frames != o.Frames {
			t.Fatalf("%d frames, want %d", info.Frames, o.Frames)
		}
		if rate >= 16000 {
			decodeGoMP3(t, b.Bytes())
		}
	})
}

// fuzzSamples reads samples as 16 bit integers or as raw floats, which may be
// anything.
func fuzzSamples(pcm []byte, raw bool) []float32 {
	if !raw {
		return pcm16(pcm[:len(pcm)/2*2])
	}
	s := make([]float32, len(pcm)/4)
	for i := range s {
		s[i] = math.Float32frombits(binary.LittleEndian.Uint32(pcm[4*i:]))
	}
	return s
}

// FuzzWalk walks arbitrary bytes.
func FuzzWalk(f *testing.F) {
	f.Add([]byte("ID3\x04\x00\x00\x00\x00\x00\x01x\xff\xfb\x90\x00"))
	f.Add(encodeAll(f, speech(8000, 4000, 1), 1, 8000, 16000, nil))
	f.Add(encodeAll(f, speech(44100, 4000, 2), 2, 44100, 32000, &EncoderOptions{CRC: true, Mode: VBR}))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := Walk(bytes.NewReader(data))
		if err == nil && info.Bytes > int64(len(data)) {
			t.Fatalf("walked %d of %d bytes", info.Bytes, len(data))
		}
		if info.Frames < 0 || info.StuffingBytes < 0 {
			t.Fatalf("%+v", info)
		}
	})
}
