package exactmath_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// The oracle: the same functions in 200 bits, by series that are summed until
// they don't change any more.

func number(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }

func add(a, b *big.Float) *big.Float { return number(0).Add(a, b) }
func mul(a, b *big.Float) *big.Float { return number(0).Mul(a, b) }
func quo(a, b *big.Float) *big.Float { return number(0).Quo(a, b) }

// series is the sum of terms of which each is next of the one before.
func series(first *big.Float, next func(term *big.Float, k int) *big.Float) *big.Float {
	sum, term := number(0), first
	for k := 1; term.Sign() != 0 && term.MantExp(nil) > sum.MantExp(nil)-210; k++ {
		sum = add(sum, term)
		term = next(term, k)
	}
	return sum
}

// artanh is Σ s^(2k+1)/(2k+1).
func artanh(s *big.Float) *big.Float {
	power := s
	return series(s, func(_ *big.Float, k int) *big.Float {
		power = mul(power, mul(s, s))
		return quo(power, number(float64(2*k+1)))
	})
}

// arctan is Σ (-1)^k·s^(2k+1)/(2k+1).
func arctan(s *big.Float) *big.Float {
	power := s
	return series(s, func(_ *big.Float, k int) *big.Float {
		power = mul(power, mul(s, s))
		power.Neg(power)
		return quo(power, number(float64(2*k+1)))
	})
}

func bigPi() *big.Float { // Machin's formula
	a, b := arctan(quo(number(1), number(5))), arctan(quo(number(1), number(239)))
	return add(mul(number(16), a), mul(number(-4), b))
}

func bigLog(x float64) *big.Float {
	m, e := math.Frexp(x)
	ln2 := mul(number(2), artanh(quo(number(1), number(3))))
	s := quo(number(m-1), add(number(m), number(1)))
	return add(mul(number(2), artanh(s)), mul(ln2, number(float64(e))))
}

func bigExp(x *big.Float) *big.Float {
	const halvings = 10
	x = quo(x, number(1<<halvings)) // so that no term is great
	e := series(number(1), func(term *big.Float, k int) *big.Float { return quo(mul(term, x), number(float64(k))) })
	for range halvings {
		e = mul(e, e)
	}
	return e
}

// bigSin is sin(πx) for first = πx, cos(πx) for first = 1.
func bigSin(x, first float64) *big.Float {
	y := mul(bigPi(), number(x))
	term, odd := number(1), 0
	if first == 0 {
		term, odd = y, 1
	}
	return series(term, func(term *big.Float, k int) *big.Float {
		term = quo(mul(term, mul(y, y)), number(float64((2*k+odd)*(2*k+odd-1))))
		return term.Neg(term)
	})
}

// ulps is how far got is from want, in units of got's last place.
func ulps(want *big.Float, got float64) float64 {
	off, _ := add(want, number(-got)).Float64()
	return math.Abs(off) / (math.Nextafter(math.Abs(got), math.Inf(1)) - math.Abs(got))
}

// The functions are within the bounds that their comments state.
func TestAccuracy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	ln2, ln10 := bigLog(2), bigLog(10)
	for _, c := range []struct {
		name     string
		f        func(float64) float64
		oracle   func(float64) *big.Float
		from, to float64 // of arguments
		bound    float64 // in units in the last place
	}{
		{"SinPi", exactmath.SinPi, func(x float64) *big.Float { return bigSin(x, 0) }, 0, 1.5, 3},
		{"CosPi", exactmath.CosPi, func(x float64) *big.Float { return bigSin(x, 1) }, 0, 1.5, 4},
		{"TanPi", exactmath.TanPi, func(x float64) *big.Float { return quo(bigSin(x, 0), bigSin(x, 1)) }, 0, 0.25, 4},
		{"Log2", exactmath.Log2, func(x float64) *big.Float { return quo(bigLog(x), ln2) }, 1e-3, 1e3, 4},
		{"Log2 near 1", exactmath.Log2, func(x float64) *big.Float { return quo(bigLog(x), ln2) }, 0.6, 1.6, 4},
		{"Log10", exactmath.Log10, func(x float64) *big.Float { return quo(bigLog(x), ln10) }, 1e-3, 1e3, 4},
		{"Log10 near 1", exactmath.Log10, func(x float64) *big.Float { return quo(bigLog(x), ln10) }, 0.6, 1.6, 4},
		{"Exp2", exactmath.Exp2, func(x float64) *big.Float { return bigExp(mul(ln2, number(x))) }, -100, 100, 2},
		{"Pow(x, 0.6)", func(x float64) float64 { return exactmath.Pow(x, 0.6) }, func(x float64) *big.Float {
			return bigExp(mul(bigLog(x), number(0.6)))
		}, 1e-3, 1e3, 24},
		{"Decay", exactmath.Decay, func(x float64) *big.Float {
			e := bigExp(number(-x))
			return add(number(1), e.Neg(e))
		}, 0, 1, 5},
		{"Cbrt", exactmath.Cbrt, func(x float64) *big.Float { return bigExp(quo(bigLog(x), number(3))) }, 1e-6, 1e4, 2},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		worst, at := 0.0, 0.0
		for range 1000 {
			x := c.from + (c.to-c.from)*rng.Float64()
			if u := ulps(c.oracle(x), c.f(x)); u > worst {
				worst, at = u, x
			}
		}
		t.Logf("%s: up to %.2f units in the last place, at %v", c.name, worst, at)
		assert.LessOrEqual(t, worst, c.bound, "%s(%v)", c.name, at)
	}
}

// Where the results are exact, so are the functions.
func TestExactValues(t *testing.T) {
	t.Parallel()
	for n := -1074; n < 1024; n++ {
		x := math.Ldexp(1, n)
		require.InDelta(t, n, exactmath.Log2(x), 0)
		require.InDelta(t, x, exactmath.Exp2(float64(n)), 0)
	}
	for n := range 100 {
		require.Zero(t, exactmath.SinPi(float64(n)))
		require.Zero(t, exactmath.CosPi(float64(n)+0.5))
		sign := float64(1 - 2*(n%2))
		require.InDelta(t, sign, exactmath.SinPi(float64(n)+0.5), 0)
		require.InDelta(t, sign, exactmath.CosPi(float64(n)), 0)
		require.InDelta(t, -sign, exactmath.CosPi(float64(-n-1)), 0)
		require.InDelta(t, n, exactmath.Cbrt(float64(n*n*n)), 0)
	}
	require.Zero(t, exactmath.TanPi(0))
	require.Zero(t, exactmath.Decay(0))
	require.Zero(t, exactmath.Exp2(math.Inf(-1)))
	require.True(t, math.IsInf(exactmath.Exp2(1e9), 1))
	require.True(t, math.IsNaN(exactmath.Exp2(math.NaN())))
	require.InDelta(t, 1, exactmath.Pow(3, 0), 0)
	require.InDelta(t, 1, exactmath.Pow(1, 1e6), 0)
}
