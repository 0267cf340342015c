package g722

import "math"

const (
	// SampleRate is the only one, in Hz.
	SampleRate = 16000
	// SamplesPerByte is how many samples a byte holds.
	SamplesPerByte = 2
)

// Decoder decodes the bytes of one stream in their order. Make it with [NewDecoder].
// It allocates nothing.
type Decoder struct {
	low, high band
	qmf       [24]int32 // the filter's delay line: sums and differences in turn
	at        int       // of the oldest pair in qmf
}

// NewDecoder is a decoder at the beginning of a stream (clause 6.2, reset values).
func NewDecoder() *Decoder {
	return &Decoder{low: band{scale: 32}, high: band{scale: 8}}
}

// Decode decodes all of b to the first 2·len(b) samples of dst, on the 16-bit scale.
func (d *Decoder) Decode(dst []int16, b []byte) {
	dst = dst[:SamplesPerByte*len(b)]
	for i, code := range b {
		dst[2*i], dst[2*i+1] = d.pair(code)
	}
}

// pair decodes a byte: the higher sub-band's code is in its first 2 bits.
func (d *Decoder) pair(code byte) (first, second int16) {
	low := d.lowBand(code & 0x3F)
	high := d.highBand(code >> 6)
	return d.synthesize(low+high, low-high)
}

// lowBand decodes a code of the lower sub-band (clause 6.2.1): the output has all 6
// bits, the adaptation the first 4.
func (d *Decoder) lowBand(code byte) int32 {
	b := &d.low
	out := limit(b.estimate + b.scale*quant6[code]>>15)
	coarse := code >> 2
	difference := b.scale * quant4[coarse] >> 15
	b.log = max(0, min(b.log*127>>7+lowLog[coarse], 18432))
	b.scale = linear(b.log, 8)
	b.adapt(difference)
	return out
}

// highBand decodes a code of the higher sub-band (clause 6.2.2).
func (d *Decoder) highBand(code byte) int32 {
	b := &d.high
	difference := b.scale * quant2[code] >> 15
	out := limit(b.estimate + difference)
	b.log = max(0, min(b.log*127>>7+highLog[code], 22528))
	b.scale = linear(b.log, 10)
	b.adapt(difference)
	return out
}

// linear is the scale factor of a logarithmic one (clause 6.2.1.3, SCALEL, and
// 6.2.2.2, SCALEH).
func linear(log int32, shift int32) int32 {
	m, by := inverseLog[log>>6&31], shift-log>>11
	if by < 0 {
		return m << -by << 2
	}
	return m >> by << 2
}

// synthesize puts the two sub-bands together (clause 6.2.3, the receive QMF).
func (d *Decoder) synthesize(sum, difference int32) (first, second int16) {
	d.qmf[2*d.at], d.qmf[2*d.at+1] = sum, difference
	d.at = (d.at + 1) % len(qmfHalf)
	var a, b int32
	for i, c := range qmfHalf {
		k := d.at + i
		if k >= len(qmfHalf) {
			k -= len(qmfHalf)
		}
		a += d.qmf[2*k] * c
		b += d.qmf[2*k+1] * qmfHalf[len(qmfHalf)-1-i]
	}
	return int16(saturate(b >> 11)), int16(saturate(a >> 11))
}

// band is the adaptive predictor and quantiser of a sub-band.
type band struct {
	scale    int32    // Δ of the quantiser
	log      int32    // its logarithm
	estimate int32    // of the next sample
	zeros    int32    // the zero section's part of estimate
	r        [2]int32 // reconstructed samples, the latest first
	p        [2]int32 // partially reconstructed samples
	a        [2]int32 // of the pole section
	d        [6]int32 // quantised differences
	b        [6]int32 // of the zero section
}

// adapt takes the quantised difference of a sample and predicts the next (clause
// 6.2.1.4, block 4).
func (s *band) adapt(difference int32) {
	r := saturate(s.estimate + difference)
	p := saturate(s.zeros + difference)
	s.adaptPoles(p)
	s.adaptZeros(difference)
	s.r = [2]int32{r, s.r[0]}
	s.p = [2]int32{p, s.p[0]}
	copy(s.d[1:], s.d[:len(s.d)-1])
	s.d[0] = difference

	poles := saturate(s.a[0]*saturate(2*s.r[0])>>15 + s.a[1]*saturate(2*s.r[1])>>15)
	zeros := int32(0)
	for i := len(s.d) - 1; i >= 0; i-- {
		zeros = saturate(zeros + s.b[i]*saturate(2*s.d[i])>>15)
	}
	s.zeros = zeros
	s.estimate = saturate(poles + zeros)
}

// adaptPoles is UPPOL2 and UPPOL1.
func (s *band) adaptPoles(p int32) {
	same1, same2 := p < 0 == (s.p[0] < 0), p < 0 == (s.p[1] < 0)
	step := saturate(4 * s.a[0])
	if same1 {
		step = min(-step, math.MaxInt16)
	}
	a2 := step>>7 - 128
	if same2 {
		a2 = step>>7 + 128
	}
	a2 = max(-12288, min(a2+s.a[1]*32512>>15, 12288))
	a1 := int32(-192)
	if same1 {
		a1 = 192
	}
	most := 15360 - a2
	s.a[0] = max(-most, min(saturate(a1+s.a[0]*32640>>15), most))
	s.a[1] = a2
}

// adaptZeros is UPZERO.
func (s *band) adaptZeros(difference int32) {
	for i, d := range s.d {
		step := int32(0)
		switch {
		case difference == 0:
		case d < 0 == (difference < 0):
			step = 128
		default:
			step = -128
		}
		s.b[i] = saturate(step + s.b[i]*32640>>15)
	}
}

func saturate(x int32) int32 { return max(math.MinInt16, min(x, math.MaxInt16)) }

// limit is x in the 15 bits of a sub-band's sample (LIMIT).
func limit(x int32) int32 { return max(-1<<14, min(x, 1<<14-1)) }
