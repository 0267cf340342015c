package spool

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// unixLayout stands for seconds since 1970.
const unixLayout = "unix"

// layoutParts are the parts of package time's layouts that names may have, the longer
// ones first, and what they match.
func layoutParts() [][2]string {
	return [][2]string{
		{"2006", `[0-9]{4}`},
		{"January", `[A-Z][a-z]{2,8}`},
		{"Jan", `[A-Z][a-z]{2}`},
		{"06", `[0-9]{2}`},
		{"01", `[0-9]{2}`},
		{"02", `[0-9]{2}`},
		{"15", `[0-9]{2}`},
		{"04", `[0-9]{2}`},
		{"05", `[0-9]{2}`},
	}
}

// layoutForm is the regular expression of the times of a layout.
func layoutForm(layout string) (string, error) {
	if layout == unixLayout {
		return `[0-9]{9,11}`, nil
	}
	var form strings.Builder
	parts := 0
next:
	for rest := layout; rest != ""; {
		for _, p := range layoutParts() {
			if after, ok := strings.CutPrefix(rest, p[0]); ok {
				form.WriteString(p[1])
				rest = after
				parts++
				continue next
			}
		}
		if c := rest[0]; c >= '0' && c <= '9' || c == '/' {
			return "", fmt.Errorf("has %q, which no name can have; a layout has 2006, 06, 01, Jan, January, 02, 15, 04, 05", c)
		}
		form.WriteString(regexp.QuoteMeta(rest[:1]))
		rest = rest[1:]
	}
	if parts == 0 {
		return "", errors.New(`must have a layout, as 2006-01-02-15-04-05, or "unix"`)
	}
	return form.String(), nil
}

// moment is a time in parts.
type moment struct {
	layout, value string
	unix          string
}

func (m *moment) add(layout, value string) {
	if layout == unixLayout {
		m.unix = value
		return
	}
	m.layout += " " + layout
	m.value += " " + value
}

// in is the moment in the zone, zero without a date. False: there is no such time.
func (m *moment) in(zone *time.Location) (time.Time, bool) {
	if m.unix != "" {
		s, err := strconv.ParseInt(m.unix, 10, 64)
		return time.Unix(s, 0).UTC(), err == nil
	}
	if m.layout == "" {
		return time.Time{}, true
	}
	t, err := time.ParseInLocation(m.layout, m.value, zone)
	if err != nil {
		return time.Time{}, false
	}
	if t.Year() < 1970 { // the name has the time of day alone
		return time.Time{}, true
	}
	return t.UTC(), true
}
