package recording

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// minCoverageGap is the shortest stretch without audio that is reported, as
// offsets and spans are given in milliseconds.
const minCoverageGap = time.Millisecond

// gaps are, in order, the stretches of the call that no segment of the leg covers,
// and its dropouts.
func gaps(cut *cutCall, l *timedLeg, dropouts []record.LegGap) []record.LegGap {
	var covered, claimed []window
	for _, s := range l.segments {
		if n := s.Frames - s.Lost; n > 0 {
			covered = append(covered, window{s.at, s.at + s.durationOf(n)})
		}
		if s.lastedKnown {
			claimed = append(claimed, window{s.at, s.at + s.lasted})
		}
	}
	covered, claimed = unite(covered, minCoverageGap-1), unite(claimed, 0)
	if len(covered) == 0 {
		return appendGap(nil, record.GapMissing, window{to: cut.length})
	}
	out := slices.Clone(dropouts)
	at := time.Duration(0)
	for i, w := range append(covered, window{cut.length, cut.length}) {
		kind := record.GapBetween
		switch i {
		case 0:
			kind = record.GapBefore
		case len(covered):
			kind = record.GapAfter
		}
		out = appendParts(out, kind, window{at, min(w.from, cut.length)}, claimed)
		at = max(at, w.to)
	}
	slices.SortStableFunc(out, func(a, b record.LegGap) int { return cmp.Compare(a.From, b.From) })
	return out
}

// appendParts adds a gap in parts: missing, where a segment claims to have been
// recorded, and of its kind elsewhere.
func appendParts(out []record.LegGap, kind record.GapKind, gap window, claimed []window) []record.LegGap {
	for _, c := range claimed {
		if c.to <= gap.from || c.from >= gap.to {
			continue
		}
		out = appendGap(out, kind, window{gap.from, c.from})
		out = appendGap(out, record.GapMissing, window{max(gap.from, c.from), min(gap.to, c.to)})
		gap.from = c.to
	}
	return appendGap(out, kind, gap)
}

// appendGap adds the window as a gap, if it is long enough.
func appendGap(out []record.LegGap, kind record.GapKind, w window) []record.LegGap {
	if w.to-w.from < minCoverageGap {
		return out
	}
	return append(out, record.LegGap{Kind: kind, From: w.from, To: w.to})
}
