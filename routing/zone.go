package routing

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// Calendars are worked out from 1970 to the end of 2099, in UTC: every instant
// of it fits 32 bits of seconds.
const (
	firstYear   = 1970
	horizonYear = 2100
)

func horizon() time.Time { return time.Date(horizonYear, 1, 1, 0, 0, 0, 0, time.UTC) }

// zone is a time zone with its changes of clocks laid out, for the time of day
// in a few nanoseconds. Outside 1970 to 2099 the zone itself is asked.
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

// local is the seconds that the wall clock shows at the Unix time t, counted
// from 1970-01-01 00:00 on the wall.
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

// unix is the instant at which the wall clock shows wall, in seconds since
// 1970-01-01 00:00 on the wall. By RFC 5545 section 3.3.5 it is the first of two
// where clocks are put back, and by the offset before the change where a time is
// skipped. ([time.Date] chooses by which side of Greenwich the zone is.)
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

// spans is a set of half-open spans of seconds since 1970: their bounds in
// order, starts and ends in turn, with a table that finds the bounds about a
// second without searching through all.
type spans struct {
	bounds []uint32
	table  []uint32 // bounds before second first+i<<shift
	first  uint32
	shift  uint8
}

// newSpans sorts and merges the spans.
func newSpans(list [][2]uint32) spans {
	slices.SortFunc(list, func(a, b [2]uint32) int { return slices.Compare(a[:], b[:]) })
	var s spans
	for _, x := range list {
		n := len(s.bounds)
		switch {
		case x[0] >= x[1]:
		case n > 0 && x[0] <= s.bounds[n-1]:
			s.bounds[n-1] = max(s.bounds[n-1], x[1])
		default:
			s.bounds = append(s.bounds, x[0], x[1])
		}
	}
	if len(s.bounds) == 0 {
		return s
	}
	s.bounds = slices.Clip(s.bounds)
	s.first = s.bounds[0]
	width := s.bounds[len(s.bounds)-1] - s.first
	for width>>s.shift > uint32(len(s.bounds)) {
		s.shift++
	}
	at := 0
	for i := range width>>s.shift + 1 {
		for at < len(s.bounds) && s.bounds[at] < s.first+i<<s.shift {
			at++
		}
		s.table = append(s.table, uint32(at))
	}
	s.table = append(s.table, uint32(len(s.bounds)))
	return s
}

func (s *spans) contains(t int64) bool {
	n := len(s.bounds)
	if n == 0 || t < int64(s.first) || t >= int64(s.bounds[n-1]) {
		return false
	}
	x := uint32(t)
	slot := (x - s.first) >> s.shift
	lo, hi := s.table[slot], s.table[slot+1]
	for lo < hi { // the number of bounds at or before x
		if mid := (lo + hi) / 2; s.bounds[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo%2 == 1
}

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
