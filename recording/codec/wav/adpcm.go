package wav

import (
	"encoding/binary"
	"math"
)

// imaSteps is the step sizes of IMA ADPCM (IMA Digital Audio Focus and Technical
// Working Groups, "Recommended Practices", 1992).
var imaSteps = [89]int32{ //nolint:gochecknoglobals // a constant table
	7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107, 118,
	130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876, 963, 1060,
	1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484,
	7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
}

var imaIndex = [8]int{-1, -1, -1, -1, 2, 4, 6, 8} //nolint:gochecknoglobals // a constant table

// imaADPCM decodes blocks of format tag 0x0011: for each channel a first sample
// and a step, then for each channel in turn 4 bytes of 8 samples, the low half
// of each byte first.
type imaADPCM struct{ channels int }

func (a imaADPCM) frames(bytes int) int {
	if bytes < 4*a.channels {
		return 0
	}
	return 1 + (bytes-4*a.channels)/(4*a.channels)*8
}

func (a imaADPCM) decode(dst []float32, b []byte) bool {
	n := a.frames(len(b))
	ch := a.channels
	sound := true
	for c := range ch {
		sample, index := int32(int16(binary.LittleEndian.Uint16(b[4*c:]))), int(b[4*c+2])
		if index >= len(imaSteps) {
			sound = false
			break
		}
		dst[c] = float32(sample) / 32768
		at := 4 * (ch + c)
		for i := 1; i < n; i++ {
			nibble := b[at+(i-1)/8*4*ch+(i-1)%8/2] >> (4 * ((i - 1) & 1)) & 15
			// (nibble + 1/2) · step / 4, rounded down.
			d := (2*int32(nibble&7) + 1) * imaSteps[index] >> 3
			if nibble&8 != 0 {
				d = -d
			}
			sample = max(math.MinInt16, min(sample+d, math.MaxInt16))
			index = max(0, min(index+imaIndex[nibble&7], len(imaSteps)-1))
			dst[i*ch+c] = float32(sample) / 32768
		}
	}
	return sound
}

// The predictors and the step adaptation of Microsoft's ADPCM (Microsoft,
// "Multimedia Data Standards Update", 1994).
var (
	msFirst  = [7]int32{256, 512, 0, 192, 240, 460, 392}                                                 //nolint:gochecknoglobals // a constant table
	msSecond = [7]int32{0, -256, 0, 64, 0, -208, -232}                                                   //nolint:gochecknoglobals // a constant table
	msAdapt  = [16]int32{230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230} //nolint:gochecknoglobals // a constant table
)

// msMaxStep keeps the step within 32 bits.
const msMaxStep = math.MaxInt32 / 768

// msADPCM decodes blocks of format tag 0x0002: predictor, step and two samples
// for each channel, then the samples in turn, the high half of each byte first.
type msADPCM struct{ channels int }

func (a msADPCM) frames(bytes int) int {
	if bytes < 7*a.channels {
		return 0
	}
	return 2 + (bytes-7*a.channels)*2/a.channels
}

func (a msADPCM) decode(dst []float32, b []byte) bool {
	n, ch := a.frames(len(b)), a.channels
	word := func(at int) int32 { return int32(int16(binary.LittleEndian.Uint16(b[at:]))) }
	for c := range ch {
		if int(b[c]) >= len(msFirst) {
			return false
		}
		k1, k2 := msFirst[b[c]], msSecond[b[c]]
		step, s1, s2 := word(ch+2*c), word(3*ch+2*c), word(5*ch+2*c)
		dst[c], dst[ch+c] = float32(s2)/32768, float32(s1)/32768
		for i := 2; i < n; i++ {
			at := (i-2)*ch + c
			nibble := b[7*ch+at/2] >> (4 * (1 - at&1)) & 15
			signed := int32(nibble^8) - 8
			x := (s1*k1+s2*k2)/256 + signed*step
			s2, s1 = s1, max(math.MinInt16, min(x, math.MaxInt16))
			step = max(16, min(msAdapt[nibble]*step>>8, msMaxStep))
			dst[i*ch+c] = float32(s1) / 32768
		}
	}
	return true
}
