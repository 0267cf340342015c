package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// illegalPosition is the value of is_pos in MPEG-1 that stands for none.
const illegalPosition = 7

// mpeg1Ratios are what the left and the right channel have of a line with
// intensity stereo, by is_pos (11172-3, 2.4.3.4.9.3); lsfRatios the same of
// MPEG-2, by intensity_scale and is_pos (13818-3, 2.4.3.2).
var mpeg1Ratios, lsfRatios = makeRatios()

func makeRatios() (one [illegalPosition][2]float32, two [2][32][2]float32) {
	for pos := range one {
		s, c := exactmath.SinPi(float64(pos)/12), exactmath.CosPi(float64(pos)/12) // the ratio is s/c
		one[pos] = [2]float32{float32(s / (s + c)), float32(c / (s + c))}
	}
	for scale := range two {
		for pos := range two[scale] {
			k := float32(exactmath.Exp2(-float64(scale+1) / 4 * float64((pos+1)/2)))
			if pos%2 == 1 {
				two[scale][pos] = [2]float32{k, 1}
			} else {
				two[scale][pos] = [2]float32{1, k}
			}
		}
	}
	return one, two
}

// joint undoes the joint stereo of a granule.
type joint struct {
	left, right *[granuleLines]float32
	midSide     bool
	lsf         int
	scale       int // intensity_scale
	sf          *scalefacs
	bands       *bandTable
}

// sides turns mid and side into left and right, if that is on.
func (j *joint) sides(from, to, step int) {
	if !j.midSide {
		return
	}
	for i := from; i < to; i += step {
		m, s := j.left[i], j.right[i]
		j.left[i], j.right[i] = (m+s)*(1/math.Sqrt2), (m-s)*(1/math.Sqrt2)
	}
}

// position spreads lines of the left channel by the scale factor of the right
// one, unless that is no position.
func (j *joint) position(factor, from, to, step int) {
	pos := int(j.sf.value[factor])
	var ratio [2]float32
	if j.lsf == 0 {
		if pos >= illegalPosition {
			j.sides(from, to, step)
			return
		}
		ratio = mpeg1Ratios[pos]
	} else {
		if illegal := int(j.sf.illegal[factor]); illegal != 0 && pos == illegal {
			j.sides(from, to, step)
			return
		}
		ratio = lsfRatios[j.scale][pos&31]
	}
	for i := from; i < to; i += step {
		x := j.left[i]
		j.left[i], j.right[i] = x*ratio[0], x*ratio[1]
	}
}

// intensity does a granule with intensity stereo: the bands of the right channel
// above its last line that isn't 0 are positions.
func (j *joint) intensity(g *granuleInfo) {
	if g.blockType == blockShort {
		j.intensityShort(g)
		return
	}
	j.intensityLong(longBands)
}

// intensityLong does the long bands below n. The last one of a long granule has
// the position of the one before.
func (j *joint) intensityLong(n int) {
	end := j.bands.long[n]
	for end > 0 && j.right[end-1] == 0 {
		end--
	}
	for b := range n {
		from, to := j.bands.long[b], j.bands.long[b+1]
		if from < end {
			j.sides(from, to, 1)
			continue
		}
		if b == longBands-1 && j.bands.long[b-1] < end && j.lsf == 1 {
			j.middle(from, to, 1)
			continue
		}
		j.position(min(b, longBands-2), from, to, 1)
	}
}

// middle gives both channels the lines of the left one: position 0 of MPEG-2, which the last
// band has if the band before it is no position but a scale factor.
func (j *joint) middle(from, to, step int) {
	for i := from; i < to; i += step {
		j.right[i] = j.left[i]
	}
}

// intensityShort does every window of a short or a mixed granule by itself.
func (j *joint) intensityShort(g *granuleInfo) {
	first, index := 0, 0
	if g.mixed {
		first, index = mixedShortBand, mixedLongBands(j.lsf)
	}
	silent := true
	for w := range 3 {
		end := 3*j.bands.short[shortBands] + w
		for end > 3*j.bands.short[first]+w && j.right[end-3] == 0 {
			end -= 3
		}
		for b := first; b < shortBands; b++ {
			from, to := 3*j.bands.short[b]+w, 3*j.bands.short[b+1]+w
			if from < end {
				j.sides(from, min(to, granuleLines), 3)
				silent = false
				continue
			}
			if b == shortBands-1 && 3*j.bands.short[b-1]+w < end && j.lsf == 1 {
				j.middle(from, min(to, granuleLines), 3)
				continue
			}
			j.position(index+3*(min(b, shortBands-2)-first)+w, from, min(to, granuleLines), 3)
		}
	}
	switch {
	case !g.mixed:
	case silent:
		j.intensityLong(index)
	default:
		j.sides(0, j.bands.long[index], 1)
	}
}
