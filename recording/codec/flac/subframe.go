package flac

import "math/bits"

// history is how many samples lie before a block in its buffer. They are only
// ever multiplied by zero.
const history = 16

// kind is how a channel of a block is coded (RFC 9639 § 9.2.1).
type kind uint8

const (
	constant kind = iota
	verbatim
	fixed
	linear
)

// candidate is one way to code a channel of a block.
type candidate struct {
	kind      kind
	order     int
	bits      int // of the whole subframe, exactly
	precision uint
	shift     uint
	coefs     [maxOrder]int32
	rice      riceCode
	folded    []uint32 // the residual, with room for a block
}

// analyzer finds the best candidate for a channel. It is scratch memory only:
// nothing is kept from one block to the next.
type analyzer struct {
	data     windowed
	window   []float64 // of the length last asked for
	coefs    [maxOrder][maxOrder]float64
	power    [maxOrder]float64
	search   riceSearch
	best     *candidate
	other    *candidate
	wasted   uint
	depth    uint    // bits per sample, less the wasted ones
	windowed float64 // power of the window
}

func newAnalyzer(blockSize int) *analyzer {
	a := &analyzer{
		data:   make(windowed, maxOrder+blockSize),
		window: make([]float64, 0, blockSize),
		best:   &candidate{folded: make([]uint32, blockSize)},
		other:  &candidate{folded: make([]uint32, blockSize)},
	}
	return a
}

// setWindow makes the window that blocks of n samples are seen through.
func (a *analyzer) setWindow(n int) {
	if len(a.window) == n {
		return
	}
	a.window = a.window[:n]
	tukey(a.window)
	a.windowed = 0
	for _, w := range a.window {
		a.windowed += float64(w * w)
	}
}

// analyze chooses how to code the n samples that follow history in x, of depth
// bits each. It shifts x right by the bits that are zero in all of them.
func (a *analyzer) analyze(x []int32, depth uint) {
	block := x[history:]
	n := len(block)
	first, set, differ := block[0], int32(0), int32(0)
	for _, v := range block {
		set |= v
		differ |= v ^ first
	}
	a.wasted, a.depth = 0, depth
	a.best.order = 0
	if differ == 0 {
		a.best.kind, a.best.bits = constant, 8+int(depth)
		return
	}
	if z := uint(bits.TrailingZeros32(uint32(set))); z > 0 {
		a.wasted, a.depth = z, depth-z
		for i := range block {
			block[i] >>= z
		}
	}
	a.best.kind, a.best.bits = verbatim, 8+int(a.wasted)+n*int(a.depth)
	order, fixedBits := bestFixed(block)
	m, linearBits := 0, 0.0
	if n >= minLPC {
		m, linearBits = a.bestLinear(block)
	}
	if m > 0 && linearBits < fixedBits {
		a.tryLinear(x, m)
		if float64(a.best.bits) <= fixedBits {
			return
		}
	}
	a.tryFixed(block, order)
}

// bestFixed is the order of the fixed predictor that leaves least, and how many
// bits a subframe with it is expected to take.
func bestFixed(block []int32) (order int, expected float64) {
	n := len(block)
	if n <= maxFixed {
		return 0, 0
	}
	sums, count := fixedSums(block)
	for i, s := range sums {
		if s < sums[order] {
			order = i
		}
	}
	// A Rice code of the best parameter takes about 1.6 bits more than the
	// logarithm of the mean magnitude.
	mean := float64(sums[order]) / float64(count)
	return order, float64(n) * max(log2(mean+1.0/64)+1.6, 0.5)
}

// bestLinear is the order of linear prediction for a block, 0 if there is none,
// and how many bits a subframe with it is expected to take.
func (a *analyzer) bestLinear(block []int32) (order int, expected float64) {
	n := len(block)
	a.setWindow(n)
	a.data.apply(block, a.window)
	r := a.data.autocorrelation(n)
	orders := levinson(&r, &a.coefs, &a.power)
	precision := float64(coefPrecision(n, a.depth))
	for m := range orders {
		// The mean magnitude is the deviation over √2, if it is distributed like
		// Laplace's; speech in a long block is more peaked still.
		variance := a.power[m]/a.windowed + 1.0/4096
		each := max(float64(0.5*log2(variance))-0.5+1.6, 0.5)
		cost := float64(float64(n-m-1)*each) + float64(float64(m+1)*(precision+float64(a.depth)))
		if order == 0 || cost < expected {
			order, expected = m+1, cost
		}
	}
	return order, expected
}

// coefPrecision is how many bits a coefficient gets: more where there are more
// samples to gain on.
func coefPrecision(n int, depth uint) uint {
	p := max(uint(bits.Len(uint(n-1))), 7)
	if depth > 17 {
		p += 2
	}
	return min(p, 14)
}

func (a *analyzer) tryLinear(x []int32, order int) {
	c, n := a.other, len(x)-history
	c.kind, c.order, c.precision = linear, order, coefPrecision(n, a.depth)
	var ok bool
	if c.shift, ok = quantize(&c.coefs, a.coefs[order-1][:order], c.precision); !ok {
		return
	}
	residual := c.folded[:n-order]
	if !predict(residual, x, &c.coefs, order, c.shift) {
		return
	}
	a.search.find(&c.rice, residual, n, order)
	c.bits = 8 + int(a.wasted) + order*int(a.depth) + 4 + 5 + order*int(c.precision) + c.rice.bits
	a.keep()
}

func (a *analyzer) tryFixed(block []int32, order int) {
	c, n := a.other, len(block)
	c.kind, c.order = fixed, order
	fixedResidual(c.folded, block, order)
	a.search.find(&c.rice, c.folded[:n-order], n, order)
	c.bits = 8 + int(a.wasted) + order*int(a.depth) + c.rice.bits
	a.keep()
}

// keep makes the other candidate the best one if it is.
func (a *analyzer) keep() {
	if a.other.bits < a.best.bits {
		a.best, a.other = a.other, a.best
	}
}

// write writes the subframe of the block that was analyzed (RFC 9639 § 9.2).
func (a *analyzer) write(w *bitWriter, block []int32) {
	c := a.best
	header := uint64(0)
	switch c.kind {
	case constant:
	case verbatim:
		header = 1
	case fixed:
		header = 8 + uint64(c.order)
	case linear:
		header = 32 + uint64(c.order-1)
	}
	if a.wasted > 0 {
		w.put(header<<1|1, 8)
		w.put(1, a.wasted) // unary: wasted-1 zeros and a one
	} else {
		w.put(header<<1, 8)
	}
	plain := block[:c.order]
	switch c.kind {
	case constant:
		plain = block[:1]
	case verbatim:
		plain = block
	case fixed, linear:
	}
	for _, v := range plain {
		w.put(uint64(v), a.depth)
	}
	if c.kind == linear {
		w.put(uint64(c.precision-1), 4)
		w.put(uint64(c.shift), 5)
		for _, v := range c.coefs[:c.order] {
			w.put(uint64(v), c.precision)
		}
	}
	if c.kind == fixed || c.kind == linear {
		c.rice.write(w, c.folded[:len(block)-c.order], len(block), c.order)
	}
}
