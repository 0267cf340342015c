package mp3

// maxFreeBytes is a frame of free format of 640 kbit/s at 8 kHz, padded: the
// most that encoders make.
const maxFreeBytes = 5761

// freeBytes is the length without padding of the frames of free format that b
// begins with, found by the two headers that follow (11172-3, 2.4.2.3), or the
// one if b ends before the second. It is 0 if there are none.
func freeBytes(h *header, b []byte) int {
	least := 4 + h.crcBytes() + h.sideInfoBytes()
	for at := least; at <= maxFreeBytes && at+4 <= len(b); at++ {
		second, ok := h.followedBy(b[at:])
		if !ok {
			continue
		}
		n := at - padding(h)
		third := at + n + padding(&second)
		if third+4 > len(b) {
			return n
		}
		if _, ok := second.followedBy(b[third:]); ok {
			return n
		}
	}
	return 0
}

func padding(h *header) int {
	if h.padding {
		return 1
	}
	return 0
}

// followedBy returns the header that b begins with, if it is of the same stream
// of free format.
func (h *header) followedBy(b []byte) (header, bool) {
	if b[0] != 0xFF {
		return header{}, false
	}
	n, err := parseAnyHeader([4]byte(b))
	return n, err == nil && n.bitrateIndex == 0 && n.version == h.version && n.rateIndex == h.rateIndex &&
		n.channels() == h.channels() && n.protected == h.protected
}
