package calendar

import "slices"

// spans is a set of half-open spans of seconds since 1970. It holds their bounds
// in order, starts and ends in turn, and a table that leads to the bounds around
// a second without a search through all of them.
type spans struct {
	bounds []uint32
	table  []uint32 // how many bounds are before second first+i<<shift
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

// covers reports whether one of the spans of the wall clock covers all the time
// between two instants. It says no unless it is sure.
func (s *spans) covers(z *zone, from, to int64) bool {
	first, last := z.local(from), z.local(to-1)
	if last-first != to-1-from { // the clocks change meanwhile
		return false
	}
	for i := 0; i+1 < len(s.bounds); i += 2 {
		if int64(s.bounds[i]) <= first && last < int64(s.bounds[i+1]) {
			return true
		}
	}
	return false
}
