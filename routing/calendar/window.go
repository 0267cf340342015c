package calendar

import "time"

// Window is a compiled [Windows]. It is immutable and may be used by any number of
// goroutines.
type Window struct {
	zone   *zone
	week   WeekMinutes
	except spans // of the wall clock
	also   spans // of the wall clock
	recur  spans // of Unix time
}

// Open reports whether the window is open at t. It allocates nothing.
func (w *Window) Open(t time.Time) bool {
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

// Overlaps reports whether both windows may be open at once. It says yes unless it
// is sure. Both must come from one [Reader].
func (w *Window) Overlaps(o *Window) bool {
	plain := func(w *Window) bool { return len(w.also.bounds) == 0 && len(w.recur.bounds) == 0 }
	return w.zone != o.zone || !plain(w) || !plain(o) || w.week.overlaps(&o.week)
}

// WhyClosed says in words why the window is closed at t: "its time window is
// closed at Mon 07:00 Europe/Berlin".
func (w *Window) WhyClosed(t time.Time) string {
	at := t.In(w.zone.loc)
	why := "its time window is closed at " + at.Format("Mon 15:04 ") + w.zone.loc.String()
	if w.except.contains(w.zone.local(at.Unix())) {
		why += ", an exception on " + at.Format(dateLayout)
	}
	if len(w.recur.bounds) > 0 && at.Unix() >= endOfCalendars {
		why += "; its recurrences are worked out to the end of " + lastYear()
	}
	return why
}
