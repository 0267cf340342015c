package exactmath

import "math"

// SinPi is sin(πx), |x| < 2^51, by its Taylor series around the nearest zero
// (Abramowitz & Stegun 4.3.65), within 3 units in the last place. It is exactly
// 0 for whole x.
func SinPi(x float64) float64 {
	zero := math.RoundToEven(x)
	y := float64(math.Pi * (x - zero)) // at most π/2; 21 is the last power above 2^-53 there
	z := float64(y * y)
	sum := 0.0
	for _, c := range [...]float64{
		1. / (21 * 20), 1. / (19 * 18), 1. / (17 * 16), 1. / (15 * 14), 1. / (13 * 12),
		1. / (11 * 10), 1. / (9 * 8), 1. / (7 * 6), 1. / (5 * 4), 1. / (3 * 2),
	} {
		sum = float64(float64((1-sum)*z) * c)
	}
	y = float64(y * (1 - sum))
	if int64(zero)&1 != 0 {
		return -y
	}
	return y
}

// CosPi is cos(πx), |x| < 2^51, as the sine of what is missing to a quarter turn,
// within 4 units in the last place. It is exactly 0 for odd halves.
func CosPi(x float64) float64 {
	turned := math.Abs(x - float64(2*math.RoundToEven(x/2))) // at most 1
	return SinPi(0.5 - turned)
}

// TanPi is tan(πx) for x in [0, 1/2), from the Taylor series of sine and cosine,
// within 4 units in the last place up to 1/4; towards 1/2 its error grows with it.
func TanPi(x float64) float64 {
	y := float64(math.Pi * x)
	z := float64(y * y)
	sin, cos := 0.0, 0.0
	for k := 28.0; k >= 2; k -= 2 { // (π/2)^28/28! is below 2^-53
		sin = float64((1-sin)*z) / float64(k*(k+1))
		cos = float64((1-cos)*z) / float64(k*(k-1))
	}
	return float64(y*(1-sin)) / (1 - cos)
}
