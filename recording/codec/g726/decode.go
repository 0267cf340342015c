package g726

import (
	"fmt"
	"math/bits"
)

// Decoder decodes the codes of one stream in their order. Make it with [NewDecoder]. It
// allocates nothing.
type Decoder struct {
	table     *table
	codeBits  uint
	highFirst bool

	a  [2]int32 // A1 and A2, of the poles
	b  [6]int32 // B1 to B6, of the zeros
	sr [2]float // reconstructed samples, the latest first
	dq [6]float // quantised differences, the latest first
	pk [2]bool  // signs of the partially reconstructed samples

	yu, yl   int32 // the fast and the slow scale factor
	dms, dml int32 // the short and the long average of the codes
	ap       int32 // speed control
	tone     bool  // TD: a narrow band was detected
}

// float is a number as the predictor multiplies it: 4 bits of exponent, 6 of mantissa.
type float struct {
	negative bool
	exponent int32
	mantissa int32
}

// NewDecoder is a decoder at the beginning of a stream of codes of 2 to 5 bits; other
// numbers are an error. highFirst says that the first code of a byte is in its most
// significant bits.
func NewDecoder(codeBits int, highFirst bool) (*Decoder, error) {
	if codeBits < 2 || codeBits > 5 {
		return nil, fmt.Errorf("g726: codes of %d bits; there are 2 (16 kbit/s), 3 (24), 4 (32) and 5 (40)", codeBits)
	}
	d := &Decoder{table: &tables[codeBits-2], codeBits: uint(codeBits), highFirst: highFirst, yu: 544, yl: 34816}
	zero := float{mantissa: 32}
	d.sr = [2]float{zero, zero}
	d.dq = [6]float{zero, zero, zero, zero, zero, zero}
	return d, nil
}

// Samples is how many samples so many bytes hold.
func (d *Decoder) Samples(bytes int) int { return 8 * bytes / int(d.codeBits) }

// Decode decodes the whole codes in b to the first Samples(len(b)) samples of dst, on
// the 16-bit scale. As the codes of 3 and 5 bits cross bytes, b must have a multiple of
// as many bytes, but at the stream's end.
func (d *Decoder) Decode(dst []int16, b []byte) {
	dst = dst[:d.Samples(len(b))]
	var word, have uint
	for i := range dst {
		for ; have < d.codeBits; b = b[1:] {
			if d.highFirst {
				word = word<<8 | uint(b[0])
			} else {
				word |= uint(b[0]) << have
			}
			have += 8
		}
		have -= d.codeBits
		code := word & (1<<d.codeBits - 1)
		if d.highFirst {
			code = word >> have & (1<<d.codeBits - 1)
		} else {
			word >>= d.codeBits
		}
		dst[i] = d.sample(code)
	}
}

// sample decodes a code (clause 4.2: the decoder, figure 5).
func (d *Decoder) sample(code uint) int16 {
	sign := code>>(d.codeBits-1) != 0
	if sign {
		code = ^code & (1<<d.codeBits - 1)
	}
	// ACCUM: the estimate.
	var zeros int32
	for i := range d.b {
		zeros += d.dq[i].times(d.b[i])
	}
	zeros = int32(int16(zeros))
	poles := int32(int16(d.sr[1].times(d.a[1]) + d.sr[0].times(d.a[0])))
	estimate := int32(int16(zeros+poles)) >> 1
	zeros >>= 1

	y := d.scale()
	dq := d.dequantize(code, y)
	transition := d.transition(dq)
	if sign {
		dq = -dq
	}
	sr := int32(int16(estimate + dq)) // ADDB
	d.adaptScale(code, y)
	d.adaptPredictor(dq, sign, int32(int16(dq+zeros)))
	tone := d.a[1] < -11776 // TONE
	d.adaptSpeed(code, y, tone)
	d.tone = tone && !transition
	if transition { // TRIGA and TRIGB
		d.ap, d.a, d.b = 256, [2]int32{}, [6]int32{}
	}

	copy(d.dq[1:], d.dq[:len(d.dq)-1])
	d.dq[0] = floatOf(max(dq, -dq), sign)
	d.sr[1] = d.sr[0]
	d.sr[0] = floatOf(max(sr, -sr)&0x7FFF, sr < 0)
	return int16(max(-1<<13, min(sr, 1<<13-1)) << 2) // LIMO, on 16 bits
}

// times is FMULT: the product with a predictor's coefficient.
func (f float) times(coefficient int32) int32 {
	magnitude := coefficient >> 2
	if coefficient < 0 {
		magnitude = -magnitude & 8191
	}
	exponent := int32(bits.Len32(uint32(magnitude)))
	mantissa := int32(32)
	if magnitude != 0 {
		mantissa = magnitude << 6 >> exponent
	}
	exponent += f.exponent
	product := (f.mantissa*mantissa + 48) >> 4 << 7
	if exponent <= 26 {
		product >>= 26 - exponent
	} else {
		product = product << (exponent - 26) & 0x7FFF
	}
	if f.negative != (coefficient < 0) {
		return -product
	}
	return product
}

// floatOf is FLOATA and FLOATB.
func floatOf(magnitude int32, negative bool) float {
	f := float{negative: negative, exponent: int32(bits.Len32(uint32(magnitude))), mantissa: 32}
	if magnitude != 0 {
		f.mantissa = magnitude << 6 >> f.exponent
	}
	return f
}

// scale is LIMA and MIX: the quantiser's scale factor, a logarithm.
func (d *Decoder) scale() int32 {
	al := min(d.ap>>2, 64)
	slow := d.yl >> 6
	difference := d.yu - slow
	if difference < 0 {
		return slow - (-difference * al >> 6)
	}
	return slow + difference*al>>6
}

// dequantize is RECONST, ADDA and ANTILOG: the magnitude of the difference.
func (d *Decoder) dequantize(code uint, y int32) int32 {
	log := d.table.log[code] + y>>2
	if log < 0 {
		return 0
	}
	return (128 + log&127) << 7 >> (14 - log>>7&15)
}

// transition is TRANS: a tone has ended.
func (d *Decoder) transition(magnitude int32) bool {
	if !d.tone {
		return false
	}
	threshold := int32(31 << 10)
	if whole := d.yl >> 15; whole <= 9 {
		threshold = (32 + d.yl>>10&31) << whole
	}
	return magnitude > (threshold+threshold>>1)>>1
}

// adaptScale is FUNCTW, FILTD, LIMB and FILTE.
func (d *Decoder) adaptScale(code uint, y int32) {
	d.yu = max(544, min(y+(d.table.weight[code]<<5-y)>>5, 5120))
	d.yl += d.yu + -d.yl>>6
}

// adaptSpeed is FUNCTF, FILTA, FILTB, SUBTC and FILTC.
func (d *Decoder) adaptSpeed(code uint, y int32, tone bool) {
	f := d.table.rate[code]
	d.dms += (f<<9 - d.dms) >> 5
	d.dml += (f<<11 - d.dml) >> 7
	fast := int32(1)
	if difference := d.dms<<2 - d.dml; y >= 1536 && max(difference, -difference) < d.dml>>3 && !tone {
		fast = 0
	}
	d.ap += (fast<<9 - d.ap) >> 4
}

// adaptPredictor moves the coefficients (ADDC, UPA1, UPA2, LIMC, LIMD and UPB). partial
// is the partially reconstructed sample.
func (d *Decoder) adaptPredictor(dq int32, sign bool, partial int32) {
	pk := partial < 0
	var step1, step2 int32
	if partial != 0 {
		f := max(-8191, min(d.a[0], 8191)) << 2
		step1, step2 = -192, 16384
		if pk == d.pk[0] {
			step1, f = 192, -f
		}
		if pk != d.pk[1] {
			step2 = -step2
		}
		step2 = (step2 + f) >> 7
	}
	a2 := max(-12288, min(d.a[1]+step2-d.a[1]>>7, 12288))
	most := 15360 - a2
	d.a[0] = max(-most, min(d.a[0]+step1-d.a[0]>>8, most))
	d.a[1] = a2
	d.pk = [2]bool{pk, d.pk[0]}

	leak := 8
	if d.codeBits == 5 {
		leak = 9
	}
	for i, b := range d.b {
		step := int32(0)
		switch {
		case dq == 0:
		case d.dq[i].negative == sign:
			step = 128
		default:
			step = -128
		}
		d.b[i] = b + step - b>>leak
	}
}
