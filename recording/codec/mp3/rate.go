package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// rateControl gives every frame its bits and finds the gain that uses them.
//
// All granules and channels of a frame are quantised with one step, apart from
// what each one's offset says: with equal steps the noise is the least that so
// many bits can have, and a channel with nothing to say gets next to none of
// them. A frame's bits follow its demand, as far as the reservoir allows.
type rateControl struct {
	lines          int // coded lines; those above are dropped
	lowpassHz      int
	reservoirBytes int // the most that main_data_begin may be
	granules       int
	channels       int
	lsf            int
	bands          *bandTable
	counter        huffmanCounter

	gain       int     // of the last frame
	meanGain   float64 // of the frames so far, the recent ones most
	meanDemand float64
	slope      float64 // bits that a step of gain saves
	excess     float64 // bits of frames above their demand, the recent ones most
	started    bool
	level      [2]float32 // of two channels: their highest power not long ago
	overspent  float64    // bytes by which ABR's frames were longer than the average
}

const (
	// minGain is the gain whose step is below half a 16 bit step: nothing finer
	// is worth a bit.
	minGain = 124
	maxGain = 255

	// memory is the weight of a frame in the means.
	memory = 0.03
	// demandShare is how much of the bits by which a frame's demand differs from
	// the mean it gets, and refillShare how much of what the reservoir is above
	// or below reservoirLevel of its size.
	demandShare    = 0.5
	refillShare    = 0.3
	reservoirLevel = 0.45
	// loanShare is the most of the reservoir that one frame may take beyond its
	// own slot.
	loanShare = 0.8
)

func (r *rateControl) init(c *config) {
	r.bands = c.bands()
	r.granules, r.channels, r.lsf = c.granules(), c.channels, c.lsf()
	r.lines, r.lowpassHz = c.lowpass()
	r.reservoirBytes = c.reservoirBytes()
	r.gain = 180
	r.slope = 60
}

// reservoirBytes is the most that main_data_begin may be: what its bits hold,
// and what leaves a frame with its reservoir within the largest frame of the
// sample rate, which is the size of a decoder's buffer (11172-3, 2.4.3.1).
func (c *config) reservoirBytes() int {
	limit, top := 511, 320000
	if c.lsf() == 1 {
		limit, top = 255, 160000
	}
	if c.Mode != CBR {
		return limit
	}
	bytes := granuleLines * c.granules() / 8
	return max(0, min(limit, bytes*top/c.sampleRate()-bytes*c.bitrate()/c.sampleRate()-1))
}

// lowpass is the number of lines to code and the frequency above them. The
// quantiser leaves out what isn't worth its bits by itself, so there is a limit
// only where the options ask for it.
func (c *config) lowpass() (lines, hz int) {
	half := c.sampleRate() / 2
	if c.LowpassHz == 0 || c.LowpassHz >= half {
		return granuleLines, half
	}
	return max(2, granuleLines*c.LowpassHz/half), c.LowpassHz
}

// demand is how many bits the frame takes at the mean gain, which it brings up
// to date.
func (r *rateControl) demand(f *[2][2]spectrum) float64 {
	if !r.started {
		r.meanGain = float64(r.gain)
	}
	demand := 0.0
	for gr := range r.granules {
		for ch := range r.channels {
			if s := &f[gr][ch]; !s.silent {
				demand += entropy(s.x[:s.end], stepNoise(r.meanGain+float64(s.offset))*s.scale())
			}
		}
	}
	if !r.started {
		r.started = true
		r.meanDemand = demand
	}
	r.meanDemand += float64((demand - r.meanDemand) * memory)
	return demand
}

// target is the number of bits to use for a frame that demands so many, with a
// slot of so many bytes and so many unused before it.
func (r *rateControl) target(demand float64, unused, slot int) int {
	free, reservoir := float64(8*float64(unused)), float64(8*float64(r.reservoirBytes))
	bits := float64(8*float64(slot)) + float64(demandShare*(demand-r.meanDemand)) +
		float64(refillShare*(free-float64(reservoirLevel*reservoir)))
	bits = min(bits, float64(8*float64(slot))+float64(loanShare*free))
	least := 8 * (unused + slot - r.reservoirBytes)
	return min(max(int(bits), least), 8*(unused+slot))
}

// stepNoise is the power of the noise that a gain's step makes in a line.
func stepNoise(gain float64) float64 { return exactmath.Exp2((gain-210)/2) / 6 }

// fit quantises the frame's spectra into at most unused + slot bytes.
func (r *rateControl) fit(f *[2][2]spectrum, unused, slot int) {
	least, silent := r.limits(f)
	if silent {
		_, _ = r.quantize(f, maxGain, true)
		return
	}
	demand := r.demand(f)
	r.settle(f, least, r.target(demand, unused, slot), demand)
}

// limits is the least gain at which every line fits the largest code, and
// whether all the frame is silent.
func (r *rateControl) limits(f *[2][2]spectrum) (least int, silent bool) {
	least, silent = minGain, true
	for gr := range r.granules {
		for ch := range r.channels {
			s := &f[gr][ch]
			least = max(least, s.smallestGain()-s.offset)
			silent = silent && s.silent
		}
	}
	return min(least, maxGain), silent
}

// settle finds the gain for target bits, from a guess by the demand, and learns
// from it. It returns the frame's bits.
func (r *rateControl) settle(f *[2][2]spectrum, least, target int, demand float64) int {
	guess := int(math.Ceil(r.meanGain + (demand+r.excess-float64(target))/r.slope))
	gain, bits := r.search(f, guess, least, target)
	r.excess += float64((float64(bits) + float64(r.slope*(float64(gain)-r.meanGain)) - demand - r.excess) * 0.2)
	r.meanGain += float64((float64(gain) - r.meanGain) * memory)
	r.gain = gain
	return bits
}

// search finds a gain of at least least that needs at most target bits, but not
// many fewer, and leaves the frame quantised with it.
func (r *rateControl) search(f *[2][2]spectrum, guess, least, target int) (gain, bits int) {
	lo, hi := least-1, maxGain // too many bits at lo; the coarsest step always fits
	g := min(max(guess, least), maxGain)
	lastGain, lastBits := 0, 0
	for hi-lo > 1 {
		var fits bool
		bits, fits = r.quantize(f, g, false)
		if lastGain != 0 && lastGain != g {
			slope := float64(lastBits-bits) / float64(g-lastGain)
			r.slope += float64((min(max(slope, 8), 400) - r.slope) * 0.3)
		}
		lastGain, lastBits = g, bits
		over := bits - target
		if over > 0 || !fits {
			lo = g
			over = max(over, 1)
		} else {
			hi = g
			if float64(-over) < r.slope {
				break
			}
		}
		g = min(max(g+int(math.Ceil(float64(over)/r.slope)), lo+1), hi-1)
	}
	bits, _ = r.quantize(f, hi, true)
	return hi, bits
}

// quantize quantises the frame with one gain and returns its bits, and whether
// every granule's fit part2_3_length. Unless exact is set, they are those of a
// usual division into regions, a few more than the best one's.
func (r *rateControl) quantize(f *[2][2]spectrum, gain int, exact bool) (total int, fits bool) {
	fits = true
	for gr := range r.granules {
		for ch := range r.channels {
			s := &f[gr][ch]
			if s.silent {
				s.globalGain = 210
				continue
			}
			if g := min(gain+s.offset, maxGain); g != s.globalGain || s.bits == 0 {
				s.globalGain = g
				s.qEnd = s.quantize()
			} else if !exact {
				total += s.bits
				continue
			}
			s.bits = r.counter.count(&s.q, s.qEnd, r.bands, exact, &s.granuleInfo) + s.part2
			total += s.bits
			fits = fits && s.bits <= maxPart23Bits
		}
	}
	return total, fits
}
