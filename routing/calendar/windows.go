package calendar

import (
	"time"

	"github.com/switchtape/switchtape/routing/internal/text"
)

// Windows says when something is open: at the times of the week and of the
// recurrences without the exceptions, and always at the times of also.
type Windows struct {
	// Calendar names a calendar of the rule set, whose times these are; nothing else is
	// given then. "": the times are below.
	Calendar string `json:"calendar,omitempty" unsaid:""`
	// TimeZone is an IANA name: "Europe/Berlin". It brings its own daylight saving.
	TimeZone string `json:"timezone,omitempty"`
	// Weekly lists times of the week: "mon-fri 08:00-18:00", "sat,sun 10:00-14:00",
	// "fri 22:00-02:00" (into the next day). The end is not included.
	Weekly []string `json:"weekly,omitempty"`
	// RRule lists times that come again by the rules of iCalendar.
	RRule []Recurrence `json:"rrule,omitempty"`
	// Except and Also list dates on which it is closed or open: "2026-12-24",
	// "2026-12-25..2026-12-26", or a part of them, "2026-12-31 12:00-24:00".
	Except []string `json:"except,omitempty"`
	Also   []string `json:"also,omitempty"`
}

// AppendKey appends bytes that differ between different windows, for the keys of
// maps.
func (w *Windows) AppendKey(b []byte) []byte {
	b = text.AppendKey(b, []string{w.Calendar, w.TimeZone})
	for _, list := range [][]string{w.Weekly, w.Except, w.Also} {
		b = text.AppendKey(b, list)
	}
	for _, r := range w.RRule {
		b = text.AppendKey(b, []string{r.Rule, r.Start, r.Duration})
	}
	return b
}

// OpensAfter reports whether the windows are open at any time at or after t, up to
// the end of 2099. Weekly times come again for ever, whatever the exceptions. It
// says yes unless it is sure.
func (w *Windows) OpensAfter(t time.Time) bool { return w.OpensWithin(t, time.Time{}) }

// mostLookedThrough is the longest time that is looked through minute by minute.
const mostLookedThrough = 62 * 24 * time.Hour

// OpensWithin is OpensAfter for the time before until. A zero until means no end. Of up
// to two months it says for certain whether a minute is open: weekly times that lie in
// an hour that the clocks leave out are not.
func (w *Windows) OpensWithin(t, until time.Time) bool {
	loc, err := loadZone(w.TimeZone)
	if err != nil || t.Unix() >= endOfCalendars {
		return true // not for this to report
	}
	if len(w.Weekly) > 0 {
		return until.IsZero() || until.Sub(t) > mostLookedThrough || w.opensAtMinute(t, until)
	}
	z := newZone(loc)
	end := int64(endOfCalendars)
	if !until.IsZero() {
		end = min(end, until.Unix()+1) // a part of its second is before it
	}
	also, except := wallSpans(w.Also), wallSpans(w.Except)
	for i := 0; i+1 < len(also.bounds); i += 2 {
		if z.shows(t.Unix(), end, int64(also.bounds[i]), int64(also.bounds[i+1])) {
			return true
		}
	}
	var reader Reader
	for _, r := range w.RRule {
		list, err := reader.expand(r, loc)
		if err != nil {
			return true
		}
		for _, span := range list {
			if int64(span[1]) > t.Unix() && int64(span[0]) < end && !except.covers(z, max(int64(span[0]), t.Unix()), int64(span[1])) {
				return true
			}
		}
	}
	return false
}

// opensAtMinute looks at t and at the beginning of every minute from then to until.
func (w *Windows) opensAtMinute(t, until time.Time) bool {
	var reader Reader
	window := reader.Compile(w)
	for at := t; at.Before(until); at = at.Truncate(time.Minute).Add(time.Minute) {
		if window.Open(at) {
			return true
		}
	}
	return false
}
