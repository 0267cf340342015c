package mp3

import "fmt"

// Versions of the header's ID field, and indices of bandTables.
const (
	mpeg1 = iota
	mpeg2
	mpeg25
)

// Channel modes of the header (11172-3, 2.4.2.3).
const (
	modeStereo = iota
	modeJoint
	modeDual
	modeMono
)

// sampleRates is indexed by version and sampling frequency index.
var sampleRates = [3][3]int{
	{44100, 48000, 32000},
	{22050, 24000, 16000},
	{11025, 12000, 8000},
}

// bitratesKbps is indexed by 0 for MPEG-1 and 1 for MPEG-2 and 2.5, and by the
// header's bitrate index. Index 0 is "free format".
var bitratesKbps = [2][15]int{
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

// header is a decoded frame header (11172-3, 2.4.2.3).
type header struct {
	version      int // mpeg1, mpeg2 or mpeg25
	rateIndex    int
	bitrateIndex int // 1..14; 0 is free format
	freeBytes    int // of a frame of free format, without padding
	mode         int
	modeExt      int
	padding      bool
	protected    bool // a CRC follows the header
}

func (h *header) lsf() int {
	if h.version == mpeg1 {
		return 0
	}
	return 1
}

func (h *header) channels() int {
	if h.mode == modeMono {
		return 1
	}
	return 2
}

func (h *header) granules() int { return 2 - h.lsf() }

// samples is the number of frames of audio in the frame: 1152 or 576.
func (h *header) samples() int { return granuleLines * h.granules() }

func (h *header) sampleRate() int { return sampleRates[h.version][h.rateIndex] }

func (h *header) bitrate() int { return 1000 * bitratesKbps[h.lsf()][h.bitrateIndex] }

// frameBytes is the frame's length with its header, rounded down unless padded
// (11172-3, 2.4.3.1).
func (h *header) frameBytes() int {
	n := h.samples() / 8 * h.bitrate() / h.sampleRate()
	if h.bitrateIndex == 0 {
		n = h.freeBytes
	}
	if h.padding {
		n++
	}
	return n
}

func (h *header) crcBytes() int {
	if h.protected {
		return 2
	}
	return 0
}

// sideInfoBytes is the length of the side information (11172-3, 2.4.1.7 and
// 13818-3, 2.4.1.7).
func (h *header) sideInfoBytes() int { return sideInfoSize(h.lsf(), h.channels()) }

func sideInfoSize(lsf, channels int) int {
	switch {
	case lsf == 0 && channels == 2:
		return 32
	case lsf == 1 && channels == 1:
		return 9
	}
	return 17
}

// slotBytes is the room for main data in the frame.
func (h *header) slotBytes() int {
	return h.frameBytes() - 4 - h.crcBytes() - h.sideInfoBytes()
}

// versionBits are the header's sync extension and ID bits by version.
var versionBits = [3]byte{3, 2, 0}

// bytes is the header as written, marked as an original.
func (h *header) bytes() [4]byte {
	b := [4]byte{
		0xff,
		0xe2 | versionBits[h.version]<<3,
		byte(h.bitrateIndex<<4 | h.rateIndex<<2),
		byte(h.mode<<6 | h.modeExt<<4 | 1<<2),
	}
	if !h.protected {
		b[1] |= 1
	}
	if h.padding {
		b[2] |= 2
	}
	return b
}

// parseHeader decodes a layer III frame header of a bitrate of the table.
func parseHeader(b [4]byte) (header, error) {
	h, err := parseAnyHeader(b)
	if err == nil && h.bitrateIndex == 0 {
		return h, headerFault("free format, which is not supported,", b)
	}
	return h, err
}

// parseAnyHeader decodes a layer III frame header. How long a frame of free
// format is isn't in its header. An emphasis of the reserved kind is let pass:
// decoders make nothing of any, and there are encoders that write it.
func parseAnyHeader(b [4]byte) (header, error) {
	var h header
	if b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return h, headerFault("no frame sync", b)
	}
	switch b[1] >> 3 & 3 {
	case 3:
		h.version = mpeg1
	case 2:
		h.version = mpeg2
	case 0:
		h.version = mpeg25
	default:
		return h, headerFault("reserved MPEG version", b)
	}
	if l := b[1] >> 1 & 3; l != 1 {
		return h, headerFault("not layer III", b)
	}
	h.protected = b[1]&1 == 0
	h.bitrateIndex = int(b[2] >> 4)
	h.rateIndex = int(b[2] >> 2 & 3)
	h.padding = b[2]&2 != 0
	h.mode = int(b[3] >> 6)
	h.modeExt = int(b[3] >> 4 & 3)
	switch {
	case h.bitrateIndex == 15:
		return h, headerFault("reserved bitrate", b)
	case h.rateIndex == 3:
		return h, headerFault("reserved sampling frequency", b)
	}
	return h, nil
}

// headerFault is why b is no header. It is made where it is read: a stream with
// text between its frames has one for each byte.
type headerError struct {
	what string
	b    [4]byte
}

func (e headerError) Error() string { return fmt.Sprintf("%s in % x", e.what, e.b[:]) }

func headerFault(what string, b [4]byte) error { return headerError{what, b} }
