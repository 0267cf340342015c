package flac

import "math/bits"

const (
	// maxPartitionOrder is the most that the streamable subset allows (RFC 9639 § 7).
	maxPartitionOrder = 8
	// escape is added to the width of an escaped partition's numbers in
	// riceCode.params.
	escape = 0x80
	// maxRice is the largest parameter that fits in 4 bits, maxRice2 in 5; the
	// next value of each is the escape code.
	maxRice  = 14
	maxRice2 = 30
)

// riceCode says how residuals are coded: in 2^order partitions, each with a
// Rice parameter, or escape + a width.
type riceCode struct {
	order  uint
	wide   bool // parameters of 5 bits
	bits   int  // of the whole coded residual, exactly
	params [1 << maxPartitionOrder]uint8
}

// riceSearch is the scratch memory of the search for a riceCode.
type riceSearch struct {
	sums   [1 << maxPartitionOrder]uint64 // of folded residuals, by partition
	seen   [1 << maxPartitionOrder]uint32 // the bits set in any of them
	params [2 << maxPartitionOrder]uint8  // of each order, from 1<<order on
}

// find chooses the code for the folded residuals of a block of n frames, of
// which the first warmUp have no residual.
func (s *riceSearch) find(c *riceCode, folded []uint32, n, warmUp int) {
	top := uint(0)
	for top < maxPartitionOrder && n&(1<<(top+1)-1) == 0 && n>>(top+1) > max(warmUp, minPartition-1) {
		top++
	}
	s.measure(folded, n>>top, warmUp, 1<<top)
	best := -1
	for order := top; ; order-- {
		count, cost := n>>order, 0
		params := s.params[1<<order : 2<<order]
		first := count - warmUp
		for i := range params {
			var bits int
			params[i], bits = chooseParam(s.sums[i], s.seen[i], first)
			cost += bits
			first = count
		}
		if best < 0 || cost < best {
			best, c.order = cost, order
		}
		if order == 0 {
			break
		}
		for i := range 1 << (order - 1) {
			s.sums[i] = s.sums[2*i] + s.sums[2*i+1]
			s.seen[i] = s.seen[2*i] | s.seen[2*i+1]
		}
	}
	copy(c.params[:1<<c.order], s.params[1<<c.order:2<<c.order])
	c.refine(folded, n, warmUp)
}

// minPartition is how many frames a partition has at least.
const minPartition = 64

// measure fills sums and seen for partitions of count frames.
func (s *riceSearch) measure(folded []uint32, count, warmUp, partitions int) {
	first := count - warmUp
	for i := range partitions {
		var sum uint64
		var seen uint32
		for _, u := range folded[:first] {
			sum += uint64(u)
			seen |= u
		}
		s.sums[i], s.seen[i] = sum, seen
		folded = folded[first:]
		first = count
	}
}

// chooseParam is the parameter for count residuals of the given sum, and about
// how many bits they take with it.
func chooseParam(sum uint64, seen uint32, count int) (param uint8, cost int) {
	if seen == 0 {
		if count > 5 {
			return escape, 4 + 5
		}
		return 0, 4 + count
	}
	// The mean residual lies between 2^k and 2^(k+2).
	k := max(bits.Len64(sum)-bits.Len64(uint64(count))-1, 0)
	best := -1
	for ; k <= maxRice2; k++ {
		// Of the bits below the k-th, which a quotient leaves out, half are set.
		high := int64(sum) - int64(count)*(1<<k-1)/2
		c := count*(k+1) + int(max(high, 0)>>k)
		if best >= 0 && c >= best {
			break
		}
		best, param = c, uint8(k)
	}
	if width := bits.Len32(seen); width < 32 && width*count+5 < best {
		return escape | uint8(width), 4 + 5 + width*count
	}
	return param, 4 + best
}

// refine moves each parameter to its exact optimum, if that is next to it, and
// counts the bits.
func (c *riceCode) refine(folded []uint32, n, warmUp int) {
	c.wide = false
	total := 2 + 4
	count := n >> c.order
	first := count - warmUp
	for i := range 1 << c.order {
		part := folded[:first]
		folded = folded[first:]
		first = count
		if p := c.params[i]; p >= escape {
			total += 4 + 5 + int(p&^escape)*len(part)
			continue
		}
		k := uint(c.params[i])
		cost, below, above := quotients(part, k)
		cost += len(part) * int(k+1)
		if k > 0 {
			if b := below + len(part)*int(k); b < cost {
				cost, c.params[i] = b, uint8(k-1)
			}
		}
		if k < maxRice2 {
			if a := above + len(part)*int(k+2); a < cost {
				cost, c.params[i] = a, uint8(k+1)
			}
		}
		c.wide = c.wide || c.params[i] > maxRice
		total += 4 + cost
	}
	if c.wide {
		total += 1 << c.order
	}
	c.bits = total
}

// quotients sums what is coded in unary with the parameters k, k-1 and k+1.
func quotients(part []uint32, k uint) (at, below, above int) {
	k &= 31
	if k == 0 {
		for _, u := range part {
			at += int(u)
			above += int(u >> 1)
		}
		return at, 0, above
	}
	for _, u := range part {
		q := u >> (k - 1)
		below += int(q)
		at += int(q >> 1)
		above += int(q >> 2)
	}
	return at, below, above
}

// write writes the coded residual (RFC 9639 § 9.2.7).
func (c *riceCode) write(w *bitWriter, folded []uint32, n, warmUp int) {
	width, escaped := uint(4), uint64(maxRice+1)
	if c.wide {
		width, escaped = 5, maxRice2+1
	}
	w.put(uint64(width-4), 2)
	w.put(uint64(c.order), 4)
	count := n >> c.order
	first := count - warmUp
	for _, p := range c.params[:1<<c.order] {
		part := folded[:first]
		folded = folded[first:]
		first = count
		if p >= escape {
			w.put(escaped, width)
			w.put(uint64(p&^escape), 5)
			if p > escape {
				w.raw(part, uint(p&^escape))
			}
			continue
		}
		w.put(uint64(p), width)
		w.rice(part, uint(p))
	}
}
