package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/routing/internal/text"
)

const (
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
		return t, fmt.Errorf("%q is not a date like 2026-12-24", text.Clip(s))
	}
	if t.Year() < firstYear || t.Year() >= horizonYear {
		return t, fmt.Errorf("%q is not from %d to %d", s, firstYear, horizonYear-1)
	}
	return t, nil
}
