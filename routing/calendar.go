package routing

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Recurrence is times that come again by a rule of iCalendar.
type Recurrence struct {
	// Rule is an RRULE of RFC 5545 section 3.3.10: "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24".
	// FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; the time of day is that of start.
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

// recurrences expands the recurrences of a rule set, each different one once.
type recurrences struct {
	known  map[recurrenceKey][][2]uint32
	total  int
	futile int
}

type recurrenceKey struct {
	Recurrence

	zone string
}

var errNever = errors.New("it never comes before the end of " + dateText(horizonYear-1))

func dateText(year int) string { return strconv.Itoa(year) }

// expand lists the spans of r, as Unix time, up to the horizon.
func (e *recurrences) expand(r Recurrence, loc *time.Location) ([][2]uint32, error) {
	key := recurrenceKey{r, loc.String()}
	if list, ok := e.known[key]; ok {
		return list, nil
	}
	option, duration, err := r.parse(loc)
	if err != nil {
		return nil, err
	}
	if e.futile >= maxFutile {
		return nil, fmt.Errorf("was not looked at, since %d recurrences before it never come", e.futile)
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", short(r.Rule), err)
	}
	var list [][2]uint32
	end := horizon()
	for next := rule.Iterator(); ; {
		t, ok := next()
		if !ok || !t.Before(end) {
			break
		}
		if e.total++; e.total > maxOccurrences {
			return nil, fmt.Errorf("the recurrences of this set come more than %d times by the end of %d; give them UNTIL or COUNT", maxOccurrences, horizonYear-1)
		}
		list = append(list, [2]uint32{uint32(t.Unix()), uint32(min(t.Add(duration).Unix(), endOfCalendars))})
	}
	if len(list) == 0 {
		e.futile++
		return nil, errNever
	}
	if e.known == nil {
		e.known = map[recurrenceKey][][2]uint32{}
	}
	e.known[key] = list
	return list, nil
}

func (r *Recurrence) parse(loc *time.Location) (*rrule.ROption, time.Duration, error) {
	duration, err := time.ParseDuration(r.Duration)
	if err != nil || duration < time.Minute || duration > MaxRecurrence || duration%time.Minute != 0 {
		return nil, 0, fmt.Errorf("the duration %q must be whole minutes from 1m to %dh, like \"8h\" or \"1h30m\"", short(r.Duration), int(MaxRecurrence.Hours()))
	}
	start, err := time.ParseInLocation(dateMinuteLayout, r.Start, loc)
	if err != nil || start.Year() < firstYear+1 || start.Year() >= horizonYear-1 {
		return nil, 0, fmt.Errorf("the start %q must be a time like \"2026-01-01 09:00\", from %d to %d", short(r.Start), firstYear+1, horizonYear-2)
	}
	if len(r.Rule) > MaxExprBytes || strings.ContainsAny(r.Rule, "\r\n") {
		return nil, 0, fmt.Errorf("the rule is longer than %d bytes or has several lines", MaxExprBytes)
	}
	option, err := rrule.StrToROptionInLocation(r.Rule, loc)
	if err != nil {
		return nil, 0, fmt.Errorf("%q is not an RRULE like \"FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24\": %w", short(r.Rule), err)
	}
	switch {
	case option.Freq > rrule.DAILY:
		return nil, 0, fmt.Errorf("%q: FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY", short(r.Rule))
	case !option.Dtstart.IsZero():
		return nil, 0, fmt.Errorf("%q: give DTSTART as start", short(r.Rule))
	case len(option.Byhour)+len(option.Byminute)+len(option.Bysecond)+len(option.Byeaster) > 0:
		return nil, 0, fmt.Errorf("%q: BYHOUR, BYMINUTE, BYSECOND and BYEASTER are not taken; give the time of day as start", short(r.Rule))
	case strings.Contains(r.Rule, "INTERVAL=") && (option.Interval < 1 || option.Interval > maxInterval):
		return nil, 0, fmt.Errorf("%q: INTERVAL must be 1 to %d", short(r.Rule), maxInterval)
	case strings.Contains(r.Rule, "COUNT=") && (option.Count < 1 || option.Count > maxCount):
		return nil, 0, fmt.Errorf("%q: COUNT must be 1 to %d", short(r.Rule), maxCount)
	}
	option.Dtstart = start
	// No year after the horizon is searched.
	if end := horizon(); option.Until.IsZero() || option.Until.After(end) {
		option.Until = end
	}
	return option, duration, nil
}
