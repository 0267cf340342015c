package exactmath

import "math"

// Log2 is the binary logarithm of x > 0 and finite, within 4 units in the last
// place; it is exact for powers of two.
func Log2(x float64) float64 {
	e, ln := logarithm(x)
	return float64(ln*math.Log2E) + float64(e)
}

// Log10 is the decimal logarithm of x > 0 and finite, within 4 units in the last
// place.
func Log10(x float64) float64 {
	e, ln := logarithm(x)
	return float64(ln*math.Log10E) + float64(float64(e)*(math.Ln2*math.Log10E))
}

// logarithm takes x apart into 2^e·m, m in [1/√2, √2), and gives ln m by
// 2·artanh((m-1)/(m+1)) (Abramowitz & Stegun 4.1.27).
func logarithm(x float64) (e int, ln float64) {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m = float64(m * 2)
		e--
	}
	s := (m - 1) / (m + 1) // at most 0.172; 0.172^22 is below 2^-53
	z := float64(s * s)
	sum := 0.0
	for _, c := range [...]float64{1. / 23, 1. / 21, 1. / 19, 1. / 17, 1. / 15, 1. / 13, 1. / 11, 1. / 9, 1. / 7, 1. / 5, 1. / 3, 1} {
		sum = float64(sum*z) + c
	}
	return e, float64(float64(2*s) * sum)
}

// Coefficients of 2^x, ln(2)^k/k!.
const (
	c1  = math.Ln2
	c2  = c1 * math.Ln2 / 2
	c3  = c2 * math.Ln2 / 3
	c4  = c3 * math.Ln2 / 4
	c5  = c4 * math.Ln2 / 5
	c6  = c5 * math.Ln2 / 6
	c7  = c6 * math.Ln2 / 7
	c8  = c7 * math.Ln2 / 8
	c9  = c8 * math.Ln2 / 9
	c10 = c9 * math.Ln2 / 10
	c11 = c10 * math.Ln2 / 11
	c12 = c11 * math.Ln2 / 12
	c13 = c12 * math.Ln2 / 13
)

// Exp2 is 2^x within 2 units in the last place: the whole part of x is the
// result's exponent, and what remains, at most 1/2, goes through the Taylor
// series. It is exact for whole x, 0 below -1100 and +Inf above 1100.
func Exp2(x float64) float64 {
	if math.IsNaN(x) {
		return x
	}
	x = min(max(x, -1100), 1100)
	whole := math.RoundToEven(x)
	y := x - whole
	sum := 0.0
	for _, c := range [...]float64{c13, c12, c11, c10, c9, c8, c7, c6, c5, c4, c3, c2, c1, 1} {
		sum = float64(sum*y) + c
	}
	return math.Ldexp(sum, int(whole))
}

// Pow is x^y for x > 0 and finite, as 2^(y·log2 x): the relative error is up to
// 2^-51 times the greater of 1 and |y·log2 x|.
func Pow(x, y float64) float64 { return Exp2(float64(y * Log2(x))) }

// Decay is 1 - exp(-x) for x in [0, 1], by its Taylor series, within 5
// units in the last place.
func Decay(x float64) float64 {
	sum, term := 0.0, -1.0
	for k := 1.0; k < 20; k++ {
		term = float64(term*-x) / k
		sum += term
	}
	return sum
}

// Cbrt is the cube root of x, 0 or normal and positive, within 2 units in the last
// place. A third of a number's bits is a third of its logarithm, nearly; from
// there on each of Newton's steps doubles the good digits.
func Cbrt(x float64) float64 {
	if x == 0 {
		return 0
	}
	const bias = 1023 << 52 // of exponents: of its two thirds the third is 341
	root := math.Float64frombits(math.Float64bits(x)/3 + bias/3*2)
	for range 5 {
		root -= (root - x/float64(root*root)) / 3
	}
	return root
}
