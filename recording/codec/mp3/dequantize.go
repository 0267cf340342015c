package mp3

import "github.com/switchtape/switchtape/recording/internal/exactmath"

// stepOffset is added to the exponent of a step size, in quarters of an octave,
// to index stepSizes: global_gain - 210, less 8·7 for a subblock gain and 4·18
// for a scale factor, is at least -338, and at most 45.
const stepOffset = 340

// stepSizes is 2^((i-stepOffset)/4).
var stepSizes = makeStepSizes()

func makeStepSizes() *[400]float32 {
	var s [400]float32
	for i := range s {
		s[i] = float32(exactmath.Exp2(float64(i-stepOffset) / 4))
	}
	return &s
}

// stepSize is 2^(quarters/4).
func stepSize(quarters int) float32 {
	return stepSizes[max(0, min(quarters+stepOffset, len(stepSizes)-1))]
}

// dequantize multiplies the lines of a granule by their steps (11172-3,
// 2.4.3.4.7.1 and .2) and takes those of short blocks from the order of the
// stream to line k of window w at 3k+w of each band of the filter bank. Lines
// from end on are 0. It returns where zeros begin now.
func dequantize(lines *[granuleLines]float32, end int, g *granuleInfo, sf *scalefacs, bands *bandTable, lsf int) int {
	gain := g.globalGain - 210
	shift := 2 + 2*g.scalefacScale
	if g.blockType != blockShort {
		for b, from := 0, 0; b < longBands && from < end; b++ {
			to := bands.long[b+1]
			scale(lines[from:to], stepSize(gain-shift*int(sf.value[b]+uint8(g.preflag)*pretab[b])))
			from = to
		}
		return end
	}
	index, first := 0, 0
	if g.mixed {
		first = mixedShortBand
		from := 0
		for ; index < mixedLongBands(lsf); index++ {
			to := bands.long[index+1]
			scale(lines[from:to], stepSize(gain-shift*int(sf.value[index]+uint8(g.preflag)*pretab[index])))
			from = to
		}
	}
	var band [granuleLines]float32
	at := 3 * bands.short[first]
	for b := first; b < shortBands && at < end; b++ {
		n := bands.short[b+1] - bands.short[b]
		in := lines[at : at+3*n]
		out := band[:3*n]
		for w := range 3 {
			step := stepSize(gain - 8*g.subblockGain[w] - shift*int(sf.value[index+w]))
			o := w
			for _, v := range in[w*n : w*n+n] {
				out[o] = v * step
				o += 3
			}
		}
		copy(in, out)
		index += 3
		at += 3 * n
	}
	return max(end, min(at, granuleLines))
}

func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}
