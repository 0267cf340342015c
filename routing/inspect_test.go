package routing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// TestInspectTellsAllAtOnce has faults and ties in one file: the ties are those
// among the other rules, with the places and lines of the file.
func TestInspectTellsAllAtOnce(t *testing.T) {
	t.Parallel()
	in, err := routing.Inspect([]byte(`destinations: {x: {uri: "sip:x"}}
rules:
  - {id: bad, priority: 5000, match: {to: {prefix: "+49"}}, route: [[{to: x}]]}
  - {id: a, match: {to: {prefix: "+49"}}, route: [[{to: x}]]}
  - {id: worse, match: {to: {prefix: "x"}}, route: [[{to: y}]]}
  - {id: b, match: {to: {prefix: "+49"}}, route: [[{to: x}]]}
`))
	require.NoError(t, err)
	require.Nil(t, in.Router)
	require.Len(t, in.Faults, 3)
	require.Len(t, in.Conflicts, 1)
	assert.Equal(t, "rules[3]", in.Conflicts[0].Path)
	assert.Equal(t, 6, in.Conflicts[0].Line)
	assert.Contains(t, in.Conflicts[0].Message, "rule b: ties with rule a (rules[1])")

	in, err = routing.Inspect([]byte("destinations: {x: {uri: no}}\nrules: [{id: a, default: true, route: [[{to: x}]]}]"))
	require.NoError(t, err)
	require.Len(t, in.Faults, 1, "the set's own fault; nothing is compiled")
	assert.Empty(t, in.Conflicts)

	in, err = routing.Inspect([]byte("destinations: {x: {uri: \"sip:x\"}}\nrules: [{id: a, default: true, route: [[{to: x}]]}]"))
	require.NoError(t, err)
	require.NotNil(t, in.Router)
	assert.Equal(t, 2, in.Rules.Line("rules[0]"))
	_, err = routing.Inspect([]byte("{"))
	require.Error(t, err)
}

func TestWindowsOpenAfter(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time { return rfc3339(s + "T12:00:00Z") }
	also := &calendar.Windows{TimeZone: "UTC", Also: []string{"2026-03-01"}}
	assert.True(t, also.OpensAfter(day("2026-03-01")))
	assert.False(t, also.OpensAfter(day("2026-03-02")))
	assert.True(t, (&calendar.Windows{
		TimeZone: "UTC", Weekly: []string{"mon 08:00-09:00"},
		Except: []string{"2000-01-01..2099-12-31"},
	}).OpensAfter(day("2026-03-02")))
	thrice := &calendar.Windows{
		TimeZone: "Europe/Berlin",
		RRule:    []calendar.Recurrence{{Rule: "FREQ=DAILY;COUNT=3", Start: "2026-03-27 00:00", Duration: "24h"}},
	}
	assert.True(t, thrice.OpensAfter(day("2026-03-29")))
	assert.False(t, thrice.OpensAfter(day("2026-03-31")))
	thrice.Except = []string{"2026-03-27..2026-03-28"}
	assert.True(t, thrice.OpensAfter(day("2026-03-01")), "the third is on no exception")
	thrice.Except = []string{"2026-03-27..2026-03-31"}
	assert.True(t, thrice.OpensAfter(day("2026-03-01")), "the clocks change in the third: nothing is said of it")
	thrice.RRule[0].Rule = "FREQ=DAILY;COUNT=2"
	assert.False(t, thrice.OpensAfter(day("2026-03-01")))
}

func TestWeekMinutes(t *testing.T) {
	t.Parallel()
	week := (&calendar.Windows{Weekly: []string{"sun 23:59-00:01"}}).Week()
	for m := range 7 * 24 * 60 {
		require.Equal(t, m == 0 || m == 7*24*60-1, week[m/64]>>(m%64)&1 != 0, m)
	}
}

// TestInspectOfFaultsWithoutEnd: rules with faults that were too many to list
// are not taken for ties.
func TestInspectOfFaultsWithoutEnd(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("destinations: {a: {uri: \"sip:a\"}}\nrules:\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "  - {id: r%d, priority: %d, match: {to: {prefix: \"+49\"}}, route: [[{to: a}]]}\n", i, 2000+i)
	}
	in, err := routing.Inspect([]byte(b.String()))
	require.NoError(t, err)
	require.Len(t, in.Faults, 1000)
	require.Empty(t, in.Conflicts)
	require.Nil(t, in.Router)
}

func TestWindowsOpenWithin(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time { return rfc3339(s + "T12:00:00Z") }
	also := &calendar.Windows{TimeZone: "Pacific/Apia", Also: []string{"2028-01-01"}}
	assert.False(t, also.OpensWithin(day("2026-01-01"), day("2027-01-01")))
	assert.True(t, also.OpensWithin(day("2026-01-01"), day("2028-01-01")))
	assert.True(t, also.OpensWithin(day("2026-01-01"), time.Time{}))
	assert.False(t, also.OpensWithin(day("2028-01-04"), time.Time{}))
	later := &calendar.Windows{TimeZone: "UTC", RRule: []calendar.Recurrence{{Rule: "FREQ=YEARLY", Start: "2027-01-01 00:00", Duration: "24h"}}}
	assert.False(t, later.OpensWithin(day("2026-01-01"), day("2026-12-31")))
	assert.True(t, later.OpensWithin(day("2026-01-01"), day("2027-01-02")))
}
