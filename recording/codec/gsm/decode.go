package gsm

import "math"

const (
	subSamples = 40
	history    = 120 // the longest lag
)

// Decoder decodes the frames of one stream in their order. The zero value is
// ready. It allocates nothing.
type Decoder struct {
	// residual is the reconstructed short-term residual: what the long-term
	// filter looks back at, and a subframe.
	residual [history + subSamples]int16
	lag      int16
	begun    bool // lag is set
	lar      [8]int16
	v        [9]int16 // of the lattice filter
	deEmph   int16
	words    codewords
}

// Frame decodes a bare frame of [FrameBytes] to [FrameSamples] samples. The
// signature isn't looked at: see [Valid].
func (d *Decoder) Frame(dst *[FrameSamples]int16, b *[FrameBytes]byte) {
	r := msbFirst{b: b[:], bit: 4}
	d.words.read(r.take)
	d.decode(dst[:])
}

// Block decodes a block of [BlockBytes] to [BlockSamples] samples.
func (d *Decoder) Block(dst *[BlockSamples]int16, b *[BlockBytes]byte) {
	r := lsbFirst{b: b[:]}
	d.words.read(r.take)
	d.decode(dst[:FrameSamples])
	d.words.read(r.take)
	d.decode(dst[FrameSamples:])
}

// Valid reports whether b begins like a bare frame.
func Valid(b []byte) bool { return len(b) > 0 && b[0]>>4 == signature }

// leastFrames is how many frames must have their signature for a stream to be taken for
// GSM: by chance one in 2^32 streams has so many.
const leastFrames = 8

// Begins reports whether head, the beginning of a stream, is bare frames one after the
// other: every 33rd byte of it begins with the signature, and no other 33rd does, as in
// A-law silence.
func Begins(head []byte) bool {
	if len(head) < leastFrames*FrameBytes {
		return false
	}
	for phase := range FrameBytes {
		signed := true
		for i := phase; i < len(head) && signed; i += FrameBytes {
			signed = head[i]>>4 == signature
		}
		if signed != (phase == 0) {
			return false
		}
	}
	return true
}

// decode turns the codewords into samples (clause 5.3).
func (d *Decoder) decode(dst []int16) {
	for i := range d.words.sub {
		d.longTerm(&d.words.sub[i])
		copy(dst[i*subSamples:], d.residual[history:])
		copy(d.residual[:history], d.residual[subSamples:])
	}
	d.shortTerm(dst)
	for i, s := range dst { // clauses 5.3.5 to 5.3.7
		d.deEmph = add(s, mulRound(d.deEmph, 28180))
		dst[i] = add(d.deEmph, d.deEmph) &^ 7
	}
}

// Tables 5.5 and 5.6 of clause 5.4: the gains of the long-term filter and the
// normalised inverse mantissas of the pulses' maximum.
var (
	gains    = [4]int16{3277, 11469, 21299, 32767}                              //nolint:gochecknoglobals // a constant table
	mantissa = [8]int16{18431, 20479, 22527, 24575, 26623, 28671, 30719, 32767} //nolint:gochecknoglobals // a constant table
)

// longTerm puts a subframe's residual behind the history (clauses 5.3.1, 5.3.2).
func (d *Decoder) longTerm(s *subframe) {
	if !d.begun {
		d.lag, d.begun = subSamples, true
	}
	if s.lag >= 40 && s.lag <= history {
		d.lag = s.lag
	}
	gain := gains[s.gain]
	sub := d.residual[history:]
	back := d.residual[history-int(d.lag):]
	clear(sub)
	s.excite(sub)
	for i := range sub {
		sub[i] = add(sub[i], mulRound(gain, back[i]))
	}
}

// excite puts the pulses on their grid (clauses 5.2.15 to 5.2.17).
func (s *subframe) excite(dst []int16) {
	// The block maximum is an exponent and a mantissa of three bits.
	exponent := int16(0)
	if s.max > 15 {
		exponent = s.max>>3 - 1
	}
	m := s.max - exponent<<3
	if m == 0 {
		exponent, m = -4, 7
	} else {
		for m <= 7 {
			m = m<<1 | 1
			exponent--
		}
		m -= 8
	}
	shift := 6 - exponent
	round := int16(1) << shift >> 1
	for i, p := range s.pulses {
		x := mulRound(mantissa[m], (p<<1-7)<<12)
		dst[int(s.grid)+3*i] = add(x, round) >> shift
	}
}

// Tables 5.1 and 5.2 of clause 5.4: the quantisation of the log area ratios.
var (
	larOffset  = [8]int16{0, 0, 2048, -2560, 94, -1792, -341, -1144}              //nolint:gochecknoglobals // a constant table
	larLeast   = [8]int16{-32, -32, -16, -16, -8, -8, -4, -4}                     //nolint:gochecknoglobals // a constant table
	larInverse = [8]int16{13107, 13107, 13107, 13107, 19223, 17476, 31454, 29708} //nolint:gochecknoglobals // a constant table
)

// shortTerm filters a frame's residual in place (clauses 5.3.3, 5.3.4 and 5.2.8
// to 5.2.9): the log area ratios go from the last frame's to this one's in three
// steps.
func (d *Decoder) shortTerm(s []int16) {
	var next, lar [8]int16
	for i, c := range d.words.lar {
		x := sub(add(c, larLeast[i])<<10, larOffset[i]<<1)
		x = mulRound(larInverse[i], x)
		next[i] = add(x, x)
	}
	last := d.lar
	for _, part := range [4]struct{ from, to, step int }{{0, 13, 0}, {13, 27, 1}, {27, 40, 2}, {40, 160, 3}} {
		for i := range lar {
			a, b := last[i], next[i]
			switch part.step {
			case 0:
				lar[i] = add(add(a>>2, b>>2), a>>1)
			case 1:
				lar[i] = add(a>>1, b>>1)
			case 2:
				lar[i] = add(add(a>>2, b>>2), b>>1)
			default:
				lar[i] = b
			}
			lar[i] = reflection(lar[i])
		}
		d.lattice(s[part.from:part.to], &lar)
	}
	d.lar = next
}

// reflection is the reflection coefficient of a log area ratio (clause 5.2.9.2).
func reflection(lar int16) int16 {
	x := lar
	switch {
	case x == math.MinInt16:
		x = math.MaxInt16
	case x < 0:
		x = -x
	}
	switch {
	case x < 11059:
		x <<= 1
	case x < 20070:
		x += 11059
	default:
		x = add(x>>2, 26112)
	}
	if lar < 0 {
		return -x
	}
	return x
}

// lattice is the synthesis filter (clause 5.3.4).
func (d *Decoder) lattice(s []int16, r *[8]int16) {
	for n, x := range s {
		for i := 7; i >= 0; i-- {
			x = sub(x, mulRound(r[i], d.v[i]))
			d.v[i+1] = add(d.v[i], mulRound(r[i], x))
		}
		d.v[0] = x
		s[n] = x
	}
}

// The standard's operations (clause 5.1).

func saturate(x int32) int16 {
	if x > math.MaxInt16 {
		return math.MaxInt16
	}
	if x < math.MinInt16 {
		return math.MinInt16
	}
	return int16(x)
}

func add(a, b int16) int16 { return saturate(int32(a) + int32(b)) }

func sub(a, b int16) int16 { return saturate(int32(a) - int32(b)) }

func mulRound(a, b int16) int16 { return saturate((int32(a)*int32(b) + 1<<14) >> 15) }
