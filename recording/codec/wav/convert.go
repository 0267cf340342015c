package wav

import (
	"encoding/binary"
	"math"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec/g711"
)

// convert decodes the whole samples of b to dst and reports whether one of
// them may be at full scale, for the callers that count clipping. b may be
// changed. table is for G.711; nonFinite counts the floats read as silence.
func (l *layout) convert(dst []float32, b []byte, table *g711.Table) (fullScale bool, nonFinite int64) {
	n := len(b) / l.bytes
	dst, b = dst[:n], b[:n*l.bytes]
	if l.bigEndian && l.bytes > 1 {
		reverseEach(b, l.bytes)
	}
	switch {
	case l.enc == encMulaw || l.enc == encAlaw:
		table.Decode(dst, b)
		return true, 0
	case l.enc == encFloat && l.bytes == 4:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return true, silenceNonFinite(dst)
	case l.enc == encFloat:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
		return true, silenceNonFinite(dst)
	}
	if l.signed8 {
		for i, x := range b {
			dst[i] = float32(int8(x)) / 128
		}
		return true, 0
	}
	switch l.bytes {
	case 1:
		for i, x := range b {
			dst[i] = float32(int(x)-128) / 128
		}
	case 2:
		return audio.GetPCM16(dst, b), 0
	case 3:
		for i := range dst {
			v := int32(uint32(b[3*i])<<8|uint32(b[3*i+1])<<16|uint32(b[3*i+2])<<24) >> 8
			dst[i] = float32(v) / (1 << 23)
		}
	case 4:
		if l.loose != 0 && l.justified == unseen {
			l.justify(b)
		}
		if l.justified == right {
			shift := 32 - l.loose
			for i := range dst {
				dst[i] = float32(int32(binary.LittleEndian.Uint32(b[4*i:])<<shift)) / (1 << 31)
			}
			return true, 0
		}
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(b[4*i:]))) / (1 << 31)
		}
	default:
		for i := range dst {
			dst[i] = float32(float64(int64(binary.LittleEndian.Uint64(b[8*i:]))) / (1 << 63))
		}
	}
	return true, 0
}

func silenceNonFinite(s []float32) (n int64) {
	for i, x := range s {
		if math.Float32bits(x)&0x7F800000 == 0x7F800000 {
			s[i] = 0
			n++
		}
	}
	return n
}

func reverseEach(b []byte, size int) {
	for ; len(b) >= size; b = b[size:] {
		for i, j := 0, size-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}
