package g711

import (
	"encoding/binary"
	"math/bits"

	"github.com/switchtape/switchtape/recording/audio"
)

// Largest magnitudes that the laws can express, on the 16-bit scale.
const (
	MaxMulaw = 32124
	MaxAlaw  = 32256
)

// Law is one of the two laws. The zero value is µ-law.
type Law uint8

// The laws.
const (
	Mulaw Law = iota
	Alaw
)

// String is "mulaw" or "alaw".
func (l Law) String() string {
	if l == Alaw {
		return "alaw"
	}
	return "mulaw"
}

// Max is the largest magnitude that the law can express, in (0, 1).
func (l Law) Max() float32 {
	if l == Alaw {
		return MaxAlaw / 32768.0
	}
	return MaxMulaw / 32768.0
}

// MulawToInt16 expands a µ-law byte (G.711 table 2).
func MulawToInt16(code byte) int16 {
	code = ^code
	const bias = 33 << 2
	v := (int(code&0x0F)<<3 + bias) << (code >> 4 & 7)
	if code&0x80 != 0 {
		return int16(bias - v)
	}
	return int16(v - bias)
}

// AlawToInt16 expands an A-law byte (G.711 table 1).
func AlawToInt16(code byte) int16 {
	code ^= 0x55
	v := int(code&0x0F)<<4 + 8
	if segment := code >> 4 & 7; segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 {
		return int16(-v)
	}
	return int16(v)
}

// MulawFromInt16 compresses a 16-bit sample to a µ-law byte, with the decision
// values of G.711 table 2 as ITU-T G.191 applies them. It is the inverse of
// [MulawToInt16] but for negative zero (0x7F), which comes back as 0xFF.
func MulawFromInt16(v int16) byte {
	const bias, clip = 132, 32635
	m, sign := int(v), byte(0)
	if m < 0 {
		m, sign = ^m, 0x80
	}
	m = min(m, clip) + bias
	segment := bits.Len(uint(m)) - 8
	return ^(sign | byte(segment)<<4 | byte(m>>(segment+3))&0x0F)
}

// AlawFromInt16 compresses a 16-bit sample to an A-law byte, with the decision
// values of G.711 table 1. It is the inverse of [AlawToInt16].
func AlawFromInt16(v int16) byte {
	m, sign := int(v), byte(0x80)
	if m < 0 {
		m, sign = ^m, 0
	}
	m >>= 4
	code := byte(m)
	if m >= 32 {
		segment := bits.Len(uint(m)) - 5
		code = byte(segment+1)<<4 | byte(m>>segment)&0x0F
	}
	return (sign | code) ^ 0x55
}

// Table is the linear value of each of a law's 256 codes, on the scale [-1, 1).
type Table [256]float32

// DecodeTable makes the law's table. It takes a microsecond; keep it while
// decoding.
func (l Law) DecodeTable() *Table {
	var t Table
	for i := range t {
		if l == Alaw {
			t[i] = float32(AlawToInt16(byte(i))) / 32768
		} else {
			t[i] = float32(MulawToInt16(byte(i))) / 32768
		}
	}
	return &t
}

// Decode expands codes to the front of dst, which must be as long.
func (t *Table) Decode(dst []float32, codes []byte) {
	dst = dst[:len(codes)]
	for i, c := range codes {
		dst[i] = t[c]
	}
}

// EncodeTable is a law's code for each 14-bit linear value: no law looks at
// more bits.
type EncodeTable [1 << 14]byte

// EncodeTable makes the law's table; keep it while encoding.
func (l Law) EncodeTable() *EncodeTable {
	var t EncodeTable
	for i := range t {
		v := int16(uint16(i) << 2)
		if l == Alaw {
			t[i] = AlawFromInt16(v)
		} else {
			t[i] = MulawFromInt16(v)
		}
	}
	return &t
}

// Encode compresses src, in [-1, 1], to the front of dst, which must be as
// long. Samples out of the range of 16 bits are clipped and counted; NaN and
// ±Inf become silence.
func (t *EncodeTable) Encode(dst []byte, src []float32) (clipped int) {
	dst = dst[:len(src)]
	var pcm [2 * encodeBlock]byte
	for len(src) > 0 {
		n := min(encodeBlock, len(src))
		clipped += audio.PutPCM16(pcm[:], src[:n])
		t.encodePCM(dst[:n], pcm[:2*n])
		src, dst = src[n:], dst[n:]
	}
	return clipped
}

// encodeBlock is how many samples are quantised at a time.
const encodeBlock = 512

// encodePCM compresses 16-bit little-endian samples, four at a time.
func (t *EncodeTable) encodePCM(dst, pcm []byte) {
	for len(dst) >= 4 && len(pcm) >= 8 {
		v := binary.LittleEndian.Uint64(pcm)
		dst[0] = t[v>>2&0x3FFF]
		dst[1] = t[v>>18&0x3FFF]
		dst[2] = t[v>>34&0x3FFF]
		dst[3] = t[v>>50]
		dst, pcm = dst[4:], pcm[8:]
	}
	for i := range dst {
		dst[i] = t[binary.LittleEndian.Uint16(pcm[2*i:])>>2]
	}
}
