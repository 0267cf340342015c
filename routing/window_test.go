package routing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// openRouter has rule "open" while the window is, and "shut" else.
func openRouter(t testing.TB, w *calendar.Windows) *routing.Router {
	t.Helper()
	r, err := routing.Compile(windowSet(w))
	require.NoError(t, err)
	return r
}

func windowSet(w *calendar.Windows) *routing.RuleSet {
	to := tiers([][]routing.Target{{{To: "x"}}}...)
	return &routing.RuleSet{
		Destinations: map[string]routing.DestinationSpec{"x": {URI: "sip:x"}},
		Rules: []routing.Rule{
			{ID: "open", Default: true, Priority: 1, Match: routing.Match{When: w}, Route: to},
			{ID: "shut", Default: true, Route: to},
		},
	}
}

// TestWindowsEqualRRule holds weekly times, dates and recurrences against
// rrule-go: every minute of a year, in five zones with as many habits. Where
// the clocks change twice they change in each hemisphere, by half an hour in
// Lord Howe, and never in UTC and Kolkata.
func TestWindowsEqualRRule(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			loc := oracleZone(zone)
			w := &calendar.Windows{
				TimeZone: zone, Weekly: []string{"mon-fri 08:00-18:00", "fri 22:00-02:30"},
				RRule: []calendar.Recurrence{
					{Rule: "FREQ=MONTHLY;BYDAY=-1SU", Start: "2025-12-28 01:30", Duration: "26h"},
					{Rule: "FREQ=YEARLY;BYMONTH=3,4,10,11;BYMONTHDAY=1,2,5,8,26,29", Start: "2025-01-01 02:30", Duration: "45m"},
					{Rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA;UNTIL=20260901T000000Z", Start: "2026-01-03 23:00", Duration: "2h"},
				},
				Except: []string{"2026-12-24..2026-12-26", "2026-12-31 12:00-24:00", "2026-03-29 02:00-04:00", "2026-07-01 22:00-06:00"},
				Also:   []string{"2026-12-25 09:00-12:00", "2026-10-25 02:00-02:30"},
			}
			router := openRouter(t, w)
			recurring := make(map[int64]bool, 1<<16)
			for _, r := range w.RRule {
				for minute := range recurringMinutes(t, r, loc) {
					recurring[minute] = true
				}
			}
			weekly := weeklyMinutes(t, loc)
			var d calls.Decision
			opened := 0
			for m := time.Date(2026, 1, 1, 0, 0, 0, 0, loc); m.Year() == 2026; m = m.Add(time.Minute) {
				on := func(list []string) bool {
					for _, s := range list {
						if oracleDated(s, m) {
							return true
						}
					}
					return false
				}
				want := "shut"
				unix := m.Unix() / 60
				if on(w.Also) || (weekly(m) || recurring[unix]) && !on(w.Except) {
					want = "open"
					opened++
				}
				req := calls.Request{To: "+1", At: m}
				if err := router.RouteInto(&req, &d); err != nil || d.Rule != want {
					t.Fatalf("%v: %s, %v; want %s", m, d.Rule, err, want)
				}
			}
			assert.Greater(t, opened, 100_000)
		})
	}
}

// recurringMinutes is the minutes since 1970 that the recurrence covers.
func recurringMinutes(t *testing.T, r calendar.Recurrence, loc *time.Location) map[int64]bool {
	t.Helper()
	lasts, err := time.ParseDuration(r.Duration)
	require.NoError(t, err)
	minutes := map[int64]bool{}
	for _, at := range oracleStarts(t, r, loc, time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC)) {
		for m := range int64(lasts / time.Minute) {
			minutes[at.Unix()/60+m] = true
		}
	}
	return minutes
}

// weeklyMinutes asks rrule-go for the days of the week; the hours are read off
// the wall, which is what weekly times are.
func weeklyMinutes(t *testing.T, loc *time.Location) func(time.Time) bool {
	t.Helper()
	days := func(rule string) map[string]bool {
		option, err := rrule.StrToROption(rule)
		require.NoError(t, err)
		option.Dtstart = time.Date(2025, 12, 1, 12, 0, 0, 0, loc)
		r, err := rrule.NewRRule(*option)
		require.NoError(t, err)
		list := map[string]bool{}
		for _, at := range r.Between(option.Dtstart, time.Date(2027, 1, 3, 0, 0, 0, 0, loc), true) {
			list[at.Format("2006-01-02")] = true
		}
		return list
	}
	workdays, nights := days("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"), days("FREQ=WEEKLY;BYDAY=FR")
	return func(m time.Time) bool {
		clock := m.Hour()*60 + m.Minute()
		today := m.Format("2006-01-02")
		yesterday := time.Date(m.Year(), m.Month(), m.Day()-1, 12, 0, 0, 0, loc).Format("2006-01-02")
		return workdays[today] && clock >= 8*60 && clock < 18*60 || nights[today] && clock >= 22*60 || nights[yesterday] && clock < 2*60+30
	}
}

func TestWindowFaults(t *testing.T) {
	t.Parallel()
	for part, w := range map[string]calendar.Windows{
		"give times like":       {TimeZone: "UTC"},
		"not a date like":       {TimeZone: "UTC", Also: []string{"24.12.2026"}},
		"ends before it begins": {TimeZone: "UTC", Also: []string{"2026-12-26..2026-12-24"}},
		"not from 1970 to 2099": {TimeZone: "UTC", Except: []string{"2126-12-26"}, Weekly: []string{"mon 00:00-24:00"}},
		"no span like":          {TimeZone: "UTC", Also: []string{"2026-12-26 noon"}},
		"RRULE like":            {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "EVERY=DAY", Start: "2026-01-01 09:00", Duration: "8h"}}},
		"FREQ must be DAILY":    {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=SECONDLY", Start: "2026-01-01 09:00", Duration: "8h"}}},
		"whole minutes":         {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: "2026-01-01 09:00", Duration: "8"}}},
		"must be a time like":   {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: "2026-01-01", Duration: "8h"}}},
		"give the time of day":  {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY;BYHOUR=1,2,3", Start: "2026-01-01 09:00", Duration: "8h"}}},
		"never comes": {
			TimeZone: "UTC",
			RRule:    []calendar.Recurrence{{Rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", Start: "2026-01-01 09:00", Duration: "8h"}},
		},
		"INTERVAL must be": {
			TimeZone: "UTC",
			RRule:    []calendar.Recurrence{{Rule: "FREQ=DAILY;INTERVAL=9223372036854775807", Start: "2026-01-01 09:00", Duration: "8h"}},
		},
		"COUNT must be": {TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY;COUNT=0", Start: "2026-01-01 09:00", Duration: "8h"}}},
		"give DTSTART as start": {
			TimeZone: "UTC",
			RRule:    []calendar.Recurrence{{Rule: "FREQ=DAILY;DTSTART=20260101T000000Z", Start: "2026-01-01 09:00", Duration: "8h"}},
		},
		"not an IANA time zone":  {Weekly: []string{"mon 00:00-24:00"}},
		"is empty; write the wh": {TimeZone: "UTC", Also: []string{"2026-12-26 09:00-09:00"}},
	} {
		rs := &routing.RuleSet{
			Destinations: destinations(),
			Rules:        []routing.Rule{{ID: "one", Default: true, Match: routing.Match{When: &w}, Route: tiers([][]routing.Target{{{To: "x"}}}...)}},
		}
		err := rs.Validate()
		require.ErrorContains(t, err, part)
		assert.Contains(t, err.Error(), "rule one")
		assert.Contains(t, err.Error(), "rules[0].match.when")
	}
}

// TestRecurrencesEndWithTheCentury: what is beyond the horizon is closed, and
// the explanation says why.
func TestRecurrencesEndWithTheCentury(t *testing.T) {
	t.Parallel()
	router := openRouter(t, &calendar.Windows{
		TimeZone: "Europe/Berlin",
		RRule:    []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: "2026-01-01 12:00", Duration: "1h"}},
	})
	for at, want := range map[string]string{
		"2025-12-31T11:30:00Z": "shut", "2026-01-01T11:30:00Z": "open", "2026-07-01T10:30:00Z": "open", "2099-12-31T11:30:00Z": "open",
		"2100-01-01T11:30:00Z": "shut",
	} {
		req := calls.Request{To: "+1", At: rfc3339(at)}
		d, err := router.Route(&req)
		require.NoError(t, err)
		assert.Equal(t, want, d.Rule, at)
	}
	req := calls.Request{To: "+1", At: rfc3339("2100-01-01T11:30:00Z")}
	assert.Contains(t, fmt.Sprint(router.Explain(&req).Considered), "worked out to the end of 2099")
}

// TestWindowAllocatesNothing: nor does a calendar of a century.
func TestWindowAllocatesNothing(t *testing.T) {
	w := &calendar.Windows{
		TimeZone: "America/New_York", Weekly: []string{"mon 08:00-18:00"}, Except: []string{"2026-12-24"}, Also: []string{"2026-12-25"},
		RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: "1971-01-01 12:00", Duration: "1h"}},
	}
	router := openRouter(t, w)
	var d calls.Decision
	req := calls.Request{To: "+1", At: rfc3339("2026-07-07T16:30:00Z")}
	require.NoError(t, router.RouteInto(&req, &d))
	assert.Equal(t, "open", d.Rule)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _ = router.RouteInto(&req, &d) }))
}

func TestManyRecurrencesThatNeverCome(t *testing.T) {
	t.Parallel()
	rs := &routing.RuleSet{Destinations: destinations()}
	for i := range 300 {
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: fmt.Sprintf("r%d", i), Default: true, Priority: i,
			Route: tiers([][]routing.Target{{{To: "x"}}}...), Match: routing.Match{
				When: &calendar.Windows{
					TimeZone: "UTC",
					RRule: []calendar.Recurrence{{
						Rule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", Start: fmt.Sprintf("2026-01-01 09:%02d", i%60), Duration: "8h",
					}},
				},
			},
		})
	}
	err := rs.Validate()
	require.Error(t, err)
	assert.Equal(t, 3, strings.Count(err.Error(), "it never comes"))
	assert.Contains(t, err.Error(), "was not looked at")
}

func BenchmarkWindow(b *testing.B) {
	for name, w := range map[string]*calendar.Windows{
		"weekly": {TimeZone: "Europe/Berlin", Weekly: []string{"mon-fri 08:00-18:00"}},
		"all": {
			TimeZone: "Europe/Berlin", Weekly: []string{"sat 08:00-18:00"}, Except: []string{"2026-12-24"}, Also: []string{"2026-12-25"},
			RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: "1971-01-01 12:00", Duration: "1h"}},
		},
		"none": nil,
	} {
		b.Run(name, func(b *testing.B) {
			router := openRouter(b, w)
			var d calls.Decision
			req := calls.Request{To: "+1", At: rfc3339("2026-07-07T10:30:00Z")}
			b.ReportAllocs()
			for b.Loop() {
				_ = router.RouteInto(&req, &d)
			}
		})
	}
}
