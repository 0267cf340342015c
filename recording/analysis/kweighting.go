package analysis

import "github.com/switchtape/switchtape/recording/internal/exactmath"

// kFilter are the two filters of ITU-R BS.1770-4, Annex 1: the shelf that
// stands for the head, then the high-pass (RLB).
//
// The Recommendation gives their coefficients at 48 kHz only. For other rates
// they come from the analogue prototypes those were made of, by the bilinear
// transform with K = tan(π·f0/rate): Mansbridge, Finn, Reiss, "Implementation
// and Evaluation of Autonomous Multi-track Fader Control", AES 132 (2012),
// compared by De Man, "Evaluation of Implementations of the EBU R128 Loudness
// Measurement", AES 145 (2018). At 48 kHz the table of the Recommendation comes
// out. The numerator of the high-pass is 1, -2, 1 at every rate.
type kFilter struct {
	b0, b1, b2, a1, a2 float64 // shelf
	c1, c2             float64 // high-pass, denominator
}

// The analogue prototypes.
const (
	shelfHz     = 1681.974450955533
	shelfQ      = 0.7071752369554196
	shelfGain   = 1.5848647011308556 // 10^(3.999843853973347 dB/20)
	shelfMiddle = 1.2587209302325617 // shelfGain^0.4996667741545416
	highPassHz  = 38.13547087602444
	highPassQ   = 0.5003270373238773
)

func newKFilter(rate int) kFilter {
	k := exactmath.TanPi(shelfHz / float64(rate))
	kk := float64(k * k)
	d := 1 + k/shelfQ + kk
	f := kFilter{
		b0: (shelfGain + float64(shelfMiddle*k)/shelfQ + kk) / d,
		b1: 2 * (kk - shelfGain) / d,
		b2: (shelfGain - float64(shelfMiddle*k)/shelfQ + kk) / d,
		a1: 2 * (kk - 1) / d,
		a2: (1 - k/shelfQ + kk) / d,
	}
	k = exactmath.TanPi(highPassHz / float64(rate))
	kk = float64(k * k)
	d = 1 + k/highPassQ + kk
	f.c1 = 2 * (kk - 1) / d
	f.c2 = (1 - k/highPassQ + kk) / d
	return f
}

// kState is what the filters remember of a channel, in the transposed direct
// form II: two values each, fewer than the processor has registers.
type kState struct {
	s1, s2 float64 // of the shelf
	h1, h2 float64 // of the high-pass
}

// dropFaded clears values that have faded beyond any effect, before they become so
// small that the processor computes with them slowly.
func (s *kState) dropFaded() {
	for _, v := range []*float64{&s.s1, &s.s2, &s.h1, &s.h2} {
		if *v < 1e-30 && *v > -1e-30 {
			*v = 0
		}
	}
}

// power is the sum of the squares of x, weighted.
func (f *kFilter) power(s *kState, x []float32) float64 {
	s1, s2, h1, h2 := s.s1, s.s2, s.h1, s.h2
	b0, b1, b2, a1, a2, c1, c2 := f.b0, f.b1, f.b2, f.a1, f.a2, f.c1, f.c2
	sum := 0.0
	for _, v := range x {
		x0 := float64(v)
		y0 := float64(b0*x0) + s1
		s1 = float64(b1*x0) + s2 - float64(a1*y0)
		s2 = float64(b2*x0) - float64(a2*y0)
		z0 := y0 + h1
		h1 = h2 - (y0 + y0) - float64(c1*z0)
		h2 = y0 - float64(c2*z0)
		sum += float64(z0 * z0)
	}
	*s = kState{s1, s2, h1, h2}
	return sum
}

// power2 is power of two channels at once: their sums don't wait for each
// other, so it takes hardly longer than one. The values are those of power.
func (f *kFilter) power2(s, t *kState, x, w []float32) (sumX, sumW float64) {
	s1, s2, h1, h2 := s.s1, s.s2, s.h1, s.h2
	t1, t2, g1, g2 := t.s1, t.s2, t.h1, t.h2
	b0, b1, b2, a1, a2, c1, c2 := f.b0, f.b1, f.b2, f.a1, f.a2, f.c1, f.c2
	w = w[:len(x)]
	for i, v := range x {
		x0 := float64(v)
		y0 := float64(b0*x0) + s1
		s1 = float64(b1*x0) + s2 - float64(a1*y0)
		s2 = float64(b2*x0) - float64(a2*y0)
		z0 := y0 + h1
		h1 = h2 - (y0 + y0) - float64(c1*z0)
		h2 = y0 - float64(c2*z0)
		sumX += float64(z0 * z0)

		x0 = float64(w[i])
		y0 = float64(b0*x0) + t1
		t1 = float64(b1*x0) + t2 - float64(a1*y0)
		t2 = float64(b2*x0) - float64(a2*y0)
		z0 = y0 + g1
		g1 = g2 - (y0 + y0) - float64(c1*z0)
		g2 = y0 - float64(c2*z0)
		sumW += float64(z0 * z0)
	}
	*s = kState{s1, s2, h1, h2}
	*t = kState{t1, t2, g1, g2}
	return sumX, sumW
}
