// Package mp3bench measures the layer III encoder: its speed as Go benchmarks,
// and its quality and CPU time next to lame's and ffmpeg's in one run.
package mp3bench

import (
	"math"
	"math/cmplx"
)

// NoiseToMask compares decoded audio with the original, sample for sample, and
// returns how far the noise is above what the original masks, in dB: less is
// better, and below 0 most of the noise can't be heard. It is the mean of the
// ratio over all critical bands and all frames that aren't silent, in dB at the
// end (total, the form of ITU-R BS.1387's NMR), and the mean of the ratio's dB
// (segmental).
//
// The mask is that of J. D. Johnston, "Transform coding of audio signals using
// perceptual noise criteria", IEEE JSAC 6(2), 1988: the power spectrum of a
// Hann window of about 32 ms in bands of one Bark, spread by Schroeder's
// function, lowered by 14.5+i dB for tones and 5.5 dB for noise according to
// the spectral flatness, renormalised, and not below the threshold in quiet,
// here the spectrum of a noise of 1/4 of a 16 bit step.
//
// Both signals are mono; full scale is 1. A constant gain of the codec isn't
// noise: it is removed first, by least squares.
func NoiseToMask(original, decoded []float32, sampleRate int) (total, segmental float64) {
	n := 256
	for n*1000/sampleRate < 24 {
		n *= 2
	}
	m := newMasker(n, sampleRate)
	gain := fitGain(original, decoded)
	ref, noise := make([]complex128, n), make([]complex128, n)
	var sum, sumDB float64
	count := 0
	for start := 0; start+n <= min(len(original), len(decoded)); start += n / 2 {
		energy := 0.0
		for i := range n {
			x := float64(original[start+i])
			energy += x * x
			ref[i] = complex(x*m.window[i], 0)
			noise[i] = complex((x-gain*float64(decoded[start+i]))*m.window[i], 0)
		}
		if energy < 1e-6*float64(n) {
			continue // below -60 dB of full scale
		}
		fft(ref)
		fft(noise)
		mask := m.mask(m.bands(ref), ref)
		for b, e := range m.bands(noise) {
			r := e / mask[b]
			sum += r
			sumDB += 10 * math.Log10(r+1e-10)
			count++
		}
	}
	if count == 0 {
		return math.Inf(-1), math.Inf(-1)
	}
	return 10 * math.Log10(sum/float64(count)), sumDB / float64(count)
}

// fitGain is the gain of decoded that comes closest to the original.
func fitGain(original, decoded []float32) float64 {
	var ab, bb float64
	for i := range min(len(original), len(decoded)) {
		ab += float64(original[i]) * float64(decoded[i])
		bb += float64(decoded[i]) * float64(decoded[i])
	}
	if bb == 0 {
		return 1
	}
	return ab / bb
}

type masker struct {
	window []float64
	band   []int // of each bin up to the Nyquist frequency
	count  int   // bands
	bins   []float64
	spread [][]float64
	gain   []float64 // of the spreading, to be divided out
	quiet  float64   // a bin's power in quiet
}

// bark is Traunmüller's formula (JASA 88, 1990).
func bark(hz float64) float64 { return 26.81*hz/(1960+hz) - 0.53 }

func newMasker(n, sampleRate int) *masker {
	m := &masker{window: make([]float64, n), band: make([]int, n/2)}
	power := 0.0
	for i := range m.window {
		m.window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
		power += m.window[i] * m.window[i]
	}
	step := 0.25 / 32768
	m.quiet = power * step * step
	for i := range m.band {
		m.band[i] = max(0, int(bark(float64(i)*float64(sampleRate)/float64(n))))
	}
	m.count = m.band[len(m.band)-1] + 1
	m.bins = make([]float64, m.count)
	for _, b := range m.band {
		m.bins[b]++
	}
	m.gain = make([]float64, m.count)
	for i := range m.count {
		m.spread = append(m.spread, make([]float64, m.count))
		for j := range m.count {
			d := float64(i-j) + 0.474
			m.spread[i][j] = math.Pow(10, (15.81+7.5*d-17.5*math.Sqrt(1+d*d))/10)
			m.gain[i] += m.spread[i][j]
		}
	}
	return m
}

// bands sums the power of the bins of each band.
func (m *masker) bands(spectrum []complex128) []float64 {
	e := make([]float64, m.count)
	for i, b := range m.band {
		a := cmplx.Abs(spectrum[i])
		e[b] += a * a
	}
	return e
}

// mask is the power of noise in each band that the signal just hides.
func (m *masker) mask(energy []float64, spectrum []complex128) []float64 {
	var logs, sum float64
	for i := range m.band {
		a := cmplx.Abs(spectrum[i])
		p := a*a + 1e-20
		logs += math.Log(p)
		sum += p
	}
	n := float64(len(m.band))
	flatness := 10 / math.Ln10 * (logs/n - math.Log(sum/n)) // dB
	tonality := min(flatness/-60, 1)
	mask := make([]float64, m.count)
	for i := range mask {
		for j, e := range energy {
			mask[i] += e * m.spread[i][j]
		}
		offset := tonality*(14.5+float64(i+1)) + (1-tonality)*5.5
		mask[i] *= math.Pow(10, -offset/10) / m.gain[i]
		mask[i] = max(mask[i], m.quiet*m.bins[i])
	}
	return mask
}

// fft is the discrete Fourier transform of a power of two of points, in place.
func fft(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		w := cmplx.Rect(1, -2*math.Pi/float64(size))
		for start := 0; start < n; start += size {
			t := complex(1, 0)
			for k := range size / 2 {
				a, b := x[start+k], x[start+k+size/2]*t
				x[start+k], x[start+k+size/2] = a+b, a-b
				t *= w
			}
		}
	}
}
