package audio

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return exactmath.SinPi(x) / (math.Pi * x)
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

// FromDecibels is 10^(db/20), what a level of db multiplies samples by; 0 dB
// is exactly 1. db must be finite.
func FromDecibels(db float64) float32 {
	x := math.Abs(db) * (math.Ln10 / 20)
	halvings := 0
	for ; x > 1 && halvings < 64; halvings++ {
		x /= 2
	}
	y := 1 - exactmath.Decay(x) // e^-x
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
