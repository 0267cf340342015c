package calendar

import (
	"fmt"
	"sort"
	"time"
)

// Calendars are expanded from 1970 to the end of 2099, in UTC: 32 bits of seconds
// hold every instant of that time.
const (
	firstYear   = 1970
	horizonYear = 2100
)

func horizon() time.Time { return time.Date(horizonYear, 1, 1, 0, 0, 0, 0, time.UTC) }

// zone is a time zone with a table of its changes of clocks, which gives the time
// of day in a few nanoseconds. Outside 1970 to 2099 it asks the time.Location.
type zone struct {
	loc *time.Location
	// changes[i] is the Unix time from which offsets[i] holds, up to the next.
	changes []int64
	offsets []int32 // seconds east of UTC
}

func newZone(loc *time.Location) *zone {
	z := &zone{loc: loc}
	end := horizon()
	for t := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(end); {
		_, offset := t.In(loc).Zone()
		if n := len(z.offsets); n == 0 || z.offsets[n-1] != int32(offset) {
			z.changes = append(z.changes, t.Unix())
			z.offsets = append(z.offsets, int32(offset))
		}
		_, next := t.In(loc).ZoneBounds()
		if next.IsZero() || !next.After(t) {
			break
		}
		t = next
	}
	return z
}

// local returns what the wall clock shows at the Unix time t, as seconds since
// 1970-01-01 00:00 on the wall.
func (z *zone) local(t int64) int64 {
	n := len(z.changes)
	if t < z.changes[0] || t >= endOfCalendars {
		_, offset := time.Unix(t, 0).In(z.loc).Zone()
		return t + int64(offset)
	}
	lo, hi := 0, n // the last change at or before t
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); z.changes[mid] <= t {
			lo = mid
		} else {
			hi = mid
		}
	}
	return t + int64(z.offsets[lo])
}

// unix returns the Unix time at which the wall clock shows wall, in seconds since
// 1970-01-01 00:00 on the wall. Where clocks are put back it is the first of two,
// and where they skip a time the offset before the change holds (RFC 5545 section
// 3.3.5). [time.Date] decides by the side of Greenwich on which the zone lies.
func (z *zone) unix(wall int64) int64 {
	// The first offset that holds until after wall; the last holds for good.
	n := len(z.changes)
	i := sort.Search(n-1, func(i int) bool { return wall < z.changes[i+1]+int64(z.offsets[i]) })
	if i > 0 && wall < z.changes[i]+int64(z.offsets[i]) {
		i-- // skipped
	}
	return wall - int64(z.offsets[i])
}

// endOfCalendars is horizon as Unix time.
const endOfCalendars = 4102444800

func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not an IANA time zone, like \"Europe/Berlin\" or \"UTC\"", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone that this machine knows; give an IANA name like \"Europe/Berlin\"", name)
	}
	return loc, nil
}

// shows reports whether the wall clock shows a time from low to before high at some
// Unix time from begin to before end. A time that the clocks leave out is never shown.
func (z *zone) shows(begin, end, low, high int64) bool {
	for i, offset := range z.offsets {
		from, to := begin, end
		if i > 0 {
			from = max(from, z.changes[i])
		}
		if i+1 < len(z.changes) {
			to = min(to, z.changes[i+1])
		}
		if from < to && max(from+int64(offset), low) < min(to+int64(offset), high) {
			return true
		}
	}
	return false
}
