package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// shaper lets the quantiser's noise follow what the signal hides: from window to
// window of a short granule with subblock gains, and from band to band of a
// long one with scale factors. By itself the noise of a line already grows with
// the line, to the power 1/4 of its power, for the quantiser's steps do.
//
// Where bits are few, that was found to be best: on telephone speech at up to 5
// bits a line, scale factors lose more signal-to-noise ratio, and more of the
// noise-to-mask ratio, by the step they cost than they win. So they are used
// above that only.
type shaper struct {
	bands *bandTable
	lsf   int
	long  bool
	rise  [longBands]float32 // how far masking falls from the band below, log2 of power
	fall  [longBands]float32 // and from the band above
	level [longBands]float32 // log2 of the power of a line
	mask  [longBands]float32
}

const (
	// longFollow and shortFollow are the exponents by which noise is made to
	// follow the power of bands and of windows.
	longFollow  = 0.3
	shortFollow = 0.5
	// ownFollow is that of the quantiser itself.
	ownFollow = 0.25
	// shapeBitsPerLine is where scale factors begin to pay.
	shapeBitsPerLine = 5
	// riseDB and fallDB are the slopes of masking in dB per Bark, upwards and
	// downwards (Zwicker and Fastl, "Psychoacoustics", 1990).
	riseDB = 10
	fallDB = 25
)

func (sh *shaper) init(c *config) {
	sh.bands, sh.lsf = c.bands(), c.lsf()
	sh.long = c.bitrate() >= shapeBitsPerLine*c.channels*c.sampleRate()
	const dB = 0.332193 // log2 of power in a decibel
	last := 0.0
	for b := range longBands {
		hz := float64(sh.bands.long[b]+sh.bands.long[b+1]) / 4 * float64(c.sampleRate()) / granuleLines
		z := bark(hz)
		if b > 0 {
			sh.rise[b] = float32(riseDB * dB * (z - last))
			sh.fall[b-1] = float32(fallDB * dB * (z - last))
		}
		last = z
	}
}

// bark is Traunmüller's formula for the critical band rate (JASA 88, 1990).
func bark(hz float64) float64 { return float64(26.81*hz)/(1960+hz) - 0.53 }

// shape chooses subblock gains or scale factors and scales s.p by them.
func (sh *shaper) shape(s *spectrum) {
	switch {
	case s.silent:
	case s.blockType == blockShort:
		sh.shapeWindows(s)
	case sh.long:
		sh.shapeBands(s)
	}
}

// shapeBands chooses the scale factors of a long granule: a band whose noise may
// be lower than the loudest band's is amplified before it is quantised.
func (sh *shaper) shapeBands(s *spectrum) {
	for b := range longBands {
		var e float32 = 1e-14
		lines := s.x[sh.bands.long[b]:sh.bands.long[b+1]]
		for _, x := range lines {
			e += float32(x * x)
		}
		sh.level[b] = log2(e / float32(len(lines)))
		sh.mask[b] = sh.level[b]
		if b > 0 {
			sh.mask[b] = max(sh.mask[b], sh.mask[b-1]-sh.rise[b])
		}
	}
	var top float32 = -1000
	for b := longBands - 1; b >= 0; b-- {
		if b < longBands-1 {
			sh.mask[b] = max(sh.mask[b], sh.mask[b+1]-sh.fall[b])
		}
		sh.level[b] = float32(longFollow*sh.mask[b]) - float32(ownFollow*sh.level[b]) // the wanted change
		top = max(top, sh.level[b])
	}
	for b := range longBands - 1 {
		// A scale factor divides the step's power by 2, and the noise's, which
		// grows with the quantised value, by 2^(1-ownFollow).
		n := float32((top - sh.level[b] - 1) / (1 - ownFollow))
		s.scalefac[b] = uint8(min(max(n+0.5, 0), largestScalefac(b)))
	}
	sh.encodeLong(s)
	for b := range longBands - 1 {
		if n := s.scalefac[b]; n > 0 {
			s.amplify(sh.bands.long[b], sh.bands.long[b+1], scalefacScale[n&15])
		}
	}
}

// largestScalefac is what the longest lengths of the low and of the high bands
// hold, in MPEG-1 as in MPEG-2.
func largestScalefac(band int) float32 {
	if band < 11 {
		return 15
	}
	return 7
}

// shapeWindows chooses the subblock gains of a short granule: a window that is
// quieter than the loudest is amplified.
func (sh *shaper) shapeWindows(s *spectrum) {
	var energy [3]float32
	i := 0
	for b := range shortBands {
		n := sh.bands.short[b+1] - sh.bands.short[b]
		for w := range 3 {
			sum := energy[w]
			for _, x := range s.x[i : i+n] {
				sum += float32(x * x)
			}
			energy[w] = sum
			i += n
		}
	}
	top := log2(max(energy[0], energy[1], energy[2]) + 1e-12)
	for w, e := range energy {
		g := float32(shortFollow * (top - log2(e+1e-12)) / 4) // a gain of 1 is 2^4 of power
		s.subblockGain[w] = int(min(g+0.5, 7))
	}
	if s.subblockGain == [3]int{} {
		return
	}
	i = 0
	for b := range shortBands {
		n := sh.bands.short[b+1] - sh.bands.short[b]
		for w := range 3 {
			if g := s.subblockGain[w] & 7; g > 0 {
				s.amplify(i, i+n, subblockScale[g])
			}
			i += n
		}
	}
}

// amplify multiplies lines of p.
func (s *spectrum) amplify(from, to int, by float32) {
	p, greatest := s.p[from:to], s.greatest
	for i, v := range p {
		v *= by
		p[i] = v
		if v > greatest {
			greatest = v
		}
	}
	s.greatest = greatest
}

// subblockScale[g] is 2^(2g * 3/4) and scalefacScale[n] is 2^(n/2 * 3/4): what a
// subblock gain and a scale factor do to |x|^(3/4).
var (
	subblockScale = makeSubblockScale()
	scalefacScale = makeScalefacScale()
)

func makeScalefacScale() (g [16]float32) {
	for i := range g {
		g[i] = float32(exactmath.Exp2(float64(i) * 3 / 8))
	}
	return g
}

func makeSubblockScale() (g [8]float32) {
	for i := range g {
		g[i] = float32(exactmath.Exp2(float64(i) * 3 / 2))
	}
	return g
}

// log2 is the logarithm of a positive number to about 0.01.
func log2(x float32) float32 {
	b := math.Float32bits(x)
	m := math.Float32frombits(b&0x7fffff|0x3f800000) - 1
	return float32(int32(b>>23)-127) + float32(m*(1.3465-float32(0.3465*m)))
}
