package analysis

import (
	"math/bits"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// fft is a discrete Fourier transform of a power of two of complex numbers,
// in place, radix 2, decimation in time (Cooley & Tukey 1965).
type fft struct {
	re, im   []float64
	cos, sin []float64 // of 2πk/n, k < n/2
}

func newFFT(n int) *fft {
	f := &fft{re: make([]float64, n), im: make([]float64, n), cos: make([]float64, n/2), sin: make([]float64, n/2)}
	for k := range n / 2 {
		// By the tangent of half the angle, which is below π/2.
		t := exactmath.TanPi(float64(k) / float64(n))
		tt := float64(t * t)
		f.cos[k], f.sin[k] = (1-tt)/(1+tt), 2*t/(1+tt)
	}
	return f
}

// run transforms re + i·im. The inverse, not scaled, is the same with re and im
// exchanged.
func (f *fft) run(re, im []float64) {
	n := len(re)
	shift := 64 - bits.Len(uint(n-1))
	for i := range n {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			re[i], re[j] = re[j], re[i]
			im[i], im[j] = im[j], im[i]
		}
	}
	for half := 1; half < n; half *= 2 {
		step := n / (2 * half)
		for from := 0; from < n; from += 2 * half {
			a, b := re[from:from+half], re[from+half:from+2*half]
			c, d := im[from:from+half], im[from+half:from+2*half]
			for k := range a {
				wr, wi := f.cos[k*step], f.sin[k*step]
				br, bi := b[k], d[k]
				xr := float64(br*wr) + float64(bi*wi)
				xi := float64(bi*wr) - float64(br*wi)
				b[k], d[k] = a[k]-xr, c[k]-xi
				a[k] += xr
				c[k] += xi
			}
		}
	}
}
