package wav

import (
	"math"

	"github.com/switchtape/switchtape/recording/codec/g722"
	"github.com/switchtape/switchtape/recording/codec/g726"
	"github.com/switchtape/switchtape/recording/codec/vox"
)

// The codecs of this file have no blocks of their own: a block is what is decoded at a
// time, and a part of one at the file's end has its frames.

// bareG722 decodes G.722.
type bareG722 struct {
	decoder *g722.Decoder
	samples []int16
}

func newBareG722() *bareG722 { return &bareG722{decoder: g722.NewDecoder()} }

func (*bareG722) frames(bytes int) int { return g722.SamplesPerByte * bytes }

func (g *bareG722) decode(dst []float32, block []byte) bool {
	g.samples = room(g.samples, len(dst))
	g.decoder.Decode(g.samples, block)
	toFloat(dst, g.samples)
	return true
}

// bareG726 decodes G.726.
type bareG726 struct {
	decoder *g726.Decoder
	samples []int16
}

// newBareG726 is the decoder of a layout, whose codes have 2 to 5 bits.
func newBareG726(l *layout) *bareG726 {
	decoder, err := g726.NewDecoder(l.codeBits, l.highFirst)
	if err != nil {
		return nil
	}
	return &bareG726{decoder: decoder}
}

func (g *bareG726) frames(bytes int) int { return g.decoder.Samples(bytes) }

func (g *bareG726) decode(dst []float32, block []byte) bool {
	g.samples = room(g.samples, len(dst))
	g.decoder.Decode(g.samples, block)
	toFloat(dst, g.samples)
	return true
}

// bareVox decodes Dialogic's ADPCM.
type bareVox struct {
	decoder vox.Decoder
	samples []int16
}

func (*bareVox) frames(bytes int) int { return vox.SamplesPerByte * bytes }

func (v *bareVox) decode(dst []float32, block []byte) bool {
	v.samples = room(v.samples, len(dst))
	v.decoder.Decode(v.samples, block)
	toFloat(dst, v.samples)
	return true
}

// bareIMA decodes IMA ADPCM that is one block without a header, the first sample in the
// high half of a byte, as .ima files have it.
type bareIMA struct {
	sample int32
	index  int
}

func (*bareIMA) frames(bytes int) int { return 2 * bytes }

func (a *bareIMA) decode(dst []float32, block []byte) bool {
	for i := range dst {
		code := block[i/2] >> (4 * (1 - i&1)) & 15
		d := (2*int32(code&7) + 1) * imaSteps[a.index] >> 3
		if code&8 != 0 {
			d = -d
		}
		a.sample = max(math.MinInt16, min(a.sample+d, math.MaxInt16))
		a.index = max(0, min(a.index+imaIndex[code&7], len(imaSteps)-1))
		dst[i] = float32(a.sample) / 32768
	}
	return true
}

// room is a buffer of n samples, which is b if that is long enough.
func room(b []int16, n int) []int16 {
	if cap(b) < n {
		b = make([]int16, n)
	}
	return b[:n]
}
