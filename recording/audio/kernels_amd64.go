//go:build !purego

package audio

import "golang.org/x/sys/cpu"

// hasVector is whether the processor and the system have AVX2.
var hasVector = cpu.X86.HasAVX2 //nolint:gochecknoglobals // never changes

// The functions in kernels_amd64.s. n counts values, and must be a multiple of
// what is said; the slices behind the pointers must be long enough.

// dot4AVX: n is a multiple of 8, above 0.
//
//go:noescape
func dot4AVX(out *[4]float32, x, c *float32, q *quad, n int)

// rowAVX: n is a multiple of 8, above 0; it makes dotGroup*groups products, groups above 0.
//
//go:noescape
func rowAVX(dst *float32, dstStep int, x *float32, xStep int, c *float32, n, groups int)

// getPCM16AVX: n is a multiple of 16, above 0. high and low are the largest and
// the smallest sample.
//
//go:noescape
func getPCM16AVX(dst *float32, src *byte, n int) (high, low int16)

// putPCM16AVX: n is a multiple of 16. It stops before the first 16 values of
// which one doesn't fit, and returns how many it wrote.
//
//go:noescape
func putPCM16AVX(dst *byte, src *float32, n int) (done int)

// addAVX: n is a multiple of 16, above 0.
//
//go:noescape
func addAVX(dst, a, b *float32, n int)

// exceedsAVX: n is a multiple of 32, above 0.
//
//go:noescape
func exceedsAVX(s *float32, n int, high float32) bool

// interleave2AVX: n is a multiple of 8, above 0, of frames.
//
//go:noescape
func interleave2AVX(dst, left, right *float32, n int)

func dot4(out *[4]float32, x, c []float32, q *quad, n int) {
	if !hasVector || n < lanes {
		dot4Plain(out, x, c, q, n)
		return
	}
	for i := range q.x { // what the assembly will touch is there
		_, _ = x[q.x[i]:q.x[i]+n], c[q.c[i]:q.c[i]+n]
	}
	dot4AVX(out, &x[0], &c[0], q, n)
}

func dotRow(dst []float32, dstStep int, x []float32, xStep int, c []float32, count int) {
	if !hasVector || count < dotGroup || len(c) < lanes {
		dotRowPlain(dst, dstStep, x, xStep, c, count)
		return
	}
	_, _ = dst[(count-1)*dstStep], x[(count-1)*xStep:][len(c)-1]
	rowAVX(&dst[0], dstStep, &x[0], xStep, &c[0], len(c), count/dotGroup)
	if count%dotGroup != 0 {
		// The last eight, some of them once more: cheaper than one by one.
		first := count - dotGroup
		rowAVX(&dst[first*dstStep], dstStep, &x[first*xStep], xStep, &c[0], len(c), 1)
	}
}

func getPCM16(dst []float32, src []byte) (fullScale bool) {
	if n := len(dst) &^ 15; n > 0 && hasVector {
		_ = src[2*n-1]
		high, low := getPCM16AVX(&dst[0], &src[0], n)
		fullScale = high >= 32766 || low <= -32767
		dst, src = dst[n:], src[2*n:]
	}
	return getPCM16Plain(dst, src) || fullScale
}

func putPCM16(dst []byte, src []float32) (clipped int) {
	for len(src) >= 16 && hasVector {
		_ = dst[2*len(src)-1]
		n := putPCM16AVX(&dst[0], &src[0], len(src)&^15)
		dst, src = dst[2*n:], src[n:]
		if len(src) >= 16 {
			clipped += putPCM16Plain(dst[:32], src[:16])
			dst, src = dst[32:], src[16:]
		}
	}
	return clipped + putPCM16Plain(dst, src)
}

func add(dst, a, b []float32) {
	if n := len(dst) &^ 15; n > 0 && hasVector {
		_, _ = a[n-1], b[n-1]
		addAVX(&dst[0], &a[0], &b[0], n)
		dst, a, b = dst[n:], a[n:], b[n:]
	}
	addPlain(dst, a, b)
}

func exceeds(s []float32) bool {
	if n := len(s) &^ 31; n > 0 && hasVector {
		if exceedsAVX(&s[0], n, FullScale16) {
			return true
		}
		s = s[n:]
	}
	return exceedsPlain(s)
}

func interleave2(dst, left, right []float32) {
	if n := len(left) &^ 7; n > 0 && hasVector {
		_, _ = dst[2*n-1], right[n-1]
		interleave2AVX(&dst[0], &left[0], &right[0], n)
		dst, left, right = dst[2*n:], left[n:], right[n:]
	}
	interleave2Plain(dst, left, right)
}
