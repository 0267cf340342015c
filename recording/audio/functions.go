package audio

import "math"

// Functions of math whose result may differ between machines by a last bit:
// there some are written in assembly, and compilers may fuse a multiplication
// with an addition. A recording must not differ, so here they are made of
// single operations that IEEE 754 defines to the bit.

// sinPi is sin(πx), |x| < 2^51, by its Taylor series around the nearest zero.
func sinPi(x float64) float64 {
	zero := math.RoundToEven(x)
	y := math.Pi * (x - zero) // at most π/2; 21 is the last power above 2^-53 there
	z := y * y
	sum := 0.0
	for _, c := range [...]float64{1. / (21 * 20), 1. / (19 * 18), 1. / (17 * 16), 1. / (15 * 14), 1. / (13 * 12), 1. / (11 * 10), 1. / (9 * 8), 1. / (7 * 6), 1. / (5 * 4), 1. / (3 * 2)} {
		sum = float64((1-sum)*z) * c
	}
	y *= 1 - sum
	if int64(zero)&1 != 0 {
		return -y
	}
	return y
}

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return sinPi(x) / (math.Pi * x)
}

// kaiser is a Kaiser window: I0(β√w) as a polynomial in w, the power series of
// the modified Bessel function (Abramowitz & Stegun 9.6.12), highest power first.
type kaiser [36]float64

// newKaiser is good to the last bits for β up to 13.
func newKaiser(beta float64) *kaiser {
	var k kaiser
	c := 1.0
	for i := range k {
		k[len(k)-1-i] = c
		q := beta / 2 / float64(i+1)
		c = float64(c * float64(q*q))
	}
	return &k
}

// at is the window for w, 1 in its middle and 0 at its ends, not normalised.
func (k *kaiser) at(w float64) float64 {
	sum := 0.0
	for _, c := range k {
		sum = float64(sum*w) + c
	}
	return sum
}

// decay is 1 - exp(-x) for x in [0, 1], by its power series.
func decay(x float64) float64 {
	sum, term := 0.0, -1.0
	for k := 1.0; k < 20; k++ {
		term = float64(term*-x) / k
		sum += term
	}
	return sum
}

// FromDecibels is 10^(db/20), what a level of db multiplies samples by; 0 dB
// is exactly 1. db must be finite.
func FromDecibels(db float64) float32 {
	x := math.Abs(db) * (math.Ln10 / 20)
	halvings := 0
	for ; x > 1 && halvings < 64; halvings++ {
		x /= 2
	}
	y := 1 - decay(x) // e^-x
	for range halvings {
		y = float64(y * y)
	}
	if db > 0 {
		y = 1 / y
	}
	return float32(y)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
