package mp3

import "encoding/binary"

// bitWriter writes bits, the most significant first.
type bitWriter struct {
	buf   []byte
	acc   uint64
	count uint // bits in acc, below 32
}

func (w *bitWriter) reset() { w.buf, w.acc, w.count = w.buf[:0], 0, 0 }

// bits is the number of bits written since reset.
func (w *bitWriter) bits() int { return 8*len(w.buf) + int(w.count) }

// put writes the low n bits of v, of which the others are 0; n is at most 32.
func (w *bitWriter) put(v uint32, n uint) {
	w.acc = w.acc<<(n&63) | uint64(v)
	w.count += n
	if w.count >= 32 {
		w.spill()
	}
}

func (w *bitWriter) spill() {
	w.count -= 32
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(w.acc>>(w.count&63)))
}

// flush pads to a whole byte with zeros.
func (w *bitWriter) flush() {
	if r := w.count & 7; r != 0 {
		w.acc <<= 8 - r
		w.count += 8 - r
	}
	for w.count > 0 {
		w.count -= 8
		w.buf = append(w.buf, byte(w.acc>>w.count))
	}
}

// bitReader reads bits, the most significant first. Past the end it reads zeros
// and sets short.
type bitReader struct {
	buf   []byte
	pos   int // in bits
	short bool
}

func (r *bitReader) get(n int) int {
	if at := uint(r.pos) >> 3; at+8 <= uint(len(r.buf)) { // n is at most 32
		v := binary.BigEndian.Uint64(r.buf[at:]) << (r.pos & 7) >> (64 - uint(n)&63)
		r.pos += n
		return int(v)
	}
	v := 0
	for range n {
		if r.pos>>3 >= len(r.buf) {
			r.short = true
			return 0
		}
		v = v<<1 | int(r.buf[r.pos>>3]>>(7-r.pos&7)&1)
		r.pos++
	}
	return v
}
