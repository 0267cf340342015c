package mp3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// check checks a granule's side information. second is true for the second
// granule of a frame, for which scfsi says which scale factors aren't sent.
func (g *granuleInfo) check(h *header, second bool, scfsi *[4]bool) error {
	if err := g.valid(); err != nil {
		return err
	}
	if h.mode == modeJoint && h.modeExt&1 != 0 {
		return nil // intensity stereo has other scale factor lengths
	}
	if bits := g.scalefacBits(h.lsf(), second, scfsi); bits > g.part23Bits {
		return fmt.Errorf("%d bits of scale factors in %d bits of data", bits, g.part23Bits)
	}
	return nil
}

// valid checks what can be checked without the length of the scale factors.
func (g *granuleInfo) valid() error {
	switch {
	case 2*g.bigValues > granuleLines:
		return fmt.Errorf("big_values is %d, the most is %d", g.bigValues, granuleLines/2)
	case g.windowSwitching && g.blockType == blockLong:
		return errors.New("window switching with the reserved block type 0")
	}
	for _, t := range g.tableSelect {
		if t == 4 || t == 14 {
			return fmt.Errorf("there is no Huffman table %d", t)
		}
	}
	return nil
}

// scalefacBits is the length of the scale factors, "part 2" of the main data
// (11172-3, 2.4.2.7; 13818-3, 2.4.3.2).
func (g *granuleInfo) scalefacBits(lsf int, second bool, scfsi *[4]bool) int {
	if lsf == 1 {
		slen, counts := lsfScalefacs(g.scalefacCompress, g.blockType, g.mixed)
		bits := 0
		for i := range slen {
			bits += slen[i] * counts[i]
		}
		return bits
	}
	l := scalefacLengths[g.scalefacCompress&15]
	lo, hi := int(l[0]), int(l[1])
	if g.blockType == blockShort {
		if g.mixed {
			return 17*lo + 18*hi
		}
		return 18*lo + 18*hi
	}
	bits := 0
	for i, n := range [4]int{6 * lo, 5 * lo, 5 * hi, 5 * hi} {
		if !second || !scfsi[i] {
			bits += n
		}
	}
	return bits
}

// lsfCounts are the numbers of scale factors that have the lengths slen1 to
// slen4, by the three ranges of scalefac_compress and by long, short and mixed
// blocks (13818-3, table of 2.4.3.2).
var lsfCounts = [3][3][4]int{
	{{6, 5, 5, 5}, {9, 9, 9, 9}, {6, 9, 9, 9}},
	{{6, 5, 7, 3}, {9, 9, 12, 6}, {6, 9, 12, 6}},
	{{11, 10, 0, 0}, {18, 18, 0, 0}, {15, 18, 0, 0}},
}

// lsfScalefacs decodes scalefac_compress of MPEG-2 without intensity stereo.
func lsfScalefacs(compress, blockType int, mixed bool) (slen [4]int, counts *[4]int) {
	kind := 0
	if blockType == blockShort {
		kind = 1
		if mixed {
			kind = 2
		}
	}
	switch {
	case compress < 400:
		return [4]int{compress >> 4 / 5, compress >> 4 % 5, compress >> 2 & 3, compress & 3}, &lsfCounts[0][kind]
	case compress < 500:
		c := compress - 400
		return [4]int{c >> 2 / 5, c >> 2 % 5, c & 3, 0}, &lsfCounts[1][kind]
	}
	c := compress - 500
	return [4]int{c / 3, c % 3, 0, 0}, &lsfCounts[2][kind]
}

// readInfo reads an Info or Xing frame. It returns false if frame isn't one.
func (w *walker) readInfo(h *header, frame []byte) bool {
	b := frame[min(len(frame), 4+h.sideInfoBytes()):]
	if len(b) < 8 {
		return false
	}
	name := string(b[:4])
	if name != "Info" && name != "Xing" {
		return false
	}
	w.info.InfoFrame = name
	flags := binary.BigEndian.Uint32(b[4:])
	b = b[8:]
	take := func(flag uint32, n int) []byte {
		if flags&flag == 0 || len(b) < n {
			return nil
		}
		v := b[:n]
		b = b[n:]
		return v
	}
	if v := take(infoFrames, 4); v != nil {
		w.announcedFrames = int64(binary.BigEndian.Uint32(v))
	}
	if v := take(infoBytes, 4); v != nil {
		w.announcedBytes = int64(binary.BigEndian.Uint32(v))
	}
	take(infoTOC, tocBytes)
	take(infoQuality, 4)
	if len(b) < lameBytes || b[0] == 0 {
		return true
	}
	w.info.Encoder = strings.TrimRight(strings.ToValidUTF8(string(b[:9]), "?"), "\x00 ")
	w.info.DelayFrames = int(b[21])<<4 | int(b[22])>>4
	w.info.PaddingFrames = int(b[22]&15)<<8 | int(b[23])
	w.info.Gapless = w.announcedFrames >= 0
	return true
}
