package recording

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// minCoverageGap is the shortest stretch without audio that is reported:
// offsets and spans are given in milliseconds.
const minCoverageGap = time.Millisecond

// gaps are the stretches of the call that no segment of the leg covers, and
// those within its files where sound breaks off, in order.
func (pl *plan) gaps(l *leg) []record.LegGap {
	var covered, claimed []window
	for _, s := range l.segments {
		at := pl.offset(s)
		if n := s.frames - s.lost; n > 0 {
			covered = append(covered, window{at, at + s.durationOf(n)})
		}
		if end := pl.lasted(s); end > 0 && (s.spec.Span > 0 || pl.spec.LegsSpanCall) {
			claimed = append(claimed, window{at, at + end})
		}
	}
	covered, claimed = unite(covered, minCoverageGap-1), unite(claimed, 0)
	if len(covered) == 0 {
		return found(nil, record.GapMissing, window{to: pl.length})
	}
	out := slices.Clone(l.dropouts)
	at := time.Duration(0)
	for i, w := range append(covered, window{pl.length, pl.length}) {
		kind := record.GapBetween
		switch i {
		case 0:
			kind = record.GapBefore
		case len(covered):
			kind = record.GapAfter
		}
		out = explain(out, kind, window{at, min(w.from, pl.length)}, claimed)
		at = max(at, w.to)
	}
	slices.SortStableFunc(out, func(a, b record.LegGap) int { return compare(a.From, b.From) })
	return out
}

// explain adds a gap in parts: missing, where a segment claims to have been
// recorded, and of its kind elsewhere.
func explain(out []record.LegGap, kind record.GapKind, gap window, claimed []window) []record.LegGap {
	for _, c := range claimed {
		if c.to <= gap.from || c.from >= gap.to {
			continue
		}
		out = found(out, kind, window{gap.from, c.from})
		out = found(out, record.GapMissing, window{max(gap.from, c.from), min(gap.to, c.to)})
		gap.from = c.to
	}
	return found(out, kind, gap)
}

func found(out []record.LegGap, kind record.GapKind, w window) []record.LegGap {
	if w.to-w.from < minCoverageGap {
		return out
	}
	return append(out, record.LegGap{Kind: kind, From: w.from, To: w.to})
}

// unite puts windows in order and joins those that are at most apart from each
// other.
func unite(windows []window, apart time.Duration) []window {
	slices.SortFunc(windows, func(a, b window) int { return compare(a.from, b.from) })
	var out []window
	for _, w := range windows {
		if n := len(out); n > 0 && w.from-out[n-1].to <= apart {
			out[n-1].to = max(out[n-1].to, w.to)
			continue
		}
		out = append(out, w)
	}
	return out
}

func compare(a, b time.Duration) int { return int(min(max(a-b, -1), 1)) }
