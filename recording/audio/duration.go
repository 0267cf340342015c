package audio

import "time"

// FramesIn is how many frames at rate, in Hz, last d, rounded to the nearest,
// halves away from zero. It is exact up to 30 days at 192 kHz.
func FramesIn(d time.Duration, rate int) int64 {
	sec, nano := int64(d)/1e9, int64(d)%1e9
	half := int64(5e8)
	if d < 0 {
		half = -half
	}
	return sec*int64(rate) + (nano*int64(rate)+half)/1e9
}

// DurationOf is how long n frames at rate, in Hz, last, to the nearest nanosecond.
func DurationOf(n int64, rate int) time.Duration {
	r := int64(rate)
	return time.Duration(n/r*1e9 + (n%r*1e9+r/2)/r)
}
