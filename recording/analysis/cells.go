package analysis

import "math"

// cell is what levels and voice activity need of 10 ms of a channel. The sums
// are made in float32, in four parts, of at most a few thousand samples: their
// rounding is below 0.001 dB.
type cell struct {
	frames int
	sum    float64 // of the samples
	power  float64 // sum of their squares
	motion float64 // sum of the squares of x[n] - x[n-lag]
	lo, hi float32
}

// digitalSilence is how much the samples of a cell may differ in a leg that carries
// no signal at all: a step of 16 bits and rounding. A-law has no 0, so its silence
// is another constant.
const digitalSilence = 1.5 / 32768

func (c *cell) digital() bool { return c.hi-c.lo <= digitalSilence }

func (c *cell) peak() float32 { return max(c.hi, -c.lo) }

// cellScan cuts the chunks of a channel into cells. The difference with the
// sample 1/2000 s before takes away DC and weakens hum: it is a comb filter of
// -14 dB at 60 Hz, -1 dB at 300 Hz and +6 dB at 1 kHz, and of +3 dB for white
// noise.
type cellScan struct {
	size int
	lag  int
	tail []float32 // the last lag samples of the chunk before
	out  [cellsPerChunk]cell
}

func (s *cellScan) init(rate int) {
	*s = cellScan{size: cellFrames(rate), lag: rate / 2000, tail: make([]float32, rate/2000)}
}

// run returns the cells of a chunk; the last of the stream may be short.
func (s *cellScan) run(x []float32) []cell {
	n := 0
	for at := 0; at < len(x); at += s.size {
		end := min(at+s.size, len(x))
		c := cell{frames: end - at, lo: x[at], hi: x[at]}
		if at == 0 { // no sample of this chunk comes before it
			k := min(s.lag, end)
			c.add(x[:k], s.tail[:k])
			c.add(x[k:end], x[:end-k])
		} else {
			c.add(x[at:end], x[at-s.lag:end-s.lag])
		}
		s.out[n] = c
		n++
	}
	if len(x) >= s.lag {
		copy(s.tail, x[len(x)-s.lag:])
	}
	return s.out[:n]
}

// add adds the samples x; before is as many samples, each lag earlier.
func (c *cell) add(x, before []float32) {
	var s0, s1, p0, p1, m0, m1 float32
	lo, hi := order(c.lo), order(c.hi)
	for len(x) >= 2 && len(before) >= 2 {
		a, b := x[0], x[1]
		da, db := a-before[0], b-before[1]
		s0 += a
		s1 += b
		p0 += float32(a * a)
		p1 += float32(b * b)
		m0 += float32(da * da)
		m1 += float32(db * db)
		ka, kb := order(a), order(b)
		lo, hi = min(lo, ka, kb), max(hi, ka, kb)
		x, before = x[2:], before[2:]
	}
	for i, v := range x {
		d := v - before[i]
		s0 += v
		p0 += float32(v * v)
		m0 += float32(d * d)
		lo, hi = min(lo, order(v)), max(hi, order(v))
	}
	c.sum += float64(s0) + float64(s1)
	c.power += float64(p0) + float64(p1)
	c.motion += float64(m0) + float64(m1)
	c.lo, c.hi = disorder(lo), disorder(hi)
}

// order is a number that is greater for a greater x, which is no NaN. The least
// and greatest of integers are found without branches, which a processor would
// often predict wrongly.
func order(x float32) int32 {
	k := int32(math.Float32bits(x))
	return k ^ k>>31&0x7FFFFFFF
}

// disorder is the x of an order.
func disorder(k int32) float32 { return math.Float32frombits(uint32(k ^ k>>31&0x7FFFFFFF)) }

// valueRange widens lo and hi to the values of x from at to before end; x is the
// chunk of the last run, whose whole cells are known.
func (s *cellScan) valueRange(x []float32, at, end int, lo, hi float32) (float32, float32) {
	first, last := (at+s.size-1)/s.size, end/s.size
	if first >= last {
		return valueRange(x[at:end], lo, hi)
	}
	lo, hi = valueRange(x[at:first*s.size], lo, hi)
	for i := first; i < last; i++ {
		lo, hi = min(lo, s.out[i].lo), max(hi, s.out[i].hi)
	}
	return valueRange(x[last*s.size:end], lo, hi)
}
