package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// spectrum is one channel of a granule on its way to the stream.
type spectrum struct {
	granuleInfo
	x        [granuleLines]float32 // MDCT lines in the order of the stream
	p        [granuleLines]float32 // |x|^(3/4), with the scale factors applied
	q        [granuleLines]uint16  // quantised |x|
	scalefac [3 * shortBands]uint8
	silent   bool    // x is 0
	greatest float32 // of p
	end      int     // lines from here on are 0
	offset   int     // added to the frame's gain for this granule
	qEnd     int     // q isn't set from here on, and counts as 0
	part2    int     // bits of the scale factors
	bits     int     // of scale factors and Huffman code
}

// prepare computes p and what goes with it for the first limit lines of x, and
// silences the others.
func (s *spectrum) prepare(limit int) {
	clear(s.x[limit:])
	clear(s.p[limit:])
	greatest := float32(0)
	x, p := s.x[:limit], s.p[:limit]
	for i, v := range x {
		v = power34(v)
		p[i] = v
		if v > greatest {
			greatest = v
		}
	}
	s.end = limit
	s.scalefac = [3 * shortBands]uint8{}
	s.part2 = 0
	s.bits = 0
	s.greatest = greatest
}

// power34 is |x|^(3/4) to within 8e-7 of it, of which the exponent comes from a
// table and the mantissa from a polynomial: half the time of two square roots.
func power34(x float32) float32 {
	b := math.Float32bits(x)
	u := math.Float32frombits(b&0x7fffff|0x3f800000) - 1
	u2 := float32(u * u)
	m := (1.0000008 + float32(0.74994125*u)) +
		float32(u2*((-0.09300886+float32(0.03548955*u))+float32(u2*(-0.013467811+float32(0.0028385264*u)))))
	return exponents34[uint8(b>>23)] * m
}

// exponents34[e] is 2^(3/4 (e-127)), and 0 for 0 and what is close to it.
var exponents34 = makeExponents34()

func makeExponents34() *[256]float32 {
	var t [256]float32
	for e := 1; e < len(t); e++ {
		t[e] = float32(exactmath.Exp2(0.75 * float64(e-127)))
	}
	return &t
}

// gainSteps[g] is 2^(-3/16 (g-210)): what p is multiplied with to get the
// quantised value at global gain g (11172-3, 2.4.3.4.7.1, solved for is).
var gainSteps = makeGainSteps()

func makeGainSteps() *[256]float32 {
	var s [256]float32
	for g := range s {
		s[g] = float32(exactmath.Exp2(-3.0 / 16 * float64(g-210)))
	}
	return &s
}

// smallestGain is the least global gain at which every line of s fits the
// largest code.
func (s *spectrum) smallestGain() int {
	if s.greatest == 0 {
		return 0
	}
	g := 210 + float64(16.0/3*exactmath.Log2(float64(s.greatest)/(maxQuantized-1)))
	return max(0, int(math.Ceil(g)))
}

// fineSteps is the resolution of roundings.
const fineSteps = 16

// roundings rounds values below 16, in steps of 1/16. The thresholds are not
// half way: a line that is rounded down costs fewer bits, and those spent on a
// finer step for all lines lower the noise by more than the rounding adds. They
// were found by measuring the signal-to-noise ratio of speech at equal bitrates;
// the standard's own rounding, C.1.5.4.4.6, is 0.4054 everywhere.
var roundings = makeRoundings()

const (
	threshold1 = 0.75  // of the values rounded to 1
	threshold2 = 1.625 // of those rounded to 2
	roundUp    = 0.46  // added to greater values
)

func makeRoundings() *[16 * fineSteps]uint8 {
	var r [16 * fineSteps]uint8
	for i := range r {
		v := float64((float64(i) + 0.5) / fineSteps)
		switch {
		case v < threshold1:
		case v < threshold2:
			r[i] = 1
		default:
			r[i] = uint8(v + roundUp)
		}
	}
	return &r
}

// scale is the power of a line for noise of power 1, against a long block's:
// the lines of short blocks are √3 times those of an orthonormal transform.
func (s *spectrum) scale() float64 {
	if s.blockType == blockShort {
		return 3
	}
	return 1
}

// quantize rounds p by the step of s.globalGain to q and returns the line from
// which on q is 0.
func (s *spectrum) quantize() int {
	step := gainSteps[s.globalGain&255]
	end := s.end
	floor := threshold1 / step
	for end > 0 && s.p[end-1] < floor {
		end--
	}
	end += end & 1
	if s.greatest*step < 16-1.0/fineSteps {
		quantizeSmall(s.p[:end], s.q[:end], step*fineSteps)
	} else {
		quantizeAll(s.p[:end], s.q[:end], step)
	}
	return end
}

// quantizeSmall is quantizeAll for values below 16.
func quantizeSmall(p []float32, q []uint16, step float32) {
	for len(p) >= 4 && len(q) >= 4 {
		a, b := int32(p[0]*step), int32(p[1]*step)
		c, d := int32(p[2]*step), int32(p[3]*step)
		q[0] = uint16(roundings[uint8(a)])
		q[1] = uint16(roundings[uint8(b)])
		q[2] = uint16(roundings[uint8(c)])
		q[3] = uint16(roundings[uint8(d)])
		p, q = p[4:], q[4:]
	}
	quantizeAll(p, q, step/fineSteps)
}

func quantizeAll(p []float32, q []uint16, step float32) {
	q = q[:len(p)]
	for i, v := range p {
		v = float32(v * step)
		if v < 16 {
			q[i] = uint16(roundings[uint8(v*fineSteps)])
		} else {
			q[i] = uint16(int32(v + roundUp))
		}
	}
}
