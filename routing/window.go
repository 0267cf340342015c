package routing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const minutesPerWeek = 7 * 24 * 60

// weekBits has a bit for every minute of the week, Monday 00:00 first.
type weekBits [(minutesPerWeek + 63) / 64]uint64

// window is a compiled Windows: local minutes of the week in a time zone.
type window struct {
	zone *time.Location
	week weekBits
}

// contains reports whether the window is open at t. The zone's own rules turn
// t into local time, so a window follows the clock on the wall through both
// changes of daylight saving: an hour that is skipped never comes, one that is
// repeated counts twice.
func (w *window) contains(t time.Time) bool {
	l := t.In(w.zone)
	day := (int(l.Weekday()) + 6) % 7 // Monday is 0
	m := day*24*60 + l.Hour()*60 + l.Minute()
	return w.week[m/64]>>(m%64)&1 != 0
}

func (b *weekBits) set(minute int) {
	minute %= minutesPerWeek
	b[minute/64] |= 1 << (minute % 64)
}

func (b *weekBits) overlaps(o *weekBits) bool {
	for i := range b {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// add opens the minutes of "DAYS HH:MM-HH:MM".
func (b *weekBits) add(s string) error {
	days, span, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		return fmt.Errorf("%q is not like \"mon-fri 08:00-18:00\"", s)
	}
	from, to, ok := strings.Cut(strings.TrimSpace(span), "-")
	if !ok {
		return fmt.Errorf("%q has no span like 08:00-18:00", s)
	}
	start, err := clockMinute(from)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	end, err := clockMinute(to)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	if start == end || start == 24*60 {
		return fmt.Errorf("%q is empty; write the whole day as 00:00-24:00", s)
	}
	if end < start {
		end += 24 * 60
	}
	list, err := weekdays(days)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	for _, d := range list {
		for m := start; m < end; m++ {
			b.set(d*24*60 + m)
		}
	}
	return nil
}

func clockMinute(s string) (int, error) {
	h, m, ok := strings.Cut(s, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return 0, fmt.Errorf("%q is not a time like 08:00", s)
	}
	hour, herr := strconv.ParseUint(h, 10, 8)
	minute, merr := strconv.ParseUint(m, 10, 8)
	total := int(hour)*60 + int(minute)
	if herr != nil || merr != nil || minute > 59 || total > 24*60 {
		return 0, fmt.Errorf("%q is not a time from 00:00 to 24:00", s)
	}
	return total, nil
}

func weekdays(s string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(strings.ToLower(s), ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := weekday(from)
		if err != nil {
			return nil, err
		}
		last := first
		if isRange {
			if last, err = weekday(to); err != nil {
				return nil, err
			}
		}
		for d := first; ; d = (d + 1) % 7 { // "sat-mon" goes round the end of the week
			list = append(list, d)
			if d == last {
				break
			}
		}
	}
	return list, nil
}

func weekday(s string) (int, error) {
	for i, name := range [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if s == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day: mon, tue, wed, thu, fri, sat or sun", s)
}

func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not an IANA time zone, like \"Europe/Berlin\" or \"UTC\"", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone that this machine knows; give an IANA name like \"Europe/Berlin\"", name)
	}
	return loc, nil
}
