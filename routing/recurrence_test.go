package routing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// oracleStarts lists when a recurrence begins: rrule-go's times in UTC, each put
// on the zone's wall clock by RFC 5545 section 3.3.5.
func oracleStarts(t require.TestingT, r calendar.Recurrence, loc *time.Location, end time.Time) []time.Time {
	option, err := rrule.StrToROption(r.Rule)
	require.NoError(t, err)
	until := option.Until
	option.Until = time.Time{}
	option.Dtstart, err = time.Parse("2006-01-02 15:04", r.Start)
	require.NoError(t, err)
	rule, err := rrule.NewRRule(*option)
	require.NoError(t, err)
	var list []time.Time
	for _, wall := range rule.Between(option.Dtstart, end, true) {
		at := oracleInstant(wall, loc)
		switch utc := strings.HasSuffix(r.Rule, "Z"); {
		case until.IsZero(), utc && !at.After(until), !utc && !wall.After(until):
			list = append(list, at)
		}
	}
	return list
}

// oracleInstant looks no further than a day and a half: the clocks change once
// in that time.
func oracleInstant(wall time.Time, loc *time.Location) time.Time {
	offset := func(t time.Time) int { _, o := t.In(loc).Zone(); return o }
	before, after := offset(wall.Add(-36*time.Hour)), offset(wall.Add(36*time.Hour))
	first := wall.Add(-time.Duration(before) * time.Second)
	second := wall.Add(-time.Duration(after) * time.Second)
	if offset(first) != before && offset(second) == after {
		return second.In(loc)
	}
	return first.In(loc) // of two, or by the offset before a gap
}

// TestRecurrencesAcrossClockChanges has the cases in which a zone west of
// Greenwich and one east of it must not differ, written out by hand.
func TestRecurrencesAcrossClockChanges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, start, open, shut string }{
		// Skipped: 02:30 is 03:30 by the new offset.
		{
			"America/New_York", "2026-01-01 02:30", "2026-03-08T03:30:00-04:00 2026-03-08T03:59:00-04:00 2026-03-09T02:30:00-04:00",
			"2026-03-08T01:30:00-05:00 2026-03-08T04:00:00-04:00",
		},
		{"Europe/Berlin", "2026-01-01 02:30", "2026-03-29T03:30:00+02:00 2026-03-30T02:30:00+02:00", "2026-03-29T01:30:00+01:00 2026-03-29T04:00:00+02:00"},
		{"Australia/Lord_Howe", "2026-01-01 02:10", "2026-10-04T02:40:00+11:00 2026-10-05T02:10:00+11:00", "2026-10-04T01:50:00+10:30"},
		{"Pacific/Chatham", "2026-01-01 03:00", "2026-09-27T04:00:00+13:45", "2026-09-27T02:00:00+12:45"},
		// Twice: the first.
		{"America/New_York", "2026-01-01 01:30", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"},
		{"Europe/Berlin", "2026-01-01 02:30", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"},
		{"Europe/Dublin", "2026-01-01 01:30", "2026-10-25T01:30:00+01:00 2026-03-29T02:30:00+01:00", "2026-10-25T01:30:00+00:00"},
		// A start that is skipped itself moves no other day.
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:30:00+02:00 2026-03-30T02:30:00+02:00 2026-07-01T02:30:00+02:00", "2026-03-30T03:30:00+02:00"},
		// Apia had no 30 December 2011; Casablanca's clocks go back for Ramadan.
		{"Pacific/Apia", "2011-12-01 10:00", "2011-12-29T10:00:00-10:00 2011-12-31T10:00:00+14:00", "2011-12-29T11:00:00-10:00"},
		{"Africa/Casablanca", "2026-01-01 02:30", "2026-02-15T02:30:00+01:00 2026-02-16T02:30:00+00:00", "2026-02-15T02:30:00+00:00"},
	} {
		router := openRouter(t, &calendar.Windows{TimeZone: c.zone, RRule: []calendar.Recurrence{{Rule: "FREQ=DAILY", Start: c.start, Duration: "30m"}}})
		for want, list := range map[string]string{"open": c.open, "shut": c.shut} {
			for s := range strings.FieldsSeq(list) {
				at, err := time.Parse(time.RFC3339, s)
				require.NoError(t, err)
				d, err := router.Route(&calls.Request{To: "+1", At: at})
				require.NoError(t, err)
				assert.Equal(t, want, d.Rule, "%s from %s: %s", c.zone, c.start, s)
			}
		}
	}
}

// drawRRule draws any rule that RFC 5545 allows and package routing takes.
func drawRRule(t *rapid.T) string {
	freq := rapid.SampledFrom([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}).Draw(t, "freq")
	parts := []string{"FREQ=" + freq}
	add := func(name string, often int, draw func() string) bool {
		if rapid.IntRange(0, 9).Draw(t, name+"?") >= often {
			return false
		}
		parts = append(parts, name+"="+draw())
		return true
	}
	numbers := func(lo, hi int, signed bool) func() string {
		return func() string {
			var list []string
			for range rapid.IntRange(1, 3).Draw(t, "n") {
				n := rapid.IntRange(lo, hi).Draw(t, "number")
				if signed && rapid.Bool().Draw(t, "negative") {
					n = -n
				}
				list = append(list, fmt.Sprint(n))
			}
			return strings.Join(list, ",")
		}
	}
	add("INTERVAL", 4, numbers1(t, 1, 5))
	add("WKST", 2, func() string { return rapid.SampledFrom(oracleDays).Draw(t, "wkst") })
	by := add("BYMONTH", 3, numbers(1, 12, false))
	inMonth := freq == "MONTHLY" || by
	week := freq == "YEARLY" && add("BYWEEKNO", 2, numbers(1, 53, true))
	by = by || week
	if freq != "WEEKLY" {
		by = add("BYMONTHDAY", 3, numbers(1, 31, true)) || by
	}
	if freq == "YEARLY" {
		by = add("BYYEARDAY", 2, numbers(1, 366, true)) || by
	}
	by = add("BYDAY", 4, func() string {
		most := 0
		if (freq == "MONTHLY" || freq == "YEARLY") && !week {
			most = 53
			if inMonth {
				most = 5
			}
		}
		var list []string
		for range rapid.IntRange(1, 3).Draw(t, "days") {
			day := rapid.SampledFrom(oracleDays).Draw(t, "day")
			if n := rapid.IntRange(-most, most).Draw(t, "nth"); n != 0 {
				day = fmt.Sprint(n) + day
			}
			list = append(list, day)
		}
		return strings.Join(list, ",")
	}) || by
	if by {
		add("BYSETPOS", 3, numbers(1, 4, true))
	}
	if !add("COUNT", 2, numbers1(t, 1, 300)) {
		add("UNTIL", 3, func() string {
			return fmt.Sprintf("2027%02d10T%02d3000", rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(0, 23).Draw(t, "hour")) +
				rapid.SampledFrom([]string{"", "Z"}).Draw(t, "utc")
		})
	}
	return strings.Join(parts, ";")
}

var oracleDays = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

func numbers1(t *rapid.T, lo, hi int) func() string {
	return func() string { return fmt.Sprint(rapid.IntRange(lo, hi).Draw(t, "one")) }
}

// TestRecurrencesProperty compiles drawn rules in zones with odd habits and asks
// the router about every minute at which an answer changes, and its neighbours.
func TestRecurrencesProperty(t *testing.T) {
	t.Parallel()
	zones := []string{
		"UTC", "Europe/Dublin", "Africa/Casablanca", "Pacific/Apia", "Pacific/Chatham", "Australia/Lord_Howe", "America/New_York",
		"America/St_Johns", "Asia/Tehran",
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		r := calendar.Recurrence{
			Rule: drawRRule(t), Duration: rapid.SampledFrom([]string{"1m", "45m", "26h", "744h"}).Draw(t, "duration"),
			Start: fmt.Sprintf("2025-%02d-%02d %02d:%02d", rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(1, 28).Draw(t, "day"),
				rapid.IntRange(0, 3).Draw(t, "hour"), rapid.SampledFrom([]int{0, 15, 30}).Draw(t, "minute")),
		}
		router, err := routing.Compile(windowSet(&calendar.Windows{TimeZone: zone, RRule: []calendar.Recurrence{r}}))
		if err != nil {
			require.ErrorContains(t, err, "it never comes", "%+v", r)
			return
		}
		end := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
		lasts, _ := time.ParseDuration(r.Duration)
		starts := oracleStarts(t, r, oracleZone(zone), end)
		var asked []time.Time
		for _, at := range starts {
			asked = append(asked, at.Add(-time.Minute), at, at.Add(lasts-time.Minute), at.Add(lasts))
		}
		for _, at := range asked {
			if at.After(end.Add(-50 * time.Hour)) {
				continue // occurrences that begin later are not listed
			}
			want := "shut"
			if i, found := slices.BinarySearchFunc(starts, at, time.Time.Compare); found || i > 0 && at.Before(starts[i-1].Add(lasts)) {
				want = "open"
			}
			d, err := router.Route(&calls.Request{To: "+1", At: at})
			require.NoError(t, err)
			require.Equal(t, want, d.Rule, "%s %+v at %s", zone, r, at)
		}
	})
}

// TestRecurrenceFaults: what RFC 5545 section 3.3.10 forbids is refused, and
// not read as something else.
func TestRecurrenceFaults(t *testing.T) {
	t.Parallel()
	for rule, part := range map[string]string{
		"FREQ=WEEKLY;BYDAY=1MO":                          "BYDAY has a number, +1MO",
		"FREQ=DAILY;BYDAY=MO,-1FR":                       "BYDAY has a number, -1FR",
		"FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO":               "without BYWEEKNO",
		"FREQ=MONTHLY;BYDAY=6MO":                         "1 to 5 here",
		"FREQ=YEARLY;BYMONTH=3;BYDAY=-6SU":               "1 to 5 here",
		"FREQ=YEARLY;BYDAY=54MO":                         "1 to 53 here",
		"FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z":      "exclude each other",
		"FREQ=DAILY;FREQ=WEEKLY":                         "FREQ is given twice",
		"FREQ=WEEKLY;BYDAY=MO;BYDAY=TU":                  "BYDAY is given twice",
		"FREQ=WEEKLY;BYMONTHDAY=13":                      "doesn't go with FREQ=WEEKLY",
		"FREQ=MONTHLY;BYWEEKNO=3":                        "BYWEEKNO goes with FREQ=YEARLY only",
		"FREQ=DAILY;BYYEARDAY=3":                         "BYYEARDAY goes with FREQ=YEARLY only",
		"FREQ=MONTHLY;BYSETPOS=1":                        "BYSETPOS chooses",
		"DTSTART=20260101T000000;FREQ=DAILY":             "give DTSTART as start",
		"FREQ=DAILY\nEXDATE:20260101T000000":             "give EXDATE as except",
		"FREQ=DAILY;INTERVAL=1001":                       "INTERVAL must be",
		"FREQ=DAILY;BYHOUR=":                             "BYHOUR option has no value",
		"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;BYSETPOS=2":    "BYSETPOS is given twice",
		"RRULE:FREQ=DAILY;RRULE:FREQ=DAILY":              "unknown RRULE property",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;INTERVAL=1": "never comes",
		"FREQ=DAILY;UNTIL=20250101T000000Z":              "never comes",
		"FREQ=DAILY;UNTIL=2027-01-01":                    "not an RRULE",
	} {
		rs := windowSet(&calendar.Windows{TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: rule, Start: "2026-01-01 09:00", Duration: "1h"}}})
		err := rs.Validate()
		require.ErrorContains(t, err, part, rule)
		require.ErrorContains(t, err, "rules[0].match.when.rrule[0]", rule)
	}
	for _, rule := range []string{
		"freq=daily", "RRULE:FREQ=WEEKLY;BYDAY=MO", " FREQ=YEARLY;BYDAY=20MO ", "FREQ=MONTHLY;BYDAY=+1MO,-1FR",
		"FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
	} {
		require.NoError(t, windowSet(&calendar.Windows{
			TimeZone: "UTC",
			RRule:    []calendar.Recurrence{{Rule: rule, Start: "2026-01-01 09:00", Duration: "1h"}},
		}).Validate(), rule)
	}
}
