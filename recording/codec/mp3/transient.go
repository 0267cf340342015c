package mp3

import (
	"math"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// transient is what is known of the newest granule before its block type is
// settled.
type transient struct {
	short  bool                  // short blocks pay
	silent bool                  // the lines are all 0
	long   [granuleLines]float32 // the lines with the long window
	triple [granuleLines]float32 // those with short windows, if short is set
}

// attackRatio is how much louder than a stretch before it a third of a granule
// must be for short blocks to be considered, and fallRatio how much quieter,
// which matters less, because a loud sound also hides what comes after it.
const (
	attackRatio = 2
	fallRatio   = 8
)

// detectTransients transforms the newest granule, which spans the newest two
// blocks, and decides whether it wants short blocks.
func (e *Encoder) detectTransients() {
	cur, prev := (e.blocks-1)%3, (e.blocks+1)%3
	short := false
	for ch := range e.config.channels {
		c := &e.channel[ch]
		a := &c.ahead
		a.short = false
		a.silent = c.silent[cur] && (e.blocks == 1 || c.silent[prev])
		if a.silent {
			clear(a.long[:])
			continue
		}
		mdctLong(&c.blocks[prev], &c.blocks[cur], blockLong, &a.long)
		a.short = c.unsteady(prev, cur) && e.shortPays(c, prev, cur)
		short = short || a.short
	}
	if e.config.Stereo == StereoJoint { // mid and side need the same windows
		for ch := range e.config.channels {
			c := &e.channel[ch]
			if short && !c.ahead.short {
				mdctShort(&c.blocks[prev], &c.blocks[cur], &c.ahead.triple)
				c.ahead.short = true
			}
		}
	}
}

// unsteady says whether the energy rises or falls steeply from one third of a
// block to a later one within the span of the three short windows.
func (c *channelState) unsteady(prev, cur int) bool {
	e := [5]float32{
		c.thirds[prev][0], c.thirds[prev][1], c.thirds[prev][2],
		c.thirds[cur][0], c.thirds[cur][1],
	}
	least, most := e[0]+1e-9, e[0]
	for _, v := range e[1:] {
		if v > attackRatio*least || v*fallRatio < most {
			return true
		}
		least, most = min(least, v+1e-9), max(most, v)
	}
	return false
}

// shortPays compares the bits that the granule needs with long and with short
// blocks for noise that is as well hidden. With short blocks the noise may
// follow the energy of each window; with a long block it is spread over all the
// granule, and must be as low as the quietest window demands.
func (e *Encoder) shortPays(c *channelState, prev, cur int) bool {
	mdctShort(&c.blocks[prev], &c.blocks[cur], &c.ahead.triple)
	var energy [3]float64
	mean := 0.0
	for w := range 3 {
		for _, x := range c.ahead.triple[w*shortLines:][:shortLines] {
			energy[w] += float64(x * x)
		}
		mean += energy[w] / 3
	}
	// A step of the quantiser makes noise of 1/12 of its square; lines of long
	// blocks are 1/9 and of short ones 1/3 of an orthonormal transform's, squared.
	noise := stepNoise(float64(e.rate.gain))
	quietest := 1.0
	shortBits := 0.0
	for w := range 3 {
		allowed := exactmath.Pow((energy[w]+1e-12)/(mean+1e-12), noiseFollow)
		quietest = min(quietest, allowed)
		shortBits += entropy((*[shortLines]float32)(c.ahead.triple[w*shortLines:])[:], 3*noise*allowed)
	}
	return shortBits < entropy(c.ahead.long[:], noise*quietest)
}

// noiseFollow is the exponent by which the noise that a stretch of a signal
// hides follows its energy.
const noiseFollow = 0.6

// entropy estimates the bits of lines quantised with a noise power: the sum of
// log2(1 + x²/noise)/2.
func entropy(lines []float32, noise float64) float64 {
	inv := float32(1 / noise)
	exponents, mantissas := uint64(0), float32(0)
	for len(lines) >= 8 {
		l := (*[8]float32)(lines)
		a := (1 + float32(l[0]*l[0]*inv)) * (1 + float32(l[1]*l[1]*inv))
		b := (1 + float32(l[2]*l[2]*inv)) * (1 + float32(l[3]*l[3]*inv))
		c := (1 + float32(l[4]*l[4]*inv)) * (1 + float32(l[5]*l[5]*inv))
		d := (1 + float32(l[6]*l[6]*inv)) * (1 + float32(l[7]*l[7]*inv))
		p := math.Float64bits(float64(a) * float64(b) * (float64(c) * float64(d)))
		exponents += p >> 52
		m := math.Float32frombits(uint32(p>>29)&0x7fffff|0x3f800000) - 1
		mantissas += float32(m * (1.3465 - float32(0.3465*m))) // log2(1+m) to 0.01
		exponents -= 1023
		lines = lines[8:]
	}
	return (float64(exponents) + float64(mantissas)) / 2
}
