package flac

import "math"

const (
	// maxOrder is the highest order of linear prediction that is tried. The
	// streamable subset allows 12 up to 48 kHz (RFC 9639 § 7).
	maxOrder = 8
	// maxShift is the largest shift of a prediction (RFC 9639 § 9.2.6: 5 bits,
	// signed, and negative ones are forbidden).
	maxShift = 15
	// minLPC is the shortest block that linear prediction is tried on.
	minLPC = 64
)

// Every product in this file that is added to something is converted
// explicitly: the compiler must not fuse the two, so that all machines agree.

// tukey fills w with a Tukey window whose tapers are half of it.
func tukey(w []float64) {
	taper := len(w) / 4
	for i := range w {
		w[i] = 1
	}
	for i := range taper {
		v := 0.5 - float64(0.5*cosine(math.Pi*(float64(i)+0.5)/float64(taper)))
		w[i], w[len(w)-1-i] = v, v
	}
}

// cosine is the cosine of x in [0, π], by its series around π/2.
func cosine(x float64) float64 {
	y := math.Pi/2 - x // cos x = sin y
	square := y * y
	sum, term := 0.0, y
	for k := 1; k < 24; k += 2 {
		sum += term
		term = float64(-term*square) / float64((k+1)*(k+2))
	}
	return sum
}

// log2 is the binary logarithm of a positive number, to 2^-9: enough to choose by.
func log2(x float64) float64 {
	b := math.Float64bits(x)
	return float64(int(b>>52)-1023) + log2Table[b>>44&0xFF]
}

// log2Table holds the logarithms of 1+(i+½)/256.
var log2Table = makeLog2() //nolint:gochecknoglobals // a table that nothing writes

func makeLog2() (t [256]float64) {
	for i := range t {
		// The fraction's bits, by squaring.
		m, bit := 1+float64((float64(i)+0.5)/256), 1.0
		for range 20 {
			bit = float64(bit / 2)
			if m = float64(m * m); m >= 2 {
				m = float64(m / 2)
				t[i] += bit
			}
		}
	}
	return t
}

// windowed is a block after the window, behind maxOrder zeros.
type windowed []float64

// apply takes x·w to the windowed block.
func (d windowed) apply(x []int32, w []float64) {
	d = d[maxOrder:][:len(x)]
	w = w[:len(x)]
	for i, v := range x {
		d[i] = float64(v) * w[i]
	}
}

// autocorrelation of n values, for lags of 0 to maxOrder.
func (d windowed) autocorrelation(n int) [maxOrder + 1]float64 {
	var r0, r1, r2, r3, r4, r5, r6, r7, r8 float64
	for i := range n {
		v := (*[maxOrder + 1]float64)(d[i:])
		x := v[8]
		r0 += float64(x * x)
		r1 += float64(x * v[7])
		r2 += float64(x * v[6])
		r3 += float64(x * v[5])
		r4 += float64(x * v[4])
		r5 += float64(x * v[3])
		r6 += float64(x * v[2])
		r7 += float64(x * v[1])
		r8 += float64(x * v[0])
	}
	return [maxOrder + 1]float64{r0, r1, r2, r3, r4, r5, r6, r7, r8}
}

// levinson solves for the predictors of every order up to maxOrder by the
// Levinson-Durbin recursion. coefs[m][j] is what the predictor of order m+1
// takes the sample j+1 back by; power[m] is the power that it leaves, of r[0].
// It returns how many orders there are: fewer where the prediction is perfect.
func levinson(r *[maxOrder + 1]float64, coefs *[maxOrder][maxOrder]float64, power *[maxOrder]float64) int {
	var a [maxOrder]float64
	left := r[0]
	for m := range maxOrder {
		if left <= float64(r[0]*1e-12) {
			return m
		}
		k := r[m+1]
		for j := range m {
			k -= float64(a[j] * r[m-j])
		}
		k /= left
		for j := range m / 2 {
			x, y := a[j], a[m-1-j]
			a[j], a[m-1-j] = x-float64(k*y), y-float64(k*x)
		}
		if m&1 == 1 {
			a[m/2] -= float64(k * a[m/2])
		}
		a[m] = k
		left *= 1 - float64(k*k)
		coefs[m], power[m] = a, left
	}
	return maxOrder
}

// quantize rounds a predictor's coefficients to integers of precision bits, and
// carries each rounding error to the next. shift is how far a prediction is to
// be shifted right. It reports false if the coefficients can't be expressed.
func quantize(dst *[maxOrder]int32, a []float64, precision uint) (shift uint, ok bool) {
	largest := 0.0
	for _, c := range a {
		largest = max(largest, math.Abs(c))
	}
	if !(largest > 0) || math.IsInf(largest, 0) {
		return 0, false
	}
	_, e := math.Frexp(largest)
	s := min(int(precision)-1-e, maxShift)
	if s < 0 {
		return 0, false
	}
	scale := float64(int(1) << s)
	high := float64(int(1)<<(precision-1) - 1)
	carry := 0.0
	*dst = [maxOrder]int32{}
	for i, c := range a {
		carry += float64(c * scale)
		q := max(-high-1, min(high, math.Floor(carry+0.5)))
		dst[i] = int32(q)
		carry -= q
	}
	return uint(s), true
}

// predict folds the residual of a linear predictor into dst, which has order
// values less than there are samples. x begins history samples before the
// block, and its coefficients beyond order are zero. It reports whether every
// residual fits.
func predict(dst []uint32, x []int32, coefs *[maxOrder]int32, order int, shift uint) bool {
	x = x[history+order-maxOrder:]
	shift &= 63
	c0, c1, c2, c3 := int64(coefs[0]), int64(coefs[1]), int64(coefs[2]), int64(coefs[3])
	var seen uint64
	if order <= 4 {
		for i := range dst {
			v := (*[maxOrder + 1]int32)(x[i:])
			p := c0*int64(v[7]) + c1*int64(v[6]) + c2*int64(v[5]) + c3*int64(v[4])
			e := int64(v[8]) - p>>shift
			u := uint64(e<<1 ^ e>>63)
			seen |= u
			dst[i] = uint32(u)
		}
		return seen>>31 == 0
	}
	c4, c5, c6, c7 := int64(coefs[4]), int64(coefs[5]), int64(coefs[6]), int64(coefs[7])
	for i := range dst {
		v := (*[maxOrder + 1]int32)(x[i:])
		p := c0*int64(v[7]) + c1*int64(v[6]) + c2*int64(v[5]) + c3*int64(v[4]) +
			c4*int64(v[3]) + c5*int64(v[2]) + c6*int64(v[1]) + c7*int64(v[0])
		e := int64(v[8]) - p>>shift
		u := uint64(e<<1 ^ e>>63)
		seen |= u
		dst[i] = uint32(u)
	}
	return seen>>31 == 0
}
