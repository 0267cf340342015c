package calendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/routing/internal/text"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
	secondsPerDay  = 24 * 60 * 60
)

// WeekMinutes has a bit for every minute of the week on the wall clock, Monday
// 00:00 first: minute m is bit m%64 of word m/64.
type WeekMinutes [(minutesPerWeek + 63) / 64]uint64

// Week returns the minutes of the weekly times alone. It leaves out times that
// are not valid, which [Reader.Check] reports.
func (w *Windows) Week() WeekMinutes {
	var week WeekMinutes
	for _, s := range w.Weekly {
		_ = week.add(s) // a fault of the file
	}
	return week
}

func (b *WeekMinutes) set(minute int) {
	minute %= minutesPerWeek
	b[minute/64] |= 1 << (minute % 64)
}

func (b *WeekMinutes) overlaps(o *WeekMinutes) bool {
	for i := range b {
		if b[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// add opens the minutes of "DAYS HH:MM-HH:MM".
func (b *WeekMinutes) add(s string) error {
	days, span, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		return fmt.Errorf("%q is not like \"mon-fri 08:00-18:00\"", s)
	}
	start, end, err := clockSpan(span)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
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

// clockSpan reads "08:00-18:00" as minutes of the day; a span into the next day
// ends after minute 1440.
func clockSpan(s string) (start, end int, err error) {
	from, to, ok := strings.Cut(strings.TrimSpace(s), "-")
	if !ok {
		return 0, 0, fmt.Errorf("%q is no span like 08:00-18:00", text.Clip(s))
	}
	if start, err = clockMinute(from); err != nil {
		return 0, 0, err
	}
	if end, err = clockMinute(to); err != nil {
		return 0, 0, err
	}
	if start == minutesPerDay {
		return 0, 0, errors.New("it starts at 24:00; write 00:00 of the next day")
	}
	if start == end {
		return 0, 0, errors.New("it is empty; write the whole day as 00:00-24:00")
	}
	if end < start {
		end += minutesPerDay
	}
	return start, end, nil
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
