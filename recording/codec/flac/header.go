package flac

import (
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/recording/codec/internal/seam"
)

// streamInfo is what of STREAMINFO the decoder uses (RFC 9639 § 8.2).
type streamInfo struct {
	block    int // frames in a frame of the stream, by which fixed-size streams count
	rate     int
	channels int
	depth    uint
	total    int64 // 0: unknown
}

// parseStreamInfo reads the block's body of 34 bytes.
func parseStreamInfo(b *[streamInfoSize]byte) streamInfo {
	return streamInfo{
		block:    int(b[2])<<8 | int(b[3]),
		rate:     int(b[10])<<12 | int(b[11])<<4 | int(b[12])>>4,
		channels: int(b[12]>>1&7) + 1,
		depth:    uint(b[12]&1)<<4 + uint(b[13]>>4) + 1,
		total: int64(b[13]&15)<<32 | int64(b[14])<<24 | int64(b[15])<<16 |
			int64(b[16])<<8 | int64(b[17]),
	}
}

// frameHeader is the header of a frame (RFC 9639 § 9.1).
type frameHeader struct {
	frames   int   // of audio in it
	start    int64 // where its audio begins, in frames
	rate     byte  // the code
	hz       int   // what it says; 0: as the stream's header has it
	channels int
	depth    uint // bits; 0: as the stream's header has it
	bytes    int  // of the header, with its check
}

// parseFrame reads the header of a frame that begins with b. It accepts only
// those that agree with the stream in channels, depth and rate, and whose check is
// right.
func (s *streamInfo) parseFrame(b []byte) (h frameHeader, ok bool) {
	h, ok = s.parseAny(b)
	return h, ok && h.channels == s.channels && (h.depth == 0 || h.depth == s.depth) && (h.hz == 0 || h.hz == s.rate)
}

// asFrame is s with the parameters of the frame that b begins with, if there is one.
func (s *streamInfo) asFrame(b []byte) (streamInfo, frameHeader, bool) {
	h, ok := s.parseAny(b)
	if !ok {
		return *s, h, false
	}
	c := *s
	c.channels = h.channels
	if h.depth != 0 {
		c.depth = h.depth
	}
	if h.hz != 0 {
		c.rate = h.hz
	}
	return c, h, c.depth > 0 && seam.CanJoin(c.rate, c.rate)
}

// parseAny is parseFrame for frames of any parameters.
func (s *streamInfo) parseAny(b []byte) (h frameHeader, ok bool) {
	if len(b) < 6 || b[0] != 0xFF || b[1]&0xFE != 0xF8 || b[3]&1 != 0 {
		return h, false
	}
	h.rate = b[2] & 15
	if h.channels = int(b[3]>>4) + 1; h.channels > MaxChannels {
		h.channels = 2
	}
	var known bool
	h.depth, known = depthOf(b[3]>>1&7, 0)
	if b[3]>>4 > 10 || !known || h.rate == 15 {
		return h, false
	}
	number, at := uncode(b[4:])
	if at == 0 {
		return h, false
	}
	at += 4
	var extra int
	switch size := b[2] >> 4; {
	case size == 0:
		return h, false
	case size == 1:
		h.frames = 192
	case size <= 5:
		h.frames = 576 << (size - 2)
	case size <= 7:
		extra = int(size) - 5
		if len(b) < at+extra {
			return h, false
		}
		h.frames = int(b[at])
		if extra == 2 {
			h.frames = h.frames<<8 | int(b[at+1])
		}
		h.frames++
	default:
		h.frames = 256 << (size - 8)
	}
	at += extra
	if extra = rateBytes(h.rate); len(b) < at+extra {
		return h, false
	}
	h.hz = rateOf(h.rate, b[at:])
	at += extra
	if h.frames > 1<<16 || len(b) < at+1 || crc8(b[:at]) != b[at] {
		return h, false
	}
	h.bytes = at + 1
	h.start = number
	if b[1]&1 == 0 {
		h.start *= int64(s.block)
	}
	return h, true
}

// corrected is s with the parameters of the frame that b begins with,
// if there is one, and what of s was wrong; "" if there is none.
func (s *streamInfo) corrected(b []byte) (streamInfo, string) {
	c, _, ok := s.asFrame(b)
	if !ok || c == *s {
		return *s, ""
	}
	var what []string
	if c.channels != s.channels || c.depth != s.depth {
		what = append(what, fmt.Sprintf("the header's %d channels of %d bits, where the frames have %d of %d", s.channels, s.depth, c.channels, c.depth))
	}
	if c.rate != s.rate {
		what = append(what, fmt.Sprintf("the header's rate of %d Hz, where the frames have %d", s.rate, c.rate))
	}
	return c, strings.Join(what, "; ")
}

// rateBytes is how many bytes behind a frame's header belong to a rate's code, and rateOf
// the rate in Hz, 0 if it is the stream's (RFC 9639 § 9.1.2, § 9.1.7).
func rateBytes(code byte) int {
	switch code {
	case 12:
		return 1
	case 13, 14:
		return 2
	}
	return 0
}

func rateOf(code byte, extra []byte) int {
	switch code {
	case 12:
		return int(extra[0]) * 1000
	case 13:
		return int(extra[0])<<8 | int(extra[1])
	case 14:
		return (int(extra[0])<<8 | int(extra[1])) * 10
	}
	return [16]int{0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}[code&15]
}

// depthOf is the bits per sample of a code in a frame's header.
func depthOf(code byte, stream uint) (bits uint, ok bool) {
	switch code {
	case 0:
		return stream, true
	case 1:
		return 8, true
	case 2:
		return 12, true
	case 4:
		return 16, true
	case 5:
		return 20, true
	case 6:
		return 24, true
	default: // reserved, and 32 bits
		return 0, false
	}
}

// uncode reads a number as appendNumber writes it; n is 0 if there is none.
func uncode(b []byte) (v int64, n int) {
	first := b[0]
	if first < 0x80 {
		return int64(first), 1
	}
	more := 0
	for mask := byte(0x40); mask != 0 && first&mask != 0; mask >>= 1 {
		more++
	}
	if more == 0 || more > 6 || len(b) < more+1 {
		return 0, 0
	}
	v = int64(first) & (1<<(6-more) - 1)
	for _, c := range b[1 : more+1] {
		if c&0xC0 != 0x80 {
			return 0, 0
		}
		v = v<<6 | int64(c&0x3F)
	}
	return v, more + 1
}
