package analysis

import "math"

// Voice activity is energy above an adaptive noise floor, in the way
// of minimum statistics (R. Martin, "Noise Power Spectral Density Estimation
// Based on Optimal Smoothing and Minimum Statistics", IEEE TSAP 9(5), 2001, in
// one band) with hangover as in ITU-T G.729, Annex B, and with look-ahead,
// which a recording can afford:
//
//   - The measure of a cell of 10 ms is the power of x[n] - x[n-lag], see
//     [cellScan], smoothed over three cells.
//   - The floor is the least of it within 3 s. That of the 3 s before and that of
//     the 3 s after are both found, and the higher one counts: speech dips to the
//     floor within 3 s in both directions, while noise that begins or ends shows
//     it in one. So noise is not taken for talk when it begins, and constant
//     tones are not talk. Digital silence says nothing about the floor.
//   - A cell is active if it is 4 dB above the floor's estimate and above -62 dBFS.
//   - Gaps up to 300 ms are bridged. Stretches that are shorter than 80 ms or never
//     rise well above the threshold are dropped. 30 ms are added at both ends.
const (
	groupCells  = 25 // 250 ms
	reachGroups = 12 // 3 s
	trustGroups = 8  // 2 s: a floor of less may be of speech itself

	floorBias    = 1.5 // the mean of noise over the least of 300 smoothed cells
	activeFactor = 2.5 // 4 dB above the floor
	strongFactor = 2   // 3 dB above the threshold
	activePower  = 6.31e-7

	bridgeCells = 30
	shortCells  = 8
	strongCells = 4
	padCells    = 3
)

// noFloor marks a group that is all digital silence.
const noFloor = math.MaxFloat32

// signalCells is how many cells make a signal. The silence of A-law is a constant,
// and a filter makes a step of it where the leg ends.
const signalCells = 3

// voiceChannel finds the talk of a channel. It keeps 6 s of cells and the
// segments.
type voiceChannel struct {
	before  [2]float32 // powers of the last two cells
	cells   int        // in the group
	least   float32    // of the group
	powers  [reachGroups + 1][groupCells]float32
	floors  [2*reachGroups + 1]float32
	groups  int64 // whole ones
	decided int64 // groups

	total      int64 // cells
	signal     int   // cells in a row that weren't digital silence
	lastSignal int64 // the cell after the last of signalCells or more in a row
	digital    int64 // cells of digital silence
	talk       segmenter
}

func (v *voiceChannel) init(maxSegments int) {
	*v = voiceChannel{least: noFloor, talk: segmenter{max: maxSegments, bridge: bridgeCells}}
	v.talk.list = make([]span, 0, min(maxSegments, 1024))
}

func (v *voiceChannel) add(cells []cell) {
	for i := range cells {
		c := &cells[i]
		power := float32(c.motion / float64(c.frames))
		smooth := (v.before[0] + v.before[1] + power) / 3
		v.before[0], v.before[1] = v.before[1], power
		v.total++
		if c.digital() {
			v.digital++
			v.signal = 0
		} else {
			if v.signal++; v.signal >= signalCells {
				v.lastSignal = v.total
			}
			v.least = min(v.least, smooth)
		}
		v.powers[v.groups%int64(len(v.powers))][v.cells] = smooth
		v.cells++
		if v.cells == groupCells {
			v.endGroup()
			if v.groups > reachGroups {
				v.decide(groupCells)
			}
		}
	}
}

func (v *voiceChannel) endGroup() {
	v.floors[v.groups%int64(len(v.floors))] = v.least
	v.groups++
	v.cells, v.least = 0, noFloor
}

// end decides the cells that were waiting for the cells after them.
func (v *voiceChannel) end() {
	last := v.cells
	if last > 0 {
		v.endGroup()
	} else {
		last = groupCells
	}
	for v.decided < v.groups {
		n := groupCells
		if v.decided == v.groups-1 {
			n = last
		}
		v.decide(n)
	}
	v.talk.end()
	v.talk.clip(v.total)
}

// decide tells the first undecided group, of n cells.
func (v *voiceChannel) decide(n int) {
	at := v.decided
	first, last := max(at-reachGroups, 0), min(at+reachGroups, v.groups-1)
	before, after := v.least3(first, at), v.least3(at, last)
	enoughBefore, enoughAfter := at-first >= trustGroups, last-at >= trustGroups
	var floor float32
	switch {
	case enoughBefore && enoughAfter && before < noFloor && after < noFloor:
		floor = max(before, after)
	case enoughBefore && !enoughAfter:
		floor = before
	case enoughAfter && !enoughBefore:
		floor = after
	default:
		floor = min(before, after)
	}
	if floor >= noFloor {
		floor = 0
	}
	threshold := max(float32(floor*(floorBias*activeFactor)), activePower)
	for i, p := range v.powers[at%int64(len(v.powers))][:n] {
		if p > threshold {
			v.talk.active(at*groupCells+int64(i), p > threshold*strongFactor)
		}
	}
	v.decided++
}

// least3 is the least floor of groups from first to last.
func (v *voiceChannel) least3(first, last int64) float32 {
	least := float32(noFloor)
	for g := first; g <= last; g++ {
		least = min(least, v.floors[g%int64(len(v.floors))])
	}
	return least
}

// span is from one cell to before another.
type span struct{ from, to uint32 }

func (s span) cells() int64 { return int64(s.to) - int64(s.from) }

// segmenter makes segments of active cells. It keeps max of them: when there
// are more, those with the smallest gaps between them are joined.
type segmenter struct {
	max    int
	bridge int64
	open   bool
	from   int64
	last   int64 // the last active cell
	strong int
	list   []span
}

func (s *segmenter) active(at int64, strong bool) {
	if s.open && at-s.last > bridgeCells {
		s.end()
	}
	if !s.open {
		s.open, s.from, s.strong = true, at, 0
	}
	s.last = at
	if strong {
		s.strong++
	}
}

func (s *segmenter) end() {
	if !s.open {
		return
	}
	s.open = false
	if s.last-s.from+1 < shortCells || s.strong < strongCells || s.last > math.MaxUint32-2*padCells {
		return
	}
	// Cells are smoothed with the two before, so a segment begins on time and
	// ends up to two cells late.
	seg := span{uint32(max(s.from-padCells, 0)), uint32(s.last + 1 + padCells)}
	if n := len(s.list); n > 0 && int64(seg.from)-int64(s.list[n-1].to) < s.bridge-2*padCells {
		s.list[n-1].to = seg.to
		return
	}
	if len(s.list) >= s.max {
		s.join()
	}
	s.list = append(s.list, seg)
}

// join doubles the gap that is bridged until half the segments are left.
func (s *segmenter) join() {
	for len(s.list) > s.max/2 {
		s.bridge *= 2
		kept := s.list[:1]
		for _, seg := range s.list[1:] {
			if last := &kept[len(kept)-1]; int64(seg.from)-int64(last.to) < s.bridge {
				last.to = seg.to
			} else {
				kept = append(kept, seg)
			}
		}
		s.list = kept
	}
}

// clip ends the last segment with the stream.
func (s *segmenter) clip(cells int64) {
	if n := len(s.list); n > 0 {
		s.list[n-1].to = uint32(min(int64(s.list[n-1].to), cells))
	}
}
