package routing

import (
	"fmt"
	"strings"
	"time"
)

// Recurrence is times that come again by a rule of iCalendar.
type Recurrence struct {
	// Rule is an RRULE of RFC 5545 section 3.3.10: "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24".
	// FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; the time of day is that of start.
	// UNTIL is included; with a Z it is an instant, without one the wall clock's,
	// and a date alone is its first second. A time that the clocks skip or repeat
	// is that of section 3.3.5: by the offset before the change.
	Rule string `json:"rule"`
	// Start is the first one's wall clock in the window's zone: "2026-01-01 09:00".
	// A rule that names no day takes it from here.
	Start string `json:"start"`
	// Duration is how long each lasts, as elapsed time: "8h", "1h30m"; at most 31 days.
	Duration string `json:"duration"`
}

// Limits of a calendar.
const (
	MaxRecurrence    = 31 * 24 * time.Hour
	maxInterval      = 1000
	maxCount         = 100_000
	maxOccurrences   = 2_000_000 // of all recurrences of a rule set
	maxFutile        = 3         // recurrences that never come before the search for more is given up
	dateLayout       = "2006-01-02"
	dateMinuteLayout = "2006-01-02 15:04"
)

// dates reads "2026-12-24", "2026-12-25..2026-12-26", each with an optional
// span of hours, "2026-12-31 22:00-02:00", into spans of the wall clock's
// seconds since 1970.
func dates(s string) ([][2]uint32, error) {
	days, hours, timed := strings.Cut(strings.TrimSpace(s), " ")
	from, to, isRange := strings.Cut(days, "..")
	first, err := date(from)
	if err != nil {
		return nil, err
	}
	last := first
	if isRange {
		if last, err = date(to); err != nil {
			return nil, err
		}
	}
	if last.Before(first) {
		return nil, fmt.Errorf("%q ends before it begins", s)
	}
	start, end := 0, minutesPerDay
	if timed {
		if start, end, err = clockSpan(hours); err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
	}
	if start == 0 && end == minutesPerDay { // whole days are one span
		return [][2]uint32{{uint32(first.Unix()), uint32(last.Unix() + secondsPerDay)}}, nil
	}
	var list [][2]uint32
	for d := first.Unix(); d <= last.Unix(); d += secondsPerDay {
		list = append(list, [2]uint32{uint32(d + int64(start)*60), uint32(d + int64(end)*60)})
	}
	return list, nil
}

func date(s string) (time.Time, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return t, fmt.Errorf("%q is not a date like 2026-12-24", short(s))
	}
	if t.Year() < firstYear || t.Year() >= horizonYear {
		return t, fmt.Errorf("%q is not from %d to %d", s, firstYear, horizonYear-1)
	}
	return t, nil
}
