package mp3

// take makes b the current frame: it finds its main data, which may begin in the
// frames before.
func (f *feed) take(h *header, b []byte) {
	at := 4 + h.crcBytes()
	slot := b[at+h.sideInfoBytes():]
	f.header, f.side = *h, b[at:at+h.sideInfoBytes()]
	begin, bits := mainData(h, f.side)

	keep := min(f.filled, maxReservoir)
	copy(f.data[:keep], f.data[f.filled-keep:f.filled])
	f.filled = keep + copy(f.data[keep:maxReservoir+maxFreeBytes], slot)
	f.seen = min(f.seen+len(slot), maxReservoir)

	f.whole = begin <= keep && f.crcHolds(h, b)
	if f.freeKnown && begin > f.free {
		// It would begin within the main data of the frame before. Where bytes were
		// left out, a frame was among them, and its part of the reservoir is missing.
		f.whole = false
		if f.dropped != f.gap {
			copy(f.data[:], f.data[keep:f.filled])
			keep, f.filled = 0, f.filled-keep
		}
	}
	f.gap = f.dropped
	f.main = f.data[max(0, keep-begin) : f.filled+spareBytes]
	f.free = begin + len(slot) - (bits+7)/8
	f.freeKnown = f.whole && f.free >= 0
}

// crcHolds checks the frame's CRC, if there is one, and if the stream had a
// right one before: there are encoders that write wrong ones.
func (f *feed) crcHolds(h *header, b []byte) bool {
	if !h.protected {
		return true
	}
	sound := crc16(crc16(0xffff, b[2:4]), f.side) == uint16(b[4])<<8|uint16(b[5])
	f.crcSound = f.crcSound || sound
	return sound || !f.crcSound
}

// mainData reads from the side information where the main data begins, in
// bytes before the frame's own, and how many bits it has (11172-3, 2.4.1.7 and
// 13818-3, 2.4.1.7).
func mainData(h *header, side []byte) (begin, bits int) {
	r := bitReader{buf: side}
	rest := 59 - 12 // bits of a granule behind part2_3_length
	if h.lsf() == 1 {
		rest = 63 - 12
		begin = r.get(8)
		r.pos += h.channels()
	} else {
		begin = r.get(9)
		r.pos += 7 - 2*h.channels() + 4*h.channels() // private bits, scfsi
	}
	for range h.granules() * h.channels() {
		bits += r.get(12)
		r.pos += rest
	}
	return begin, bits
}
