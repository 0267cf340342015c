package dialimport

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// timeRec is a time recurrence of drouting: the parts of RFC 2445 section 4.3.10
// behind each other with bars between them. OpenSIPS 3.x has a zone and an end
// before the duration; Kamailio and older OpenSIPS have neither.
type timeRec struct {
	zone       string
	start, end string
	duration   string
	freq       string
	until      string
	interval   string
	by         [5]string // byday, bymonthday, byyearday, byweekno, bymonth
}

func byNames() [5]string {
	return [5]string{"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH"}
}

// window is what a recurrence becomes: conditions of a match.
type window struct {
	when        *calendar.Windows
	from, until string // RFC 3339, of the validity
	// extended says that it ends a second later than the source has it, with the minute.
	extended bool
}

func splitTimeRec(s string) (timeRec, error) {
	if strings.ContainsAny(s, "&/!()") && !zoneOnly(s) {
		return timeRec{}, errors.New("expressions of several recurrences can't be said; make a rule of each")
	}
	parts := strings.Split(strings.TrimRight(s, "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	var t timeRec
	if parts[0] != "" && (parts[0][0] < '0' || parts[0][0] > '9') {
		t.zone, parts = parts[0], parts[1:]
	}
	next := func() string {
		if len(parts) == 0 {
			return ""
		}
		p := parts[0]
		parts = parts[1:]
		return p
	}
	t.start = next()
	if hasEnd(parts) || t.zone != "" {
		t.end = next()
	}
	t.duration, t.freq, t.until, t.interval = next(), next(), next(), next()
	for i := range t.by {
		t.by[i] = next()
	}
	if len(parts) > 0 && strings.Join(parts, "") != "" {
		return t, errors.New("it has more parts than a recurrence")
	}
	return t, nil
}

// zoneOnly reports whether the only slashes are those of a zone's name in front.
func zoneOnly(s string) bool {
	zone, rest, _ := strings.Cut(s, "|")
	return !strings.ContainsAny(zone, "&!()") && !strings.ContainsAny(rest, "&/!()") && zone != "" && (zone[0] < '0' || zone[0] > '9')
}

// hasEnd tells the form with dtend by where the frequency stands, or by what
// stands behind the start.
func hasEnd(parts []string) bool {
	for i, p := range parts {
		switch strings.ToLower(p) {
		case "daily", "weekly", "monthly", "yearly", "hourly", "minutely", "secondly":
			return i == 2
		}
	}
	if len(parts) == 0 {
		return false
	}
	_, err := timeRecTime(parts[0], time.UTC)
	return err == nil && parts[0] != ""
}

func timeRecTime(s string, loc *time.Location) (time.Time, error) {
	if rest, ok := strings.CutSuffix(s, "Z"); ok {
		return time.ParseInLocation("20060102T150405", rest, time.UTC)
	}
	if len(s) == len("20060102") {
		return time.ParseInLocation("20060102", s, loc)
	}
	return time.ParseInLocation("20060102T150405", s, loc)
}

var durationParts = regexp.MustCompile(`^\+?P?(?:(\d{1,4})W)?(?:(\d{1,4})D)?T?(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?$`)

// timeRecDuration reads a DURATION of RFC 2445 section 4.3.6; both systems take
// it without P and T too: "10H".
func timeRecDuration(s string) (time.Duration, error) {
	m := durationParts.FindStringSubmatch(strings.ToUpper(s))
	if m == nil {
		return 0, fmt.Errorf("%q is no duration like PT8H30M", short(s))
	}
	units := [...]time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second}
	var d time.Duration
	for i, u := range units {
		n, err := strconv.Atoi("0" + m[i+1])
		if err != nil {
			return 0, fmt.Errorf("%q is no duration like PT8H30M", short(s))
		}
		d += time.Duration(n) * u
	}
	return d, nil
}

// convert makes the conditions of a recurrence. zone is that of times without
// one; assumed reports that it was needed.
func (t *timeRec) convert(zone string) (w window, assumed bool, err error) {
	name := t.zone
	switch {
	case strings.HasSuffix(t.start, "Z"):
		name = "UTC"
	case name == "":
		name, assumed = zone, zone == ""
	}
	if name == "" {
		name = "UTC"
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return w, false, fmt.Errorf("%q is not a time zone", name)
	}
	if t.start == "" {
		if *t == (timeRec{zone: t.zone}) {
			return w, false, nil // always
		}
		return w, false, errors.New("it has no start")
	}
	start, err := timeRecTime(t.start, loc)
	if err != nil {
		return w, false, fmt.Errorf("%q is no time like 20260101T080000", short(t.start))
	}
	length, err := t.length(start, loc)
	if err != nil {
		return w, false, err
	}
	if t.freq == "" {
		if t.until+t.interval+strings.Join(t.by[:], "") != "" {
			return w, false, errors.New("it has parts of a recurrence, but no frequency")
		}
		w.from = start.Format(time.RFC3339)
		if length > 0 {
			w.until = start.Add(length).Format(time.RFC3339)
		}
		return w, assumed, nil
	}
	if w, err = t.recurring(start, length, name, loc); err == nil {
		err = w.check()
	}
	return w, assumed, err
}

// length returns the time that each lasts; 0 for ever.
func (t *timeRec) length(start time.Time, loc *time.Location) (time.Duration, error) {
	if t.duration != "" {
		return timeRecDuration(t.duration)
	}
	if t.end == "" {
		return 0, nil
	}
	end, err := timeRecTime(t.end, loc)
	if err != nil || !end.After(start) {
		return 0, fmt.Errorf("its end %q is not after its start", short(t.end))
	}
	return end.Sub(start), nil
}

// weekday returns a day of RFC 2445 as windows name it.
func weekday(s string) (string, bool) {
	for _, name := range [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if strings.EqualFold(s, name[:2]) {
			return name, true
		}
	}
	return "", false
}

func (t *timeRec) recurring(start time.Time, length time.Duration, zone string, loc *time.Location) (window, error) {
	var w window
	freq := strings.ToUpper(t.freq)
	switch freq {
	case "DAILY", "WEEKLY", "MONTHLY", "YEARLY":
	default:
		return w, fmt.Errorf("the frequency %q can't be said; only daily, weekly, monthly and yearly", short(t.freq))
	}
	if length == 0 {
		return w, errors.New("it recurs without saying how long it lasts")
	}
	if length%time.Minute == time.Minute-time.Second { // to 23:59:59, which means to the end of the day
		length += time.Second
		w.extended = true
	}
	if start.Second() != 0 || length%time.Minute != 0 {
		return w, errors.New("it is not of whole minutes")
	}
	if weekly := t.weekly(start, length, freq); weekly != "" {
		w.when, w.from = &calendar.Windows{TimeZone: zone, Weekly: []string{weekly}}, start.Format(time.RFC3339)
		return w, nil
	}
	parts := []string{"FREQ=" + freq}
	if t.interval != "" && t.interval != "1" {
		parts = append(parts, "INTERVAL="+t.interval)
	}
	if t.until != "" {
		until, err := timeRecTime(t.until, loc)
		if err != nil {
			return w, fmt.Errorf("%q is no time like 20261231T235959", short(t.until))
		}
		if len(t.until) == len("20060102") { // a date takes its whole day
			until = until.AddDate(0, 0, 1).Add(-time.Second)
		}
		parts = append(parts, "UNTIL="+until.UTC().Format("20060102T150405Z"))
	}
	for i, name := range byNames() {
		if t.by[i] != "" {
			parts = append(parts, name+"="+strings.ToUpper(strings.ReplaceAll(t.by[i], " ", "")))
		}
	}
	w.when = &calendar.Windows{TimeZone: zone, RRule: []calendar.Recurrence{{
		Rule: strings.Join(parts, ";"), Start: start.Format("2006-01-02 15:04"), Duration: strings.TrimSuffix(length.String(), "0s"),
	}}}
	return w, nil
}

// weekly says plain weeks and days by the clock on the wall: "mon,tue 08:00-18:00".
func (t *timeRec) weekly(start time.Time, length time.Duration, freq string) string {
	if freq != "DAILY" && freq != "WEEKLY" || t.interval != "" && t.interval != "1" || t.until != "" || strings.Join(t.by[1:], "") != "" {
		return ""
	}
	from := start.Hour()*60 + start.Minute()
	to := from + int(length/time.Minute)
	if length > 24*time.Hour || length == 24*time.Hour && from != 0 {
		return ""
	}
	if to > 24*60 {
		to -= 24 * 60
	}
	days := "mon-sun"
	switch {
	case t.by[0] != "":
		var list []string
		for d := range strings.SplitSeq(strings.ToUpper(t.by[0]), ",") {
			name, ok := weekday(strings.TrimSpace(d))
			if !ok {
				return "" // an ordinal; or no day, which the rule's check finds
			}
			list = append(list, name)
		}
		days = strings.Join(list, ",")
	case freq == "WEEKLY":
		days = strings.ToLower(start.Weekday().String()[:3])
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", days, from/60, from%60, to/60, to%60)
}

// check holds the window against the router's own rules.
func (w *window) check() error {
	if w.when == nil {
		return nil
	}
	one := routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"d": {URI: "sip:d.example"}},
		Rules: []routing.Rule{{
			ID: "r", Default: true, Match: routing.Match{When: w.when, ValidFrom: w.from, ValidUntil: w.until},
			Route: []routing.Tier{{Targets: []routing.Target{{To: "d"}}}},
		}},
	}
	err := one.Validate()
	if faults, ok := errors.AsType[callmodel.FieldErrors](err); ok { // without the path and the name of a rule that nobody wrote
		return errors.New(strings.TrimPrefix(faults[0].Message, "rule r: "))
	}
	return err
}
