package wav

import (
	"github.com/switchtape/switchtape/recording/codec/gsm"
)

// blockCodec decodes encodings whose samples don't stand alone.
type blockCodec interface {
	// frames is how many frames are in a block of which so many bytes are there.
	frames(bytes int) int
	// decode decodes the frames of a block, or of a part of one. It reports
	// false if the block makes no sense.
	decode(dst []float32, block []byte) bool
}

// wav49 decodes the blocks of format tag 0x0031.
type wav49 struct {
	decoder gsm.Decoder
	samples [gsm.BlockSamples]int16
	block   [gsm.BlockBytes]byte
}

func (*wav49) frames(bytes int) int {
	switch {
	case bytes >= gsm.BlockBytes:
		return gsm.BlockSamples
	case bytes >= gsm.FrameBytes: // 260 bits are there
		return gsm.FrameSamples
	}
	return 0
}

func (g *wav49) decode(dst []float32, block []byte) bool {
	clear(g.block[copy(g.block[:], block):])
	g.decoder.Block(&g.samples, &g.block)
	toFloat(dst[:g.frames(len(block))], g.samples[:])
	return true
}

// bareGSM decodes frames as in a .gsm file.
type bareGSM struct {
	decoder gsm.Decoder
	samples [gsm.FrameSamples]int16
}

func (*bareGSM) frames(bytes int) int { return bytes / gsm.FrameBytes * gsm.FrameSamples }

func (g *bareGSM) decode(dst []float32, block []byte) bool {
	if !gsm.Valid(block) {
		return false
	}
	g.decoder.Frame(&g.samples, (*[gsm.FrameBytes]byte)(block))
	toFloat(dst, g.samples[:])
	return true
}

func toFloat(dst []float32, src []int16) {
	for i := range dst {
		dst[i] = float32(src[i]) / 32768
	}
}

// blocks reads frames out of blocks.
type blocks struct {
	codec blockCodec
	buf   []float32
	ready []float32 // of buf, what hasn't been given
	done  int64     // frames decoded
	bad   int64     // frames that made no sense, silent
}

// decode decodes a block, or the part of one at the file's end.
func (k *blocks) decode(block []byte, channels int) {
	n := k.codec.frames(len(block))
	k.ready = k.buf[:n*channels]
	if n > 0 && !k.codec.decode(k.ready, block) {
		clear(k.ready)
		k.bad += int64(n)
	}
	k.done += int64(n)
}

// excess is how many bytes at the end of a part of a block are no whole frame.
func (k *blocks) excess(part []byte, block int) int64 {
	n := len(part)
	if n < block {
		for frames := k.codec.frames(n); n > 0 && k.codec.frames(n-1) == frames; {
			n--
		}
	}
	return int64(len(part) - n)
}

// trim cuts the padding of the last block off, if the fact chunk says that the
// audio ends within it.
func (k *blocks) trim(fact int64, channels int) {
	if cut := k.done - fact; cut > 0 && int(cut)*channels < len(k.ready) {
		k.ready = k.ready[:len(k.ready)-int(cut)*channels]
	}
}
