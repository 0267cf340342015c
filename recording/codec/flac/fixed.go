package flac

// maxFixed is the highest order of a fixed predictor (RFC 9639 § 9.2.5).
const maxFixed = 4

// Of longer blocks, the fixed predictors are judged by the first sampled of
// each stride samples.
const (
	sampled = 64
	stride  = 256
)

// fixedSums adds up the magnitudes of what the fixed predictors of order 0 to 4
// leave of a block, and counts how many it added.
func fixedSums(x []int32) (sums [maxFixed + 1]uint64, count int) {
	if len(x) < 2*stride {
		return sums, addFixedSums(&sums, x)
	}
	for ; len(x) >= sampled; x = x[min(stride, len(x)):] {
		count += addFixedSums(&sums, x[:sampled])
	}
	return sums, count
}

// addFixedSums adds those of a part of a block, from its fifth sample on.
func addFixedSums(sums *[maxFixed + 1]uint64, x []int32) (count int) {
	if len(x) <= maxFixed {
		return 0
	}
	// The residual of order n is the n-th difference: those of the sample before.
	p0 := x[3]
	p1 := p0 - x[2]
	p2 := p1 - (x[2] - x[1])
	p3 := p2 - (x[2] - x[1] - (x[1] - x[0]))
	var s0, s1, s2, s3, s4 uint64
	for _, e0 := range x[4:] {
		e1 := e0 - p0
		e2 := e1 - p1
		e3 := e2 - p2
		e4 := e3 - p3
		p0, p1, p2, p3 = e0, e1, e2, e3
		s0 += uint64(magnitude(e0))
		s1 += uint64(magnitude(e1))
		s2 += uint64(magnitude(e2))
		s3 += uint64(magnitude(e3))
		s4 += uint64(magnitude(e4))
	}
	sums[0] += s0
	sums[1] += s1
	sums[2] += s2
	sums[3] += s3
	sums[4] += s4
	return len(x) - maxFixed
}

func magnitude(v int32) uint32 { return uint32((v ^ v>>31) - v>>31) }

// fixedResidual folds the residual of a fixed predictor into dst, which has
// order values less than x. Differences of up to 25 bits stay within 32.
func fixedResidual(dst []uint32, x []int32, order int) {
	dst = dst[:len(x)-order]
	switch order {
	case 0:
		for i, v := range x {
			dst[i] = fold(v)
		}
	case 1:
		p0 := x[0]
		for i, v := range x[1:] {
			dst[i] = fold(v - p0)
			p0 = v
		}
	case 2:
		p0, p1 := x[1], x[0]
		for i, v := range x[2:] {
			dst[i] = fold(v - 2*p0 + p1)
			p0, p1 = v, p0
		}
	case 3:
		p0, p1, p2 := x[2], x[1], x[0]
		for i, v := range x[3:] {
			dst[i] = fold(v - 3*p0 + 3*p1 - p2)
			p0, p1, p2 = v, p0, p1
		}
	default:
		p0, p1, p2, p3 := x[3], x[2], x[1], x[0]
		for i, v := range x[4:] {
			dst[i] = fold(v - 4*p0 + 6*p1 - 4*p2 + p3)
			p0, p1, p2, p3 = v, p0, p1, p2
		}
	}
}
