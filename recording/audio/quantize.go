package audio

import "math"

// The functions below are the one place where samples are clipped. They scale
// by 2^(bits-1) and round to the nearest integer, halves to even; as decoders
// divide by the same power of two, every integer sample comes back bit-exactly.

// roundMagic is 1.5·2^23. A float32 of magnitude below 2^22 added to it is
// rounded to an integer (to nearest, halves to even: IEEE 754 § 4.3.1), which is
// then in the low bits of the sum.
const (
	roundMagic     = 3 << 22
	roundMagicBits = 0x4B400000
)

// PutPCM16 writes src as signed 16-bit little-endian samples to the front of
// dst, which must hold 2*len(src) bytes. Samples that don't fit are clipped and
// counted; NaN and ±Inf become 0.
func PutPCM16(dst []byte, src []float32) (clipped int) {
	return putPCM16(dst[:2*len(src)], src)
}

// GetPCM16 is the inverse of [PutPCM16]: it reads the first len(dst) signed 16-bit
// little-endian samples of src, which must hold 2*len(dst) bytes, on the scale
// [-1, 1). It reports whether a sample may be at full scale: at or next to the
// largest magnitude of either sign.
func GetPCM16(dst []float32, src []byte) (fullScale bool) {
	return getPCM16(dst, src[:2*len(dst)])
}

func putPCM16Slow(dst []byte, src []float32) (clipped int) {
	for i, x := range src {
		v, c := QuantizeInt16(x)
		dst[2*i], dst[2*i+1] = byte(v), byte(v>>8)
		clipped += c
	}
	return clipped
}

// QuantizeInt16 is x in [-1, 1] as a signed 16-bit sample, and 1 if it had to
// be clipped. NaN and ±Inf give 0, 0.
func QuantizeInt16(x float32) (v int16, clipped int) {
	// Anything out of range, NaN and Inf included, sets a bit above the 16th.
	i := int32(math.Float32bits(float32(x*32768)+roundMagic)) - roundMagicBits
	if uint32(i+32768) > 0xFFFF {
		return quantize16Slow(x)
	}
	return int16(i), 0
}

func quantize16Slow(x float32) (v int16, clipped int) {
	i, c := quantize(x, 15)
	return int16(i), c
}

// PutPCM24 is [PutPCM16] for signed 24-bit little-endian samples; dst must
// hold 3*len(src) bytes.
func PutPCM24(dst []byte, src []float32) (clipped int) {
	dst = dst[:3*len(src)]
	for i, x := range src {
		v, c := quantize(x, 23)
		dst[3*i], dst[3*i+1], dst[3*i+2] = byte(v), byte(v>>8), byte(v>>16)
		clipped += c
	}
	return clipped
}

func quantize(x float32, bits uint) (v int32, clipped int) {
	full := float64(int64(1) << bits)
	f := math.RoundToEven(float64(x) * full)
	switch {
	case f >= -full && f < full:
		return int32(f), 0
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, 0
	case f < 0:
		return int32(-full), 1
	default:
		return int32(full - 1), 1
	}
}
