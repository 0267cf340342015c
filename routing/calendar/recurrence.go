package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/switchtape/switchtape/routing/internal/text"
)

// Recurrence is times that come again by a rule of iCalendar.
type Recurrence struct {
	// Rule is an RRULE of RFC 5545 section 3.3.10: "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24".
	// FREQ is DAILY, WEEKLY, MONTHLY or YEARLY; the time of day is that of start.
	// UNTIL is included: with a Z it is an instant, without one a time of the wall
	// clock, and a date alone is its first second. Where the clocks skip or repeat
	// a time, the offset before the change holds (section 3.3.5).
	Rule string `json:"rule"`
	// Start is when the first one begins, on the wall clock of the window's zone: "2026-01-01 09:00".
	// A rule that names no day takes it from here.
	Start string `json:"start"`
	// Duration is how long each lasts, as elapsed time: "8h", "1h30m"; at most 31 days.
	Duration string `json:"duration"`
}

// MaxRecurrence is the longest that one occurrence of a [Recurrence] lasts.
const MaxRecurrence = 31 * 24 * time.Hour

// Limits of recurrences.
const (
	maxInterval    = 1000
	maxCount       = 100_000
	maxOccurrences = 2_000_000 // of everything that one Reader expands
	maxEmpty       = 3         // recurrences that never come, after which no more are expanded
	maxRuleBytes   = 1024
)

type recurrenceKey struct {
	Recurrence

	zone string
}

var errNever = errors.New("it never comes before the end of " + lastYear())

// lastYear returns the last year to which recurrences are expanded.
func lastYear() string { return strconv.Itoa(horizonYear - 1) }

// expand lists the spans of rec, as Unix time, up to the horizon. The rule is
// expanded on the wall clock as if that were UTC. Each start is then placed in the
// zone by itself, so that a change of clocks moves no other day's start.
func (r *Reader) expand(rec Recurrence, loc *time.Location) ([][2]uint32, error) {
	key := recurrenceKey{rec, loc.String()}
	if list, ok := r.expanded[key]; ok {
		return list, nil
	}
	option, until, duration, err := rec.parse()
	if err != nil {
		return nil, err
	}
	if r.empty >= maxEmpty {
		return nil, fmt.Errorf("was not looked at, since %d recurrences before it never come", r.empty)
	}
	rule, err := rrule.NewRRule(*option)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text.Clip(rec.Rule), err)
	}
	var list [][2]uint32
	z, lasts := r.zone(loc), int64(duration/time.Second)
	for next := rule.Iterator(); ; {
		wall, ok := next()
		if !ok {
			break
		}
		from := z.unix(wall.Unix())
		if from >= endOfCalendars || from > until {
			break
		}
		if r.starts++; r.starts > maxOccurrences {
			return nil, fmt.Errorf("the recurrences of this set come more than %d times by the end of %d; give them UNTIL or COUNT", maxOccurrences,
				horizonYear-1)
		}
		list = append(list, [2]uint32{uint32(from), uint32(min(from+lasts, endOfCalendars))})
	}
	if len(list) == 0 {
		r.empty++
		return nil, errNever
	}
	if r.expanded == nil {
		r.expanded = map[recurrenceKey][][2]uint32{}
	}
	r.expanded[key] = list
	return list, nil
}

// parse reads the recurrence as a rule over the wall clock, written as UTC, and
// the instant after which none begins.
func (r *Recurrence) parse() (option *rrule.ROption, until int64, duration time.Duration, err error) {
	duration, err = time.ParseDuration(r.Duration)
	if err != nil || duration < time.Minute || duration > MaxRecurrence || duration%time.Minute != 0 {
		return nil, 0, 0, fmt.Errorf("the duration %q must be whole minutes from 1m to %dh, like \"8h\" or \"1h30m\"", text.Clip(r.Duration),
			int(MaxRecurrence.Hours()))
	}
	start, err := time.Parse(dateMinuteLayout, r.Start)
	if err != nil || start.Year() < firstYear+1 || start.Year() >= horizonYear-1 {
		return nil, 0, 0, fmt.Errorf("the start %q must be a time like \"2026-01-01 09:00\", from %d to %d", text.Clip(r.Start), firstYear+1, horizonYear-2)
	}
	if len(r.Rule) > maxRuleBytes || strings.ContainsAny(r.Rule, "\r\n") {
		return nil, 0, 0, fmt.Errorf("the rule is longer than %d bytes or has several lines; give EXDATE as except, RDATE as also", maxRuleBytes)
	}
	upper := strings.ToUpper(strings.TrimSpace(r.Rule)) // RFC 5545 section 2: names are case-insensitive
	if option, err = rrule.StrToROption(upper); err != nil {
		return nil, 0, 0, fmt.Errorf("%q is not an RRULE like \"FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24\": %w", text.Clip(r.Rule), err)
	}
	parts, err := rruleParts(upper)
	if err == nil {
		err = rruleFault(option, parts)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%q: %w", text.Clip(r.Rule), err)
	}
	option.Dtstart = start
	until = int64(endOfCalendars)
	// The wall is at most a day from UTC; no year after the horizon is searched.
	end := horizon().AddDate(0, 0, 1)
	if strings.HasSuffix(parts["UNTIL"], "Z") {
		until = option.Until.Unix()
		option.Until = option.Until.AddDate(0, 0, 1)
	}
	if option.Until.IsZero() || option.Until.After(end) {
		option.Until = end
	}
	return option, until, duration, nil
}

// rruleParts returns the parts of a rule by their names. Each may be given once.
func rruleParts(rule string) (map[string]string, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(rule, "RRULE:"), ";") {
		name, value, _ := strings.Cut(part, "=")
		if _, twice := parts[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		parts[name] = value
	}
	return parts, nil
}

// rruleFault says which part of a rule is not taken here, or is not allowed by RFC
// 5545 section 3.3.10. The library would give such a part a meaning of its own.
func rruleFault(o *rrule.ROption, parts map[string]string) error {
	has := func(name string) bool { _, ok := parts[name]; return ok }
	chooses := slices.ContainsFunc([]string{"BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}, has)
	days := slices.DeleteFunc(slices.Clone(o.Byweekday), func(d rrule.Weekday) bool { return d.N() == 0 })
	most := 53
	if o.Freq == rrule.MONTHLY || has("BYMONTH") {
		most = 5
	}
	switch {
	case o.Freq > rrule.DAILY:
		return errors.New("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
	case has("DTSTART"):
		return errors.New("give DTSTART as start")
	case has("BYHOUR") || has("BYMINUTE") || has("BYSECOND") || has("BYEASTER"):
		return errors.New("BYHOUR, BYMINUTE, BYSECOND and BYEASTER are not taken; give the time of day as start")
	case has("INTERVAL") && (o.Interval < 1 || o.Interval > maxInterval):
		return fmt.Errorf("INTERVAL must be 1 to %d", maxInterval)
	case has("COUNT") && (o.Count < 1 || o.Count > maxCount):
		return fmt.Errorf("COUNT must be 1 to %d", maxCount)
	case has("COUNT") && has("UNTIL"):
		return errors.New("COUNT and UNTIL exclude each other; give one")
	case len(days) > 0 && (o.Freq > rrule.MONTHLY || has("BYWEEKNO")):
		return fmt.Errorf("BYDAY has a number, %s, which goes with FREQ=MONTHLY, or with FREQ=YEARLY without BYWEEKNO", days[0])
	case slices.ContainsFunc(days, func(d rrule.Weekday) bool { return d.N() < -most || d.N() > most }):
		return fmt.Errorf("the numbers of BYDAY are 1 to %d here, or -1 to -%d", most, most)
	case has("BYMONTHDAY") && o.Freq == rrule.WEEKLY:
		return errors.New("BYMONTHDAY doesn't go with FREQ=WEEKLY")
	case has("BYYEARDAY") && o.Freq != rrule.YEARLY:
		return errors.New("BYYEARDAY goes with FREQ=YEARLY only")
	case has("BYWEEKNO") && o.Freq != rrule.YEARLY:
		return errors.New("BYWEEKNO goes with FREQ=YEARLY only")
	case has("BYSETPOS") && !chooses:
		return errors.New("BYSETPOS chooses among what another BY part gives; there is none")
	}
	return nil
}
