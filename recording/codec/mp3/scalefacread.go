package mp3

import "errors"

var errLongScalefacs = errors.New("the scale factors are longer than their part2_3_length")

// maxScalefacs is how many scale factors a granule has at most: those of 13
// bands of 3 windows, the last of which aren't sent and 0.
const maxScalefacs = 3 * shortBands

// scalefacs are those of one channel, in the order of the stream: long bands
// from 0, then short bands from 0, or 3 if mixed, with their three windows.
type scalefacs struct {
	value [maxScalefacs]uint8
	// illegal is, of the right channel with intensity stereo in MPEG-2, the value
	// that is no position; 0 stands for none.
	illegal [maxScalefacs]uint8
}

// pretab is added to the scale factors of long blocks with preflag (11172-3,
// table B.6).
var pretab = [longBands]uint8{11: 1, 1, 1, 1, 2, 2, 3, 3, 3, 2}

// mixedLongBands are the bands of the long blocks of a mixed granule: their
// short ones begin with band mixedShortBand.
func mixedLongBands(lsf int) int { return 8 - 2*lsf }

const mixedShortBand = 3

// read reads the scale factors of a granule (11172-3, 2.4.2.7; 13818-3,
// 2.4.3.2). intensity is whether the channel is the right one of a frame with
// intensity stereo. It sets g.preflag in MPEG-2.
func (s *scalefacs) read(r *bitReader, g *granuleInfo, lsf int, second, intensity bool, scfsi *[4]bool) error {
	if lsf == 0 {
		s.readMPEG1(r, g, second, scfsi)
		if r.short {
			return errLongScalefacs
		}
		return nil
	}
	slen, counts := lsfScalefacs(g.scalefacCompress, g.blockType, g.mixed)
	g.preflag = 0
	if intensity {
		slen, counts = lsfIntensityScalefacs(g.scalefacCompress, g.blockType, g.mixed)
	} else if g.scalefacCompress >= 500 {
		g.preflag = 1
	}
	*s = scalefacs{}
	b := 0
	for i, n := range slen {
		for range counts[i] {
			s.value[b] = uint8(r.get(n))
			if intensity {
				s.illegal[b] = uint8(1<<n - 1)
			}
			b++
		}
	}
	if r.short {
		return errLongScalefacs
	}
	return nil
}

func (s *scalefacs) readMPEG1(r *bitReader, g *granuleInfo, second bool, scfsi *[4]bool) {
	l := scalefacLengths[g.scalefacCompress&15]
	lo, hi := int(l[0]), int(l[1])
	if g.blockType == blockShort {
		*s = scalefacs{}
		n := 18
		if g.mixed {
			n = 17
		}
		for b := range n {
			s.value[b] = uint8(r.get(lo))
		}
		for b := range 18 {
			s.value[n+b] = uint8(r.get(hi))
		}
		return
	}
	for i, group := range [4][3]int{{0, 6, lo}, {6, 11, lo}, {11, 16, hi}, {16, 21, hi}} {
		if second && scfsi[i] {
			continue // those of the first granule
		}
		for b := group[0]; b < group[1]; b++ {
			s.value[b] = uint8(r.get(group[2]))
		}
	}
	clear(s.value[longBands-1:])
}

// lsfIntensityCounts are lsfCounts for the right channel with intensity stereo.
var lsfIntensityCounts = [3][3][4]int{
	{{7, 7, 7, 0}, {12, 12, 12, 0}, {6, 15, 12, 0}},
	{{6, 6, 6, 3}, {12, 9, 9, 6}, {6, 12, 9, 6}},
	{{8, 8, 5, 0}, {15, 12, 9, 0}, {6, 18, 9, 0}},
}

// lsfIntensityScalefacs is lsfScalefacs for the right channel with intensity
// stereo. The lowest bit of compress is intensity_scale.
func lsfIntensityScalefacs(compress, blockType int, mixed bool) (slen [4]int, counts *[4]int) {
	kind := 0
	if blockType == blockShort {
		kind = 1
		if mixed {
			kind = 2
		}
	}
	switch c := compress >> 1; {
	case c < 180:
		return [4]int{c / 36, c % 36 / 6, c % 6, 0}, &lsfIntensityCounts[0][kind]
	case c < 244:
		c -= 180
		return [4]int{c >> 4 & 3, c >> 2 & 3, c & 3, 0}, &lsfIntensityCounts[1][kind]
	default:
		c -= 244
		return [4]int{c / 3, c % 3, 0, 0}, &lsfIntensityCounts[2][kind]
	}
}
