package audio

import (
	"encoding/binary"
	"math"
)

// The inner loops of the package in plain Go. Where a processor has them in
// vector instructions (kernels_amd64.s), those give the same bits: they do the
// same operations on the same values in the same order, and never a fused
// multiply-add. A test compares the two.

// lanes is how many sums a dot product keeps apart, and what rows of
// coefficients are padded to.
const lanes = 8

// dotGroup is how many products with one row are made at a time.
const dotGroup = 8

// dotPlain is the scalar product of two slices of one length, a multiple of
// lanes. The sums are kept apart so that the processor can do them side by
// side; the conversions forbid fused multiply-add.
func dotPlain(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= lanes && len(b) >= lanes {
		s0 += float32(a[0] * b[0])
		s1 += float32(a[1] * b[1])
		s2 += float32(a[2] * b[2])
		s3 += float32(a[3] * b[3])
		s4 += float32(a[4] * b[4])
		s5 += float32(a[5] * b[5])
		s6 += float32(a[6] * b[6])
		s7 += float32(a[7] * b[7])
		a, b = a[lanes:], b[lanes:]
	}
	return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
}

// quad is where four dot products begin: in the signal and in the coefficients.
type quad struct {
	x, c [4]int
}

// dot4Plain gives the four dot products of n values at the places of q.
func dot4Plain(out *[4]float32, x, c []float32, q *quad, n int) {
	for i := range out {
		out[i] = dotPlain(x[q.x[i]:q.x[i]+n], c[q.c[i]:q.c[i]+n])
	}
}

// dotRowPlain gives count dot products of one row of coefficients: with the
// signal from x[0] on to dst[0], from x[xStep] on to dst[dstStep], and so forth.
func dotRowPlain(dst []float32, dstStep int, x []float32, xStep int, c []float32, count int) {
	for i := range count {
		dst[i*dstStep] = dotPlain(x[i*xStep:][:len(c)], c)
	}
}

// getPCM16Plain is the plain way of [GetPCM16].
func getPCM16Plain(dst []float32, src []byte) (fullScale bool) {
	const scale = 1.0 / 32768
	var seen uint64
	for len(dst) >= 4 && len(src) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		// The magnitude of each lane (one's complement, so 0x8000 gives
		// 0x7FFF); adding 2 carries into bit 15 from 0x7FFE on.
		sign := v >> 15 & 0x0001000100010001
		seen |= (v ^ sign*0xFFFF) + 0x0002000200020002
		dst[0] = float32(int16(v)) * scale
		dst[1] = float32(int16(v>>16)) * scale
		dst[2] = float32(int16(v>>32)) * scale
		dst[3] = float32(int16(v>>48)) * scale
		dst, src = dst[4:], src[8:]
	}
	fullScale = seen&0x8000800080008000 != 0
	for i := range dst {
		v := int16(binary.LittleEndian.Uint16(src[2*i:]))
		fullScale = fullScale || v >= 32766 || v <= -32767
		dst[i] = float32(v) * scale
	}
	return fullScale
}

// putPCM16Plain is the plain way of [PutPCM16].
func putPCM16Plain(dst []byte, src []float32) (clipped int) {
	for len(src) >= 4 && len(dst) >= 8 {
		a := int32(math.Float32bits(float32(src[0]*32768)+roundMagic)) - roundMagicBits
		b := int32(math.Float32bits(float32(src[1]*32768)+roundMagic)) - roundMagicBits
		c := int32(math.Float32bits(float32(src[2]*32768)+roundMagic)) - roundMagicBits
		d := int32(math.Float32bits(float32(src[3]*32768)+roundMagic)) - roundMagicBits
		// Anything out of range, NaN and Inf included, sets a bit above the 16th.
		if uint32(a+32768)|uint32(b+32768)|uint32(c+32768)|uint32(d+32768) > 0xFFFF {
			clipped += putPCM16Slow(dst[:8], src[:4])
		} else {
			binary.LittleEndian.PutUint64(dst,
				uint64(uint16(a))|uint64(uint16(b))<<16|uint64(uint16(c))<<32|uint64(uint16(d))<<48)
		}
		src, dst = src[4:], dst[8:]
	}
	return clipped + putPCM16Slow(dst, src)
}

// addPlain makes dst the sum of a and b, all of one length. dst may be a.
func addPlain(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// exceedsPlain reports whether a value of s is beyond what 16 bits can hold.
func exceedsPlain(s []float32) bool {
	for _, x := range s {
		if x > FullScale16 || x < -1 {
			return true
		}
	}
	return false
}

// interleave2Plain fills dst with the values of left and right by turns.
func interleave2Plain(dst, left, right []float32) {
	right = right[:len(left)]
	for i, x := range left {
		if len(dst) < 2 {
			return
		}
		dst[0], dst[1] = x, right[i]
		dst = dst[2:]
	}
}
