package mp3

import "github.com/switchtape/switchtape/recording/internal/exactmath"

// imdctFold holds, by block type, the window of the 36 samples that come of 18
// lines, with the signs that unfold the type IV cosine transform y:
// sample n of the first half is y[9+n] or y[26-n], of the second y[26-n] or
// y[n-27] (11172-3, 2.4.3.4.10.2 and .3).
var imdctFold = makeIMDCTFold()

// imdctFirst is the first multiplication of the type IV transform of 18 points.
var imdctFirst = makeIMDCTFirst()

// imdctShortWindow is the window of the 12 samples of a short block.
var imdctShortWindow = makeIMDCTShortWindow()

func makeIMDCTFold() *[4][36]float32 {
	var f [4][36]float32
	for _, bt := range []int{blockLong, blockStart, blockStop} {
		for n := range f[bt] {
			w := longWindow(bt, n)
			if n >= 9 {
				w = -w
			}
			f[bt][n] = float32(w)
		}
	}
	return &f
}

func makeIMDCTFirst() (c [18]float32) {
	for n := range c {
		c[n] = float32(2 * exactmath.CosPi(float64(2*n+1)/72))
	}
	return c
}

func makeIMDCTShortWindow() (w [12]float32) {
	for n := range w {
		w[n] = float32(exactmath.SinPi(float64(2*n+1) / 24))
	}
	return w
}

// mixedBands are the lowest bands of the filter bank, which have the normal
// window in a granule with mixed_block_flag, whatever its block type.
const mixedBands = 2

// imdct turns the lines of a granule, those of bands and above 0, into slots of
// 32 band samples at [slot*32], with every other sample of every other band
// negated as the filter bank needs it. overlap is the second half of the granule
// before, and then of this one; above band used it is 0.
func imdct(lines, overlap *[granuleLines]float32, blockType int, mixed bool, bands, used int, slots *[granuleLines]float32) {
	for band := range subbands {
		o := band * slotsPerBlock
		over := (*[18]float32)(overlap[o:])
		to := (*[granuleLines - 31]float32)(slots[band:])
		switch {
		case band >= bands && band >= used:
			for s := range slotsPerBlock {
				to[s*subbands] = 0
			}
			continue
		case band >= bands:
			for s := range slotsPerBlock {
				to[s*subbands] = over[s]
			}
			*over = [18]float32{}
		case mixed && band < mixedBands:
			imdctLong((*[18]float32)(lines[o:]), over, &imdctFold[blockLong], to)
		case blockType == blockShort:
			imdctShort((*[18]float32)(lines[o:]), over, to)
		default:
			imdctLong((*[18]float32)(lines[o:]), over, &imdctFold[blockType&3], to)
		}
		if band&1 != 0 {
			for s := 1; s < slotsPerBlock; s += 2 {
				to[s*subbands] = -to[s*subbands]
			}
		}
	}
}

func imdctLong(x, over *[18]float32, f *[36]float32, to *[granuleLines - 31]float32) {
	var s, d [9]float32
	for n := range 9 {
		a, b := float32(x[n]*imdctFirst[n]), float32(x[17-n]*imdctFirst[17-n])
		s[n] = a + b
		d[n] = float32((a - b) * twiddle9[n])
	}
	var y [18]float32
	finish18(&s, &d, &y)
	for n := range 9 {
		to[n*subbands] = over[n] + float32(f[n]*y[9+n])
		to[(9+n)*subbands] = over[9+n] + float32(f[9+n]*y[17-n])
		over[n] = f[18+n] * y[8-n]
		over[9+n] = f[27+n] * y[n]
	}
}

// imdctShort takes line k of window w at x[3k+w].
func imdctShort(x, over *[18]float32, to *[granuleLines - 31]float32) {
	var t [36]float32
	for w := range 3 {
		at := (*[12]float32)(t[6+6*w:])
		for n := range 6 {
			c := &shortCos[n]
			y := float32(c[0]*x[w]) + float32(c[1]*x[3+w]) + float32(c[2]*x[6+w]) +
				float32(c[3]*x[9+w]) + float32(c[4]*x[12+w]) + float32(c[5]*x[15+w])
			if n >= 3 {
				at[n-3] += float32(y * imdctShortWindow[n-3])
				at[8-n] -= float32(y * imdctShortWindow[8-n])
				continue
			}
			at[8-n] -= float32(y * imdctShortWindow[8-n])
			at[9+n] -= float32(y * imdctShortWindow[9+n])
		}
	}
	for n := range 18 {
		to[n*subbands] = over[n] + t[n]
		over[n] = t[18+n]
	}
}
