package analysis

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// FloorDBFS is the level that stands for silence, and the lowest reported.
const FloorDBFS = -120

// dB is the level of a mean square, in dB, to 0.01 and not below floor.
func dB(power, floor float64) float64 {
	if !(power > 0) {
		return floor
	}
	return max(round(float64(10*exactmath.Log10(power)), 100), floor)
}

// round is x to 1/steps.
func round(x, steps float64) float64 {
	return math.RoundToEven(float64(x*steps))/steps + 0 // never -0
}

// ratio is part/whole, to 1e-4; 0 if whole is 0.
func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return round(float64(part)/float64(whole), 1e4)
}
