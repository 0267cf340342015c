package mp3

import "math/bits"

// encodeLong chooses scalefac_compress for the scale factors of a long granule,
// as short as they allow (11172-3, 2.4.2.7; 13818-3, 2.4.3.2).
func (sh *shaper) encodeLong(s *spectrum) {
	if sh.lsf == 1 {
		var l [4]int
		b := 0
		s.part2 = 0
		for i, n := range lsfCounts[0][0] {
			l[i] = longest(s.scalefac[b : b+n])
			s.part2 += n * l[i]
			b += n
		}
		s.scalefacCompress = (l[0]*5+l[1])<<4 | l[2]<<2 | l[3]
		return
	}
	lo, hi := longest(s.scalefac[:11]), longest(s.scalefac[11:21])
	s.part2 = 1 << 30
	for c, l := range scalefacLengths {
		if n := 11*int(l[0]) + 10*int(l[1]); int(l[0]) >= lo && int(l[1]) >= hi && n < s.part2 {
			s.part2, s.scalefacCompress = n, c
		}
	}
}

// longest is the length in bits of the greatest of v.
func longest(v []uint8) int {
	var all uint8
	for _, x := range v {
		all |= x
	}
	return bits.Len8(all)
}

// writeScalefacs writes part 2 of a granule. Those of short blocks are all 0.
func writeScalefacs(w *bitWriter, s *spectrum, lsf int) {
	if s.part2 == 0 {
		return
	}
	if lsf == 0 {
		l := scalefacLengths[s.scalefacCompress&15]
		for _, v := range s.scalefac[:11] {
			w.put(uint32(v), uint(l[0]))
		}
		for _, v := range s.scalefac[11:21] {
			w.put(uint32(v), uint(l[1]))
		}
		return
	}
	slen, counts := lsfScalefacs(s.scalefacCompress, s.blockType, false)
	b := 0
	for i, n := range slen {
		for _, v := range s.scalefac[b : b+counts[i]] {
			w.put(uint32(v), uint(n))
		}
		b += counts[i]
	}
}
