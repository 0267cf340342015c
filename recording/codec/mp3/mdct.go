package mp3

import "github.com/switchtape/switchtape/recording/internal/exactmath"

// Block types (11172-3, 2.4.2.7).
const (
	blockLong = iota
	blockStart
	blockShort
	blockStop
)

// The MDCT of 36 samples, 11172-3 C.1.3, is folded to a type IV cosine transform
// of 18 points, that by a multiplication to a type II, that to two of 9 points.
// mdctFold holds, by block type, the window, the sign of the fold, the first
// multiplication and the scale 1/9 in one factor for each of the two samples
// that meet at a fold.
var mdctFold = makeMDCTFold()

var (
	cos9     = makeCos9()
	twiddle9 = makeTwiddle9()
)

func longWindow(blockType, n int) float64 {
	long := exactmath.SinPi(float64(2*n+1) / 72)
	switch {
	case blockType == blockStart && n >= 30, blockType == blockStop && n < 6:
		return 0
	case blockType == blockStart && n >= 24:
		return exactmath.SinPi(float64(2*(n-18)+1) / 24)
	case blockType == blockStop && n < 12:
		return exactmath.SinPi(float64(2*(n-6)+1) / 24)
	case blockType == blockStart && n >= 18, blockType == blockStop && n < 18:
		return 1
	}
	return long
}

func makeMDCTFold() *[4][18][2]float32 {
	var f [4][18][2]float32
	for _, bt := range []int{blockLong, blockStart, blockStop} {
		for n := range 18 {
			scale := 2 * exactmath.CosPi(float64(2*n+1)/72) / 9
			if n < 9 {
				f[bt][n] = [2]float32{float32(-scale * longWindow(bt, 26-n)), float32(-scale * longWindow(bt, 27+n))}
			} else {
				f[bt][n] = [2]float32{float32(scale * longWindow(bt, n-9)), float32(-scale * longWindow(bt, 26-n))}
			}
		}
	}
	return &f
}

func makeCos9() (c [9]float32) {
	for i := range c {
		c[i] = float32(exactmath.CosPi(float64(i) / 18)) // multiples of 10°
	}
	return c
}

func makeTwiddle9() (c [9]float32) {
	for i := range c {
		c[i] = float32(2 * exactmath.CosPi(float64(2*i+1)/36))
	}
	return c
}

// shortFold is mdctFold for the 12 samples and 6 lines of a short window, but
// for the multiplication: the type IV transform of 6 points is done as a matrix,
// shortCos.
var shortFold, shortCos = makeShort()

func makeShort() (f [6][2]float32, m [6][6]float32) {
	w := func(n int) float64 { return exactmath.SinPi(float64(2*n+1)/24) / 3 }
	for n := range 6 {
		if n < 3 {
			f[n] = [2]float32{float32(-w(8 - n)), float32(-w(9 + n))}
		} else {
			f[n] = [2]float32{float32(w(n - 3)), float32(-w(8 - n))}
		}
		for k := range 6 {
			m[k][n] = float32(exactmath.CosPi(float64((2*n+1)*(2*k+1)) / 24))
		}
	}
	return f, m
}

// mdctLong transforms every band's 18 slots of prev and 18 of cur to 18 lines,
// and applies the alias butterflies. blockType is long, start or stop.
func mdctLong(prev, cur *block, blockType int, out *[granuleLines]float32) {
	fold := &mdctFold[blockType&3]
	for band := range subbands {
		o := band * slotsPerBlock
		mdct18((*[18]float32)(prev[o:]), (*[18]float32)(cur[o:]), fold, (*[18]float32)(out[o:]))
	}
	for band := 1; band < subbands; band++ {
		o := (*[16]float32)(out[band*slotsPerBlock-8:])
		for i := range 8 {
			lo, hi := o[7-i], o[8+i]
			o[7-i] = float32(lo*aliasCS[i]) + float32(hi*aliasCA[i])
			o[8+i] = float32(hi*aliasCS[i]) - float32(lo*aliasCA[i])
		}
	}
}

func mdct18(prev, cur *[18]float32, f *[18][2]float32, out *[18]float32) {
	// y[n] is the folded input of the 18 point transform; even lines come from
	// sums y[n] + y[17-n], odd ones from differences.
	var s, d [9]float32
	for n := range 9 {
		a := float32(f[n][0]*cur[8-n]) + float32(f[n][1]*cur[9+n])
		b := float32(f[17-n][0]*prev[8-n]) + float32(f[17-n][1]*prev[9+n])
		s[n] = a + b
		d[n] = float32((a - b) * twiddle9[n])
	}
	finish18(&s, &d, out)
}

// finish18 is the rest of the type IV cosine transform of 18 points: s are the
// sums of the two halves of its input, each value multiplied by
// 2cos((2n+1)π/72), d their differences, multiplied by [twiddle9].
func finish18(s, d *[9]float32, out *[18]float32) {
	dct9(s)
	dct9(d)
	d[0] = float32(d[0] * 0.5)
	x := float32(s[0] * 0.5)
	out[0] = x
	x = d[0] - x
	out[1] = x
	for m := 1; m < 9; m++ {
		d[m] -= d[m-1]
		x = s[m] - x
		out[2*m] = x
		x = d[m] - x
		out[2*m+1] = x
	}
}

// dct9 is the type II cosine transform of 9 points, in place.
func dct9(v *[9]float32) {
	c10, c20, c30, c40 := cos9[1], cos9[2], cos9[3], cos9[4]
	c50, c70, c80 := cos9[5], cos9[7], cos9[8]
	s0, d0 := v[0]+v[8], v[0]-v[8]
	s1, d1 := v[1]+v[7], float32((v[1]-v[7])*c30)
	s2, d2 := v[2]+v[6], v[2]-v[6]
	s3, d3 := v[3]+v[5], v[3]-v[5]
	a := v[4] - float32(0.5*s1)
	e := s0 + s2 + s3
	v[0] = e + s1 + v[4]
	v[6] = float32(0.5*e) - s1 - v[4]
	v[2] = float32(s0*c20) - float32(s2*c80) - float32(s3*c40) - a
	v[4] = float32(s0*c40) - float32(s2*c20) + float32(s3*c80) + a
	v[8] = float32(s0*c80) + float32(s2*c40) - float32(s3*c20) + a
	v[1] = float32(d0*c10) + d1 + float32(d2*c50) + float32(d3*c70)
	v[3] = float32((d0 - d2 - d3) * c30)
	v[5] = float32(d0*c50) - d1 - float32(d2*c70) + float32(d3*c10)
	v[7] = float32(d0*c70) - d1 + float32(d2*c10) - float32(d3*c50)
}

// mdctShort transforms every band's 36 slots to three windows of 6 lines, and
// leaves line l of window w at [w*192 + l].
func mdctShort(prev, cur *block, out *[granuleLines]float32) {
	var x [24]float32 // slots 6 to 29
	f := &shortFold
	for band := range subbands {
		o := band * slotsPerBlock
		copy(x[:12], prev[o+6:o+18])
		copy(x[12:], cur[o:o+12])
		for w := range 3 {
			in := (*[12]float32)(x[6*w:])
			u0 := float32(f[0][0]*in[8]) + float32(f[0][1]*in[9])
			u1 := float32(f[1][0]*in[7]) + float32(f[1][1]*in[10])
			u2 := float32(f[2][0]*in[6]) + float32(f[2][1]*in[11])
			u3 := float32(f[3][0]*in[0]) + float32(f[3][1]*in[5])
			u4 := float32(f[4][0]*in[1]) + float32(f[4][1]*in[4])
			u5 := float32(f[5][0]*in[2]) + float32(f[5][1]*in[3])
			lines := (*[6]float32)(out[w*shortLines+band*6:])
			for k := range 6 {
				c := &shortCos[k]
				lines[k] = (float32(c[0]*u0) + float32(c[1]*u1) + float32(c[2]*u2)) +
					(float32(c[3]*u3) + float32(c[4]*u4) + float32(c[5]*u5))
			}
		}
	}
}

// orderShort puts the lines of three short windows in the order of the stream:
// by scale factor band, then by window (11172-3, 2.4.3.4.8).
func orderShort(in *[granuleLines]float32, bands *[shortBands + 1]int, out *[granuleLines]float32) {
	o := 0
	for b := range shortBands {
		for w := range 3 {
			o += copy(out[o:], in[w*shortLines+bands[b]:w*shortLines+bands[b+1]])
		}
	}
}
