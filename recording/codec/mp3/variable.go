package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// The power of noise that VBR allows is that of a signal to noise ratio, which
// is qualityBest for quality 0 and qualityStep less for each quality below, at
// the usual level of speech; at other levels it follows the power of the
// granule to the exponent noiseFollow.
const (
	qualityBestDB = 42
	qualityStepDB = 3
	// usualLevelDB is the power of a line of speech of -26 dB below full scale:
	// the filter bank's lines are 1/(9*32) of an orthonormal transform's.
	usualLevelDB = -26 - 24.6
)

// fitQuality quantises the frame with the noise that a VBR quality allows, and
// returns its bits, at most most.
func (r *rateControl) fitQuality(f *[2][2]spectrum, quality, most int) int {
	ratio := float64(qualityBestDB - qualityStepDB*quality)
	power := 0.0
	for gr := range r.granules {
		for ch := range r.channels {
			if s := &f[gr][ch]; !s.silent {
				power = max(power, float64(s.power())/s.scale()/granuleLines)
			}
		}
	}
	level := float64(10*exactmath.Log10(power+1e-12)) - usualLevelDB
	noise := exactmath.Pow(10, (usualLevelDB-ratio+float64(noiseFollow*level))/10)
	gain := int(math.Floor(210 + float64(2*exactmath.Log2(6*noise))))
	least, _ := r.limits(f)
	gain = min(max(gain, least), maxGain)
	bits, fits := r.quantize(f, gain, true)
	if bits > most || !fits {
		gain, bits = r.search(f, gain+1, gain+1, most)
	}
	r.gain = gain
	return bits
}

// averageTime is over how many frames ABR evens out what it spent too much.
const averageTime = 60

// fitAverage quantises the frame with about as many bits as it demands more or
// less than the frames before it, and returns its bits, at most most.
func (r *rateControl) fitAverage(f *[2][2]spectrum, slot, most int) int {
	least, silent := r.limits(f)
	if silent {
		bits, _ := r.quantize(f, maxGain, true)
		return bits
	}
	demand := r.demand(f)
	target := float64(8*(float64(slot)-r.overspent/averageTime)) + demand - r.meanDemand
	bits := min(max(int(target), 4*slot), most)
	return r.settle(f, least, bits, demand)
}

// spent tells ABR by how many bytes a frame was longer than the average.
func (r *rateControl) spent(bytes int) {
	r.overspent += float64(bytes)
}
