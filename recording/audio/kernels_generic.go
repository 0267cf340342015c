//go:build !amd64 || purego

package audio

func dot4(out *[4]float32, x, c []float32, q *quad, n int) { dot4Plain(out, x, c, q, n) }

func dotRow(dst []float32, dstStep int, x []float32, xStep int, c []float32, count int) {
	dotRowPlain(dst, dstStep, x, xStep, c, count)
}

func getPCM16(dst []float32, src []byte) (fullScale bool) { return getPCM16Plain(dst, src) }

func putPCM16(dst []byte, src []float32) (clipped int) { return putPCM16Plain(dst, src) }

func add(dst, a, b []float32) { addPlain(dst, a, b) }

func exceeds(s []float32) bool { return exceedsPlain(s) }

func interleave2(dst, left, right []float32) { interleave2Plain(dst, left, right) }
