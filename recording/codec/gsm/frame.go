package gsm

// Sizes of the coded forms.
const (
	FrameSamples = 160
	// FrameBytes is a bare frame: 4 bits of signature, then the codewords, the
	// most significant bit first (RFC 3551 § 4.5.8.1).
	FrameBytes = 33
	// BlockBytes is two frames without signatures, the least significant bit
	// first, as in a WAV file of format tag 0x0031.
	BlockBytes   = 65
	BlockSamples = 2 * FrameSamples
	// SampleRate is the only one, in Hz.
	SampleRate = 8000
)

// signature stands in the first 4 bits of a bare frame.
const signature = 0xD

// codewords is a frame's content (EN 300 961, table 1.1).
type codewords struct {
	lar [8]int16 // log area ratios
	sub [4]subframe
}

// subframe is 40 samples' worth.
type subframe struct {
	lag    int16 // N
	gain   int16 // b
	grid   int16 // M
	max    int16 // xmax
	pulses [13]int16
}

// larBits are the sizes of the log area ratios.
var larBits = [8]uint{6, 6, 5, 5, 4, 4, 3, 3} //nolint:gochecknoglobals // a constant table

// read reads the codewords, in the standard's order, by a function that gives
// the next n bits.
func (c *codewords) read(take func(n uint) int16) {
	for i, n := range larBits {
		c.lar[i] = take(n)
	}
	for i := range c.sub {
		s := &c.sub[i]
		s.lag, s.gain, s.grid, s.max = take(7), take(2), take(2), take(6)
		for j := range s.pulses {
			s.pulses[j] = take(3)
		}
	}
}

// msbFirst takes bits from the most significant one of each byte on.
type msbFirst struct {
	b   []byte
	bit uint
}

func (r *msbFirst) take(n uint) (v int16) {
	for range n {
		v = v<<1 | int16(r.b[r.bit/8]>>(7-r.bit%8)&1)
		r.bit++
	}
	return v
}

// lsbFirst takes bits from the least significant one of each byte on.
type lsbFirst struct {
	b   []byte
	bit uint
}

func (r *lsbFirst) take(n uint) (v int16) {
	for i := range n {
		v |= int16(r.b[r.bit/8]>>(r.bit%8)&1) << i
		r.bit++
	}
	return v
}
