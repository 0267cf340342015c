package mp3

import (
	"math"
	"math/rand/v2"
)

// signal is a test signal: frames of it at a rate, in every channel another.
type signal struct {
	name   string
	frames func(rate int) int
	at     func(rate int, n int, channels int) []float32
}

func shortSignal(rate int) int { return rate*3/10 + 7 }

// signals are the kinds of input of the conformance matrix.
func signals() []signal {
	return []signal{
		{"silence", shortSignal, func(_, n, ch int) []float32 { return make([]float32, n*ch) }},
		{"noise", shortSignal, func(_, n, ch int) []float32 {
			r := rand.New(rand.NewPCG(1, 2))
			return generate(n, ch, func(int, int) float64 { return 2*r.Float64() - 1 })
		}},
		{"square", shortSignal, func(rate, n, ch int) []float32 {
			return generate(n, ch, func(i, c int) float64 {
				if i*(220+c*110)*2/rate%2 == 0 {
					return 1.5
				}
				return -1.5
			})
		}},
		{"sweep", shortSignal, sweep},
		{"speech", shortSignal, speech},
		{"impulses", shortSignal, func(_, n, ch int) []float32 {
			return generate(n, ch, func(i, c int) float64 {
				if i%(700+c*31) == 300 {
					return 0.95
				}
				return 0
			})
		}},
		{"one sample", func(int) int { return 1 }, func(_, n, ch int) []float32 {
			return generate(n, ch, func(int, int) float64 { return 0.5 })
		}},
		{"nothing", func(int) int { return 0 }, func(_, _, _ int) []float32 { return nil }},
	}
}

func generate(n, channels int, f func(i, c int) float64) []float32 {
	s := make([]float32, n*channels)
	for i := range n {
		for c := range channels {
			s[i*channels+c] = float32(f(i, c))
		}
	}
	return s
}

// sweep is a sine from 100 Hz to 90 % of the Nyquist frequency.
func sweep(rate, n, channels int) []float32 {
	return generate(n, channels, func(i, c int) float64 {
		t := float64(i) / float64(max(n, 1))
		top := 0.45 * float64(rate) / float64(c+1)
		phase := 2 * math.Pi * (100*t + (top-100)*t*t/2) * float64(n) / float64(rate)
		return 0.6 * math.Sin(phase)
	})
}

// speech is voiced and unvoiced speech made by a source and filter model: a
// glottal pulse train of moving pitch, or noise, through three formants that
// move from vowel to vowel, with pauses. The second channel speaks while the
// first is silent and the other way around, in part.
func speech(rate, n, channels int) []float32 {
	out := make([]float32, n*channels)
	for c := range channels {
		speak(out[c:], channels, n, rate, uint64(c+1))
	}
	return out
}

// vowels are the first three formants in Hz of /a e i o u/ (Peterson and Barney,
// 1952, rounded), and a fricative's noise band.
var vowels = [][3]float64{{730, 1090, 2440}, {530, 1840, 2480}, {270, 2290, 3010}, {570, 840, 2410}, {300, 870, 2240}}

func speak(out []float32, stride, n, rate int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	fs := float64(rate)
	var y1, y2 [3]float64
	phase, pitch, level := 0.0, 110.0+40*float64(seed), 0.0
	left, voiced, target := 0, true, 0.0
	from, to := vowels[0], vowels[1]
	length := 1
	for i := range n {
		if left == 0 {
			length = rate/12 + r.IntN(rate/8)
			left = length
			from, to = to, vowels[r.IntN(len(vowels))]
			voiced = r.IntN(4) > 0
			target = [4]float64{0.35, 0.2, 0.1, 0.0005}[r.IntN(4)]
			if seed == 2 && i < n/2 {
				target = 0
			}
		}
		left--
		level += (target - level) * 60 / fs
		f := pitch * (1 + 0.1*math.Sin(2*math.Pi*3*float64(i)/fs))
		phase += f / fs
		x := 0.0
		if phase >= 1 {
			phase--
			x = 1
		}
		if !voiced {
			x = (r.Float64() - 0.5) / 3
		}
		x += (r.Float64() - 0.5) * 0.02
		mix := float64(length-left) / float64(length)
		sum := 0.0
		for k := range 3 {
			hz := min(from[k]+(to[k]-from[k])*mix, 0.45*fs)
			bw := 60 + 40*float64(k)
			rad := math.Exp(-math.Pi * bw / fs)
			w := 2 * math.Pi * hz / fs
			v := x*math.Sin(w) + 2*rad*math.Cos(w)*y1[k] - rad*rad*y2[k]
			y2[k], y1[k] = y1[k], v
			sum += v / float64(k+1)
		}
		out[i*stride] = float32(max(-1, min(level*sum*1.5, 1)))
	}
}

func sineWave(rate, n int, hz float64) []float32 {
	return generate(n, 1, func(i, _ int) float64 {
		return 0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	})
}
