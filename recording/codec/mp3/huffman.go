package mp3

import "math/bits"

// A pair of quantised values costs a different number of bits in each of the 15
// distinct code tables. lanes packs those 15 costs, and in the last lane the
// number of values that need linbits, in 16 bits each, so that four additions
// count a pair in every table. A granule's 288 pairs of at most 21 bits can't
// overflow a lane.
type lanes [4]uint64

// laneTables are the tables of the first 15 lanes; 16 and 24 stand for their
// families. The last lane counts the values of 15 and more.
var laneTables = [15]int{1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 24}

// tableLinbits are the escape bits of the tables (11172-3, table B.7).
var tableLinbits = [32]uint8{16: 1, 2, 3, 4, 6, 8, 10, 13, 4, 5, 6, 7, 8, 9, 11, 13}

// pairTable is one code table: entries of code length << 16 | code at x*size + y.
type pairTable struct {
	size  int
	codes []uint32
}

// pairTables is indexed by table_select.
var pairTables = [32]pairTable{
	1: {2, huffPairs1[:]}, 2: {3, huffPairs2[:]}, 3: {3, huffPairs3[:]},
	5: {4, huffPairs5[:]}, 6: {4, huffPairs6[:]},
	7: {6, huffPairs7[:]}, 8: {6, huffPairs8[:]}, 9: {6, huffPairs9[:]},
	10: {8, huffPairs10[:]}, 11: {8, huffPairs11[:]}, 12: {8, huffPairs12[:]},
	13: {16, huffPairs13[:]}, 15: {16, huffPairs15[:]},
	16: {16, huffPairs16[:]}, 17: {16, huffPairs16[:]}, 18: {16, huffPairs16[:]}, 19: {16, huffPairs16[:]},
	20: {16, huffPairs16[:]}, 21: {16, huffPairs16[:]}, 22: {16, huffPairs16[:]}, 23: {16, huffPairs16[:]},
	24: {16, huffPairs24[:]}, 25: {16, huffPairs24[:]}, 26: {16, huffPairs24[:]}, 27: {16, huffPairs24[:]},
	28: {16, huffPairs24[:]}, 29: {16, huffPairs24[:]}, 30: {16, huffPairs24[:]}, 31: {16, huffPairs24[:]},
}

var pairCosts = makePairCosts()

// makePairCosts is indexed by x<<4 | y, with x and y cut to 15; the costs hold
// the sign bits.
func makePairCosts() *[256]lanes {
	var c [256]lanes
	for lane, table := range laneTables {
		t := pairTables[table]
		for x := range t.size {
			for y := range t.size {
				bits := t.codes[x*t.size+y]>>16 + uint32(min(x, 1)+min(y, 1))
				c[x<<4|y][lane/4] += uint64(bits) << (lane % 4 * 16)
			}
		}
	}
	for i := range c {
		c[i][3] += uint64(i>>4/15+i&15/15) << 48
	}
	return &c
}

// quadCosts are the costs of four values of at most 1, v<<3|w<<2|x<<1|y, with
// their signs: count1 table A in the low 16 bits, B above.
var quadCosts = makeQuadCosts()

func makeQuadCosts() (c [16]uint32) {
	for i := range c {
		signs := uint32(i&1 + i>>1&1 + i>>2&1 + i>>3)
		c[i] = huffQuadsA[i]>>16 + signs + (huffQuadsB[i]>>16+signs)<<16
	}
	return c
}

// laneRange is the first and last lane that may code a region, by its greatest
// value: the tables made for it and the next larger ones, which sometimes win.
var laneRange = [15][2]uint8{
	1: {0, 4}, 2: {1, 4}, 3: {3, 7}, 4: {5, 10}, 5: {5, 10}, 6: {8, 12}, 7: {8, 12},
	8: {11, 14}, 9: {11, 14}, 10: {11, 14}, 11: {11, 14}, 12: {11, 14}, 13: {11, 14}, 14: {11, 14},
}

// cheapestTable returns the table that codes a region in the fewest bits, given
// the region's costs in every table and its greatest value.
func cheapestTable(c *lanes, greatest uint16) (table, cost int) {
	if greatest == 0 {
		return 0, 0
	}
	if greatest < 15 {
		r := laneRange[greatest]
		best, lane := uint64(1<<16), uint8(0)
		for l := r[0]; l <= r[1]; l++ {
			if b := c[l>>2&3] >> (l & 3 * 16) & 0xffff; b < best {
				best, lane = b, l
			}
		}
		return laneTables[lane], int(best)
	}
	escapes := int(c[3] >> 48)
	e := escapeTables[bits.Len16(greatest-15)&15]
	a, b := int(e[0]), int(e[1])
	table, cost = a, int(c[3]>>16&0xffff)+escapes*int(tableLinbits[a])
	if n := int(c[3]>>32&0xffff) + escapes*int(tableLinbits[b]); n < cost {
		table, cost = b, n
	}
	if greatest == 15 {
		if n := int(c[2] >> 48); n < cost {
			table, cost = 13, n
		}
		if n := int(c[3] & 0xffff); n < cost {
			table, cost = 15, n
		}
	}
	return table, cost
}

// escapeTables are the smallest tables of the families of 16 and of 24 whose
// linbits hold a value of so many bits.
var escapeTables = [16][2]uint8{
	{16, 24},
	{16, 24},
	{17, 24},
	{18, 24},
	{19, 24},
	{20, 25},
	{20, 26},
	{21, 27},
	{21, 28},
	{22, 29},
	{22, 30},
	{23, 30},
	{23, 31},
	{23, 31},
}

// huffmanCounter finds the cheapest way to code a granule's quantised lines.
type huffmanCounter struct {
	sums     [longBands + 1]lanes // of the pairs below each band
	greatest [longBands + 1]uint16
}

// split finds the ends of the big value and count1 regions of q, of which lines
// from end on are 0, and counts the bits of the count1 region.
func split(q *[granuleLines]uint16, end int) (bigValues, count1End, count1Table, count1Bits int) {
	for end > 0 && q[end-1] == 0 {
		end--
	}
	end += end & 1
	big := end
	var sum uint32
	for big >= 4 {
		v, w, x, y := q[big-4], q[big-3], q[big-2], q[big-1]
		if v|w|x|y > 1 {
			break
		}
		sum += quadCosts[(v<<3|w<<2|x<<1|y)&15]
		big -= 4
	}
	count1Bits = int(sum & 0xffff)
	if b := int(sum >> 16); b < count1Bits {
		count1Bits, count1Table = b, 1
	}
	return big / 2, end, count1Table, count1Bits
}

// count sets the fields of g that say how q is coded and returns the bits of
// the Huffman code. Lines of q from end on count as 0. Only if exact is set does
// it look for the best division into regions.
func (h *huffmanCounter) count(q *[granuleLines]uint16, end int, bands *bandTable, exact bool, g *granuleInfo) int {
	var bits int
	g.bigValues, g.count1End, g.count1Table, bits = split(q, end)
	if g.blockType != blockLong {
		border := fixedBorder(bands, g.blockType)
		return bits + countRegions(q, border, granuleLines, g)
	}
	if !exact {
		return bits + countRegions(q, bands.long[quickRegion0], bands.long[quickRegion1], g)
	}
	big := 2 * g.bigValues
	n := 0
	var sum lanes
	for n < longBands && bands.long[n] < big {
		h.greatest[n] = addPairs(q[bands.long[n]:min(bands.long[n+1], big)], &sum)
		n++
		h.sums[n] = sum
	}
	return bits + h.divide(n, bands, g)
}

// quickRegion0 and quickRegion1 are the bands where regions 1 and 2 begin in a
// count that isn't exact.
const (
	quickRegion0 = 7
	quickRegion1 = 14
)

// countRegions counts three regions with given borders. Those of a granule with
// window switching are fixed and there are only two (11172-3, 2.4.2.7).
func countRegions(q *[granuleLines]uint16, border1, border2 int, g *granuleInfo) int {
	big := 2 * g.bigValues
	border1, border2 = min(border1, big), min(border2, big)
	bits := 0
	for i, region := range [3][]uint16{q[:border1], q[border1:border2], q[border2:big]} {
		var sum lanes
		greatest := addPairs(region, &sum)
		table, n := cheapestTable(&sum, greatest)
		g.tableSelect[i] = table
		bits += n
	}
	return bits
}

// addPairs adds the costs of the pairs of q to sum and returns their greatest
// value.
func addPairs(q []uint16, sum *lanes) uint16 {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	var top uint16
	for len(q) >= 2 {
		x, y := q[0], q[1]
		q = q[2:]
		top = max(top, x, y)
		c := &pairCosts[(min(x, 15)<<4|min(y, 15))&255]
		s0 += c[0]
		s1 += c[1]
		s2 += c[2]
		s3 += c[3]
	}
	*sum = lanes{s0, s1, s2, s3}
	return top
}

// fixedBorder is the line where region 1 of a granule with window switching
// begins.
func fixedBorder(bands *bandTable, blockType int) int {
	if blockType == blockShort {
		return 3 * bands.short[3]
	}
	return bands.long[8]
}

// divide chooses the borders of the three regions among the first n bands, and
// their tables, for the fewest bits: all 128 divisions are weighed, with the
// regions' costs as differences of h.sums.
func (h *huffmanCounter) divide(n int, bands *bandTable, g *granuleInfo) int {
	if n == 0 {
		g.tableSelect = [3]int{}
		g.region0Count, g.region1Count = 0, 0
		return 0
	}
	avoid := 0
	if bands.long[18] == 332 {
		avoid = 18 // at 24 kHz; ffmpeg and older decoders have 330
	}
	var tailBits, tailTable [longBands + 1]int
	var top uint16
	for b := n - 1; b >= 2; b-- {
		top = max(top, h.greatest[b])
		tailTable[b], tailBits[b] = h.region(b, n, top)
	}
	best := 1 << 30
	var top0 uint16
	for a := 1; a <= min(16, n); a++ {
		top0 = max(top0, h.greatest[a-1])
		t0, bits0 := h.region(0, a, top0)
		if bits0 >= best {
			break
		}
		var top1 uint16
		for b := a + 1; b <= a+8; b++ {
			end := min(b, n)
			if end == b {
				top1 = max(top1, h.greatest[b-1])
			}
			t1, bits1 := h.region(a, end, top1)
			if bits0+bits1 >= best {
				break
			}
			if b == avoid && b < n {
				continue
			}
			bits, t2 := bits0+bits1, 0
			if b < n {
				bits += tailBits[b]
				t2 = tailTable[b]
			}
			if bits < best {
				best = bits
				g.tableSelect = [3]int{t0, t1, t2}
				g.region0Count, g.region1Count = a-1, b-a-1
			}
			if b >= n {
				break
			}
		}
	}
	return best
}

// region is the cheapest table for the bands from a to b.
func (h *huffmanCounter) region(a, b int, greatest uint16) (table, bits int) {
	lo, hi := &h.sums[a], &h.sums[b]
	d := lanes{hi[0] - lo[0], hi[1] - lo[1], hi[2] - lo[2], hi[3] - lo[3]}
	return cheapestTable(&d, greatest)
}
