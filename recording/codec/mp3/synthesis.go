package mp3

// synthesisWindow holds the window D of 11172-3, table B.3: D[64i+j] at
// [7-i][j], in the order of time.
var synthesisWindow = makeSynthesisWindow()

func makeSynthesisWindow() *[8][64]float32 {
	var w [8][64]float32
	for i := range 512 {
		d := windowInts[min(i, 512-i)]
		if i > 256 && i%64 != 0 {
			d = -d
		}
		w[7-i/64][i%64] = float32(float64(d) / 65536)
	}
	return &w
}

// The vector V of a slot has two halves that are used, its first and its last
// quarter of 11172-3, figure A.2: the one with the slots an even number before
// the newest, the other with those an odd number before. The history of even
// and of odd slots therefore holds pairs of both, 64 values that stand as the
// window needs them, the newest last.
const (
	pairValues   = 64
	historyPairs = 7
	granulePairs = slotsPerBlock / 2
)

// synthesis is the synthesis filter bank of one channel: 11172-3, 2.4.3.5
// (figure A.2), on a granule at a time.
type synthesis struct {
	// pairs holds, for even and for odd slots, those of the slots before, then
	// those of the granule; half of the last one is of the slot to come.
	pairs [2][(historyPairs + granulePairs + 1) * pairValues]float32
}

// synthesize turns slots, 32 band samples at [slot*32], into 576 samples, and
// puts them at out, stride apart.
func (s *synthesis) synthesize(slots *[granuleLines]float32, out []float32, stride int) {
	var x [32]float32
	var y [64]float32
	for slot := range slotsPerBlock {
		dctTwo32((*[32]float32)(slots[slot*subbands:]), &x)
		now, other := &s.pairs[slot&1], &s.pairs[^slot&1]
		at := (slot/2 + historyPairs) * pairValues
		firstQuarter(&x, (*[32]float32)(now[at:]))
		// The next slot is odd and of the same number of pairs, or even and of the
		// next one.
		lastQuarter(&x, (*[32]float32)(other[at+slot&1*pairValues+32:]))
		in := (*[512]float32)(now[at-historyPairs*pairValues:])
		if hasVector {
			windowAVX(&y, in, synthesisWindow)
		} else {
			window(&y, in, synthesisWindow)
		}
		place(&y, out[slot*subbands*stride:], stride)
	}
	for i := range s.pairs {
		p := &s.pairs[i]
		copy(p[:(historyPairs+1)*pairValues], p[granulePairs*pairValues:])
	}
}

// place adds the two halves of y to 32 samples.
func place(y *[64]float32, out []float32, stride int) {
	if stride == 1 {
		o := (*[32]float32)(out)
		for j := range o {
			o[j] = y[j] + y[32+j]
		}
		return
	}
	o := (*[63]float32)(out)
	for j := range 32 {
		o[2*j] = y[j] + y[32+j]
	}
}

// firstQuarter takes V[0..31] from the transform of a slot:
// V[i] = x[16+i] by the symmetry of cos((16+i)(2k+1)π/64).
func firstQuarter(x, v *[32]float32) {
	copy(v[:16], x[16:])
	v[16] = 0
	for j := 17; j < 32; j++ {
		v[j] = -x[48-j]
	}
}

// lastQuarter takes V[96..127] of the standard's vector, values 32 to 63 of the
// slot, likewise.
func lastQuarter(x, v *[32]float32) {
	for j := range 16 {
		v[j] = -x[16-j]
		v[16+j] = -x[j]
	}
}

// mix makes s the mean of itself and of t: the filter is linear.
func (s *synthesis) mix(t *synthesis) {
	for i := range s.pairs {
		for j := range s.pairs[i] {
			s.pairs[i][j] = (s.pairs[i][j] + t.pairs[i][j]) / 2
		}
	}
}
