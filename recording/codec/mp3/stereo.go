package mp3

import "math"

// midSideGain is how many bits mid and side must save, as a part of those of
// left and right.
const midSideGain = 0.03

// midSidePays compares what the frame's lines need as left and right with what
// they need as mid and side.
func (e *Encoder) midSidePays() bool {
	noise := stepNoise(float64(e.rate.gain))
	var leftRight, midSide float64
	for gr := range e.config.granules() {
		l, r := &e.frame[gr][0], &e.frame[gr][1]
		if l.silent || r.silent {
			return false
		}
		noise := noise * l.scale()
		leftRight += entropy(l.x[:], noise) + entropy(r.x[:], noise)
		mid, side := &e.scratch, &e.scratch2
		for i := range mid {
			mid[i] = (l.x[i] + r.x[i]) * (1 / math.Sqrt2)
			side[i] = (l.x[i] - r.x[i]) * (1 / math.Sqrt2)
		}
		midSide += entropy(mid[:], noise) + entropy(side[:], noise)
	}
	return midSide < (1-midSideGain)*leftRight
}

// toMidSide turns left and right into mid and side (11172-3, 2.4.3.4.9.2).
func toMidSide(l, r *spectrum) {
	for i := range l.x {
		a, b := l.x[i], r.x[i]
		l.x[i] = (a + b) * (1 / math.Sqrt2)
		r.x[i] = (a - b) * (1 / math.Sqrt2)
	}
}

const (
	// channelFollow is the exponent by which a channel's noise follows its level
	// against the other one's: between the least noise in all, 0, and as good a
	// copy of a quiet leg as of a loud one, 1.
	channelFollow = 0.8
	// levelDecay is how much of a channel's level, which is its highest power,
	// is left a frame later: a pause doesn't change who speaks how loudly.
	levelDecay = 0.995
	// quietestOffset is the least that a channel's gain is offset for its level.
	quietestOffset = -20
)

// setOffsets sets the gain offsets of the channels of a frame.
func (r *rateControl) setOffsets(f *[2][2]spectrum, midSide bool) {
	if r.channels == 1 {
		return
	}
	for ch := range r.level {
		power := float32(0)
		for gr := range r.granules {
			if s := &f[gr][ch]; !s.silent {
				power = max(power, s.power()/float32(s.scale()))
			}
		}
		r.level[ch] = max(power, r.level[ch]*levelDecay)
	}
	top := log2(max(r.level[0], r.level[1]) + 1e-12)
	for ch, level := range r.level {
		offset := 0
		if !midSide {
			// A step of gain is 1/2 of log2 of the noise's power.
			offset = max(quietestOffset, -int(2*channelFollow*(top-log2(level+1e-12))))
		}
		for gr := range r.granules {
			f[gr][ch].offset = offset
		}
	}
}

// power is the sum of the squares of the lines.
func (s *spectrum) power() float32 {
	var a, b float32
	for x := s.x[:]; len(x) >= 2; x = x[2:] {
		a += float32(x[0] * x[0])
		b += float32(x[1] * x[1])
	}
	return a + b
}
