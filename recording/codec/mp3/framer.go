package mp3

import "io"

// framer lays main data out over the slots of the frames: the bit reservoir of
// 11172-3, 2.4.3.1 and annex C.1.5.4.1. A frame's main data begins in what
// earlier frames left of their slots, so frames wait here until they are full.
//
//	header side │ main data of 1 ..│ header side │.. 1 │ 2 ........│ header side │.. 2 │ left │
//	                                                               ▲ main_data_begin of 3 is "left"
type framer struct {
	w       io.Writer
	buf     []byte // bytes not yet written out
	fill    int    // where the next byte of main data goes
	slots   [512]slot
	first   int // the slot that fill is in, in the ring
	count   int // slots that aren't full
	unused  int // bytes not filled in them
	written int64
}

type slot struct{ start, end int } // in buf

const flushBytes = 8192

// addFrame appends a frame: its head, which is header and side information, and
// an empty slot.
func (f *framer) addFrame(head []byte, slotBytes int) {
	f.buf = append(f.buf, head...)
	start := len(f.buf)
	f.buf = appendZeros(f.buf, slotBytes)
	if slotBytes > 0 {
		if f.count == 0 {
			f.fill = start
		}
		f.slots[(f.first+f.count)%len(f.slots)] = slot{start, start + slotBytes}
		f.count++
		f.unused += slotBytes
	} else if f.count == 0 {
		f.fill = len(f.buf)
	}
}

// addMainData fills slots with data, which must fit.
func (f *framer) addMainData(data []byte) {
	for len(data) > 0 && f.count > 0 {
		n := copy(f.buf[f.fill:f.slots[f.first].end], data)
		data = data[n:]
		f.advance(n)
	}
}

// stuff leaves zeros in slots until at most limit bytes are unused.
func (f *framer) stuff(limit int) {
	for f.unused > limit && f.count > 0 {
		f.advance(min(f.unused-limit, f.slots[f.first].end-f.fill))
	}
}

func (f *framer) advance(n int) {
	f.fill += n
	f.unused -= n
	if f.fill < f.slots[f.first].end {
		return
	}
	f.first = (f.first + 1) % len(f.slots)
	f.count--
	if f.count > 0 {
		f.fill = f.slots[f.first].start
	} else {
		f.fill = len(f.buf)
	}
}

// flush writes the frames that are complete, if they are worth a call or if all
// is set.
func (f *framer) flush(all bool) error {
	if f.fill < flushBytes && !all {
		return nil
	}
	n, err := f.w.Write(f.buf[:f.fill])
	f.written += int64(n)
	if err == nil && n < f.fill {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	f.buf = f.buf[:copy(f.buf, f.buf[f.fill:])]
	for i := range f.count {
		s := &f.slots[(f.first+i)%len(f.slots)]
		s.start -= n
		s.end -= n
	}
	f.fill = 0
	return nil
}

func appendZeros(b []byte, n int) []byte {
	var zeros [256]byte
	for n > 0 {
		k := min(n, len(zeros))
		b = append(b, zeros[:k]...)
		n -= k
	}
	return b
}
