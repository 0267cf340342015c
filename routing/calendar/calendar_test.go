package calendar_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/routing/calendar"
)

// TestCheckReportsEveryFault: one run shows all of them, each with its path.
func TestCheckReportsEveryFault(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	var r calendar.Reader
	check := func(w *calendar.Windows) {
		r.Check(w, func(path, message string) { got[path] = message })
	}
	check(&calendar.Windows{
		TimeZone: "Mars/Olympus", Weekly: []string{"mon 08:00-18:00", "mon", "mun 08:00-09:00", "mon 08:00-08:00"},
		Except: []string{"24.12.2026", "2026-12-26..2026-12-24"}, Also: []string{"1969-12-31", "2026-12-24 24:00-02:00"},
		RRule: []calendar.Recurrence{{Rule: "FREQ=HOURLY", Start: "2026-01-01 09:00", Duration: "1h"}},
	})
	for path, want := range map[string]string{
		"timezone": "Europe/Berlin", "weekly[1]": "is not like", "weekly[2]": "is not a day", "weekly[3]": "it is empty",
		"except[0]": "is not a date", "except[1]": "ends before it begins", "also[0]": "is not from 1970", "also[1]": "it starts at 24:00",
		"rrule[0]": "FREQ must be",
	} {
		assert.Contains(t, got[path], want, path)
	}
	assert.Len(t, got, 9)
	clear(got)
	check(&calendar.Windows{TimeZone: "UTC"})
	assert.Contains(t, got["weekly"], "is empty")
}

// TestOpenAcrossTheClocks: weekly times follow the wall clock, recurrences last as
// long as they last.
func TestOpenAcrossTheClocks(t *testing.T) {
	var r calendar.Reader
	weekly := r.Compile(&calendar.Windows{TimeZone: "Europe/Berlin", Weekly: []string{"sun 02:00-03:00"}})
	recurring := r.Compile(&calendar.Windows{TimeZone: "Europe/Berlin", RRule: []calendar.Recurrence{
		{Rule: "FREQ=WEEKLY", Start: "2026-01-04 02:00", Duration: "1h"},
	}})
	open := func(w *calendar.Window, day time.Time) (minutes int) {
		for m := range 24 * 60 {
			if w.Open(day.Add(time.Duration(m) * time.Minute)) {
				minutes++
			}
		}
		return minutes
	}
	for _, c := range []struct {
		day               time.Time
		weekly, recurring int
	}{
		{time.Date(2026, 3, 22, 0, 0, 0, 0, time.UTC), 60, 60},
		{time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), 0, 60},    // the hour is skipped
		{time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), 120, 60}, // it is repeated
	} {
		assert.Equal(t, c.weekly, open(weekly, c.day), c.day)
		assert.Equal(t, c.recurring, open(recurring, c.day), c.day)
	}
	assert.True(t, weekly.Overlaps(weekly))
	night := r.Compile(&calendar.Windows{TimeZone: "Europe/Berlin", Weekly: []string{"sun 03:00-04:00"}})
	assert.False(t, weekly.Overlaps(night))
	at := time.Date(2026, 3, 22, 1, 30, 0, 0, time.UTC)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = weekly.Open(at) && recurring.Open(at) }))
}
