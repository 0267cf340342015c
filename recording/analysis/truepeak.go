package analysis

import "math"

// truePeakTaps is the length of a phase of the interpolation filter.
const truePeakTaps = 12

// truePeakPhases are the phases of the 48 tap filter that ITU-R BS.1770-4,
// Annex 2, gives for four times the sample rate. The third and fourth are the
// second and first backwards. The table is one of ratios to the sample rate, so
// it serves any rate.
func truePeakPhases() [4][truePeakTaps]float32 {
	t := [4][truePeakTaps]float32{
		{
			0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
			0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
		},
		{
			-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
			0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
		},
	}
	for i := range truePeakTaps {
		t[2][i] = t[1][truePeakTaps-1-i]
		t[3][i] = t[0][truePeakTaps-1-i]
	}
	return t
}

// truePeak finds the largest magnitude of the interpolated signal. A value of it is
// at most gain times the samples under the filter. If those are small beside the
// peak so far, which in speech they nearly always are, the filter isn't run.
type truePeak struct {
	peak   float32
	gain   float32
	before float32 // peak of the cell before
	phases [4][truePeakTaps]float32
	bounds [truePeakTaps]float32     // the largest magnitude of each tap in any phase
	outer  float32                   // the sum of bounds but the two in the middle
	tail   [truePeakTaps - 1]float32 // of the chunk before
	front  []float32                 // tail and the first cell of a chunk
}

func (t *truePeak) init(cellFrames int) {
	t.phases = truePeakPhases()
	for _, phase := range t.phases {
		sum := float32(0)
		for _, c := range phase {
			sum += max(c, -c)
		}
		t.gain = max(t.gain, sum)
	}
	for i := range t.bounds {
		for _, phase := range t.phases {
			t.bounds[i] = max(t.bounds[i], phase[i], -phase[i])
		}
		if i != truePeakTaps/2-1 && i != truePeakTaps/2 {
			t.outer += t.bounds[i]
		}
	}
	t.front = make([]float32, 0, truePeakTaps-1+cellFrames)
}

// add takes the frames of a cell, which begins at x[at] and has this peak.
func (t *truePeak) add(x []float32, at, frames int, peak float32) {
	nearby := max(peak, t.before)
	t.before = peak
	if frames < truePeakTaps { // at the end of the stream: the next may reach further back
		t.before = nearby
	}
	if float32(nearby*t.gain) <= t.peak {
		return
	}
	if at == 0 {
		t.front = append(append(t.front[:0], t.tail[:]...), x[:frames]...)
		t.search(t.front)
		return
	}
	t.search(x[at-(truePeakTaps-1) : at+frames])
}

// keep remembers the end of a chunk.
func (t *truePeak) keep(x []float32) {
	if n := len(x); n < len(t.tail) {
		copy(t.tail[:], t.tail[n:])
		copy(t.tail[len(t.tail)-n:], x)
		return
	}
	copy(t.tail[:], x[len(x)-len(t.tail):])
}

// flush runs the filter out of the last samples.
func (t *truePeak) flush() {
	var silence [truePeakTaps]float32
	t.front = append(t.front[:0], t.tail[:]...)
	t.search(append(t.front, silence[:]...))
}

// search runs the filter over x, whose first samples are those before.
func (t *truePeak) search(x []float32) {
	const stretch = 8
	for len(x) >= truePeakTaps {
		n := min(stretch, len(x)-(truePeakTaps-1))
		window := x[:n+truePeakTaps-1]
		lo, hi := valueRange(window, window[0], window[0])
		if top := max(hi, -lo); float32(top*t.gain) > t.peak {
			for i := range n {
				if x := (*[truePeakTaps]float32)(window[i:]); t.mayExceed(x, top) {
					t.peak = max(t.peak, t.at(x))
				}
			}
		}
		x = x[n:]
	}
}

// mayExceed is whether the magnitudes of x, none above top, can give a new peak:
// by the two in the middle, then by all. The taps are bounded the same way from
// both ends, so their order doesn't matter.
func (t *truePeak) mayExceed(x *[truePeakTaps]float32, top float32) bool {
	a, b := x[truePeakTaps/2-1], x[truePeakTaps/2]
	middle := t.bounds[truePeakTaps/2]
	if float32(middle*(abs32(a)+abs32(b)))+float32(t.outer*top) <= t.peak {
		return false
	}
	var s0, s1 float32
	for i := 0; i < truePeakTaps; i += 2 {
		s0 += float32(t.bounds[i] * abs32(x[i]))
		s1 += float32(t.bounds[i+1] * abs32(x[i+1]))
	}
	return s0+s1 > t.peak
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// at is the largest magnitude of the four phases, the newest sample being last.
func (t *truePeak) at(x *[truePeakTaps]float32) float32 {
	var a, b, c, d float32
	for i, v := range x {
		k := truePeakTaps - 1 - i
		a += float32(v * t.phases[0][k])
		b += float32(v * t.phases[1][k])
		c += float32(v * t.phases[2][k])
		d += float32(v * t.phases[3][k])
	}
	return max(a, -a, b, -b, c, -c, d, -d)
}
