package flac

import "encoding/binary"

// slack is how many bytes beyond its last one a bitWriter may touch.
const slack = 8

// bitWriter writes numbers of any width, most significant bit first, into a
// buffer that must be long enough: its user knows the length beforehand.
type bitWriter struct {
	buf []byte
	pos int    // whole bytes written
	acc uint64 // its low n bits are written but no whole byte yet
	n   uint   // 0 to 7 between calls
}

func (w *bitWriter) reset(buf []byte) { *w = bitWriter{buf: buf} }

// put writes the low width bits of v, at most 56.
func (w *bitWriter) put(v uint64, width uint) {
	w.acc = w.acc<<(width&63) | v&(1<<(width&63)-1)
	w.n += width
	binary.BigEndian.PutUint64(w.buf[w.pos:], w.acc<<((64-w.n)&63))
	w.pos += int(w.n >> 3)
	w.n &= 7
}

// align fills the last byte with zeros.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// unary writes q zeros and a one.
func (w *bitWriter) unary(q uint32) {
	for ; q >= 32; q -= 32 {
		w.put(0, 32)
	}
	w.put(1, uint(q)+1)
}

// rice writes folded residuals with the Rice parameter k (RFC 9639 § 9.2.7.2).
func (w *bitWriter) rice(folded []uint32, k uint) {
	buf, pos, acc, n := w.buf, w.pos, w.acc, w.n
	k &= 31
	one := uint32(1) << k
	for _, u := range folded {
		width := uint(u>>k) + 1 + k
		if width > 56 {
			w.pos, w.acc, w.n = pos, acc, n
			w.unary(u >> k)
			w.put(uint64(u&(one-1)), k)
			pos, acc, n = w.pos, w.acc, w.n
			continue
		}
		acc = acc<<(width&63) | uint64(one|u&(one-1))
		n += width
		binary.BigEndian.PutUint64(buf[pos:], acc<<((64-n)&63))
		pos += int(n >> 3)
		n &= 7
	}
	w.pos, w.acc, w.n = pos, acc, n
}

// raw writes folded residuals as signed numbers of the given width (RFC 9639
// § 9.2.7.1): the escape from Rice codes.
func (w *bitWriter) raw(folded []uint32, width uint) {
	for _, u := range folded {
		w.put(uint64(unfold(u)), width)
	}
}

// fold makes a signed number unsigned so that small magnitudes stay small:
// 0, -1, 1, -2 … become 0, 1, 2, 3 … (RFC 9639 § 9.2.7.2).
func fold(v int32) uint32 { return uint32(v<<1) ^ uint32(v>>31) }

func unfold(u uint32) int32 { return int32(u>>1) ^ -int32(u&1) }
