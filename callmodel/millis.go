package callmodel

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// Millis is a span or offset on a call's timeline. In JSON it is a number of
// milliseconds, which may have a fraction down to the nanosecond.
type Millis time.Duration

// Duration is m as Go's duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

func (m Millis) String() string { return time.Duration(m).String() }

// Frames is m at rate (Hz), rounded to the nearest frame, halves away from zero.
func (m Millis) Frames(rate int) int64 {
	sec, nano := int64(m)/1e9, int64(m)%1e9
	half := int64(5e8)
	if m < 0 {
		half = -half
	}
	return sec*int64(rate) + (nano*int64(rate)+half)/1e9
}

// MillisOfFrames is the span of n frames at rate (Hz), to the nearest nanosecond.
func MillisOfFrames(n int64, rate int) Millis {
	r := int64(rate)
	return Millis(n/r*1e9 + (n%r*1e9+r/2)/r)
}

// MarshalJSON writes the number of milliseconds, exactly.
func (m Millis) MarshalJSON() ([]byte, error) {
	whole, frac := int64(m)/1e6, int64(m)%1e6
	if frac == 0 {
		return strconv.AppendInt(nil, whole, 10), nil
	}
	return strconv.AppendFloat(nil, float64(m)/1e6, 'f', -1, 64), nil
}

// maxMillis bounds a timeline to 30 days, far beyond any call, so that frame
// counts can't overflow.
const maxMillis = float64(30 * 24 * time.Hour / time.Millisecond)

// UnmarshalJSON reads a number of milliseconds within ±30 days.
func (m *Millis) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) {
		return errors.New("must be a number of milliseconds")
	}
	if math.Abs(f) > maxMillis {
		return errors.New("must be within 30 days, in milliseconds")
	}
	*m = Millis(math.Round(f * 1e6))
	return nil
}
