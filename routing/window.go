package routing

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
	secondsPerDay  = 24 * 60 * 60
)

// weekBits has a bit for every minute of the week, Monday 00:00 first.
type weekBits [(minutesPerWeek + 63) / 64]uint64

// Windows is when a rule holds: at the times of the week and the recurrences,
// but for the exceptions, and whatever those say, at the times of also.
type Windows struct {
	// TimeZone is an IANA name: "Europe/Berlin". Daylight saving is its own.
	TimeZone string `json:"timezone"`
	// Weekly lists times of the week: "mon-fri 08:00-18:00", "sat,sun 10:00-14:00",
	// "fri 22:00-02:00" (into the next day). The end is not included.
	Weekly []string     `json:"weekly,omitempty"`
	RRule  []Recurrence `json:"rrule,omitempty"`
	// Except and Also list dates on which it is closed, or open: "2026-12-24",
	// "2026-12-25..2026-12-26", or a part of them, "2026-12-31 12:00-24:00".
	Except []string `json:"except,omitempty"`
	Also   []string `json:"also,omitempty"`
}

// window is a compiled Windows.
//
// Weekly times and dates follow the clock on the wall through both changes of
// daylight saving: an hour that is skipped never comes, one that is repeated
// counts twice. Recurrences start on the wall and last as long as they last.
type window struct {
	zone   *zone
	week   weekBits
	except spans // of the wall clock
	also   spans // of the wall clock
	recur  spans // of Unix time
}

func (w *window) contains(t time.Time) bool {
	unix := t.Unix()
	wall := w.zone.local(unix)
	if len(w.also.bounds) > 0 && w.also.contains(wall) {
		return true
	}
	// 1970 began on a Thursday.
	minute := (floorDiv(wall, 60) + 3*minutesPerDay) % minutesPerWeek
	if minute < 0 {
		minute += minutesPerWeek
	}
	open := w.week[minute/64]>>(minute%64)&1 != 0
	if !open && len(w.recur.bounds) > 0 {
		open = w.recur.contains(unix)
	}
	return open && (len(w.except.bounds) == 0 || !w.except.contains(wall))
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return (a - b + 1) / b
	}
	return a / b
}

// meets reports whether both windows may be open at once; it says yes unless it
// is sure.
func (w *window) meets(o *window) bool {
	plain := func(w *window) bool { return len(w.also.bounds) == 0 && len(w.recur.bounds) == 0 }
	return w.zone != o.zone || !plain(w) || !plain(o) || w.week.overlaps(&o.week)
}

// when checks each different window once.
func (v *validation) when(p string, w *Windows) {
	v.buf = w.appendKey(v.buf[:0])
	if v.windows[string(v.buf)] {
		return
	}
	key, before := string(v.buf), len(v.errs)
	v.times(p, w)
	v.windows[key] = len(v.errs) == before && before < maxFaults
}

// appendKey writes what tells windows apart.
func (w *Windows) appendKey(b []byte) []byte {
	b = appendKey(appendKey(appendKey(appendKey(b, []string{w.TimeZone}), w.Weekly), w.Except), w.Also)
	for _, r := range w.RRule {
		b = appendKey(b, []string{r.Rule, r.Start, r.Duration})
	}
	return b
}

// zone loads each time zone once.
func (v *validation) zone(name string) (*time.Location, error) {
	if loc, ok := v.zones[name]; ok {
		return loc, nil
	}
	loc, err := loadZone(name)
	if err == nil {
		v.zones[name] = loc
	}
	return loc, err
}

func (v *validation) times(p string, w *Windows) {
	loc, err := v.zone(w.TimeZone)
	if err != nil {
		v.fault(p+".timezone", "%s", err)
		loc = time.UTC
	}
	if len(w.Weekly)+len(w.RRule)+len(w.Also) == 0 {
		v.fault(p+".weekly", "is empty; give times like \"mon-fri 08:00-18:00\", rrule or also, or leave match.when out")
	}
	for i, s := range w.Weekly {
		var week weekBits
		if err := week.add(s); err != nil {
			v.fault(fmt.Sprintf("%s.weekly[%d]", p, i), "%s", err)
		}
	}
	for i, s := range w.Except {
		if _, err := dates(s); err != nil {
			v.fault(fmt.Sprintf("%s.except[%d]", p, i), "%s", err)
		}
	}
	for i, s := range w.Also {
		if _, err := dates(s); err != nil {
			v.fault(fmt.Sprintf("%s.also[%d]", p, i), "%s", err)
		}
	}
	for i, r := range w.RRule {
		if _, err := v.recur.expand(r, loc); err != nil {
			v.fault(fmt.Sprintf("%s.rrule[%d]", p, i), "%s", err)
		}
	}
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
		return 0, 0, fmt.Errorf("%q is no span like 08:00-18:00", short(s))
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
