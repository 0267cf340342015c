package audio

import (
	"fmt"
	"math"
	"math/bits"
)

// Limits of [NewStretchFilter].
const (
	maxStretch       = 0.01    // how far the ratio may be from that of the rates
	maxStretchFrames = 1 << 40 // keeps the resampler's counts within 64 bits
)

// NewStretchFilter designs a filter that makes exactly outFrames frames at
// outRate of inFrames frames at inRate. It corrects the drift of a recorder's
// clock. Rates are those of [NewResampleFilter]; the frames must be 1 to
// 2^40, and their ratio within 1 % of that of the rates.
func NewStretchFilter(inRate, outRate int, inFrames, outFrames int64) (*ResampleFilter, error) {
	if err := checkRates(inRate, outRate); err != nil {
		return nil, err
	}
	if err := checkStretch(inRate, outRate, inFrames, outFrames); err != nil {
		return nil, err
	}
	g := gcd(inFrames, outFrames)
	return newFilter(inRate, outRate, outFrames/g, inFrames/g), nil
}

func checkStretch(inRate, outRate int, inFrames, outFrames int64) error {
	if inFrames < 1 || outFrames < 1 || inFrames > maxStretchFrames || outFrames > maxStretchFrames {
		return fmt.Errorf("audio: cannot stretch %d frames to %d: frames must be 1 to 2^40", inFrames, outFrames)
	}
	ratio := float64(outFrames) / float64(inFrames) * float64(inRate) / float64(outRate)
	if math.Abs(ratio-1) > maxStretch {
		return fmt.Errorf("audio: cannot stretch %d frames of %d Hz to %d of %d Hz: more than 1 %%",
			inFrames, inRate, outFrames, outRate)
	}
	return nil
}

// StretchedFrames is the number of frames that a filter of
// NewStretchFilter(…, inFrames, outFrames) makes of frames.
func StretchedFrames(frames, inFrames, outFrames int64) int64 {
	g := gcd(inFrames, outFrames)
	return scaleFrames(frames, outFrames/g, inFrames/g)
}

// Stretched is a filter for the same rates and another ratio, like that of
// NewStretchFilter, and shares f's table if possible.
func (f *ResampleFilter) Stretched(inFrames, outFrames int64) (*ResampleFilter, error) {
	if err := checkStretch(f.inRate, f.outRate, inFrames, outFrames); err != nil {
		return nil, err
	}
	g := gcd(inFrames, outFrames)
	up, down := outFrames/g, inFrames/g
	if f.exact || up*int64(f.row) <= maxTable {
		return newFilter(f.inRate, f.outRate, up, down), nil
	}
	other := *f
	other.up, other.down = up, down
	return &other, nil
}

// scaleFrames is frames*up/down, rounded to nearest, halves up. The product may
// need 128 bits.
func scaleFrames(frames, up, down int64) int64 {
	hi, lo := bits.Mul64(uint64(max(frames, 0)), uint64(up))
	lo, carry := bits.Add64(lo, uint64(down/2), 0)
	if hi += carry; hi >= uint64(down) {
		return math.MaxInt64
	}
	n, _ := bits.Div64(hi, lo, uint64(down))
	return int64(min(n, math.MaxInt64))
}
