package analysis

import "math"

// Functions of math whose last bit may differ between machines: there some are
// written in assembly, and compilers may fuse a multiplication with an
// addition. Here they are made of single operations that IEEE 754 defines to
// the bit; a conversion forbids fusing.

// FloorDBFS is the level that stands for silence, and the lowest reported.
const FloorDBFS = -120

// tanPi is tan(πx) for x in [0, 1/2), from the power series of sine and cosine.
func tanPi(x float64) float64 {
	y := math.Pi * x
	z := float64(y * y)
	sin, cos := 0.0, 0.0
	for k := 28.0; k >= 2; k -= 2 { // (π/2)^28/28! is below 2^-53
		sin = float64((1-sin)*z) / float64(k*(k+1))
		cos = float64((1-cos)*z) / float64(k*(k-1))
	}
	return float64(y*(1-sin)) / (1 - cos)
}

// log10 is the decimal logarithm of x > 0: of the exponent, and of the mantissa
// by ln m = 2·artanh((m-1)/(m+1)) (Abramowitz & Stegun 4.1.27).
func log10(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		e--
	}
	s := (m - 1) / (m + 1) // at most 0.172; 0.172^22 is below 2^-53
	z := float64(s * s)
	sum := 0.0
	for k := 23.0; k >= 1; k -= 2 {
		sum = float64(sum*z) + 1/k
	}
	return float64(float64(float64(2*s)*sum)*math.Log10E) + float64(float64(e)*(math.Ln2*math.Log10E))
}

// dB is the level of a mean square, in dB, to 0.01 and not below floor.
func dB(power, floor float64) float64 {
	if !(power > 0) {
		return floor
	}
	return max(round(float64(10*log10(power)), 100), floor)
}

// round is x to 1/steps.
func round(x, steps float64) float64 {
	return math.RoundToEven(float64(x*steps))/steps + 0 // never -0
}

// ratio is a part of a whole, to 1e-4; 0 of nothing.
func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return round(float64(part)/float64(whole), 1e4)
}
