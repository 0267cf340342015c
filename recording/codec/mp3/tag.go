package mp3

import (
	"encoding/binary"
	"errors"
	"io"
)

const id3v1Bytes = 128

// skipTag goes past the tag that the stream goes on with, and reports whether
// there was one. head is its next 4 bytes.
func (f *feed) skipTag(head [4]byte) (bool, error) {
	switch name := string(head[:3]); {
	case name == "TAG":
		return f.skipID3v1(), nil
	case f.distrust:
		return false, nil
	case name == "ID3":
		// id3.org, ID3v2.4.0 § 3.1.
		t, err := f.r.Peek(id3HeaderBytes)
		if len(t) < id3HeaderBytes {
			_, _ = f.r.Discard(len(t))
			return false, err
		}
		size := int64(t[6]&0x7F)<<21 | int64(t[7]&0x7F)<<14 | int64(t[8]&0x7F)<<7 | int64(t[9]&0x7F)
		if t[5]&0x10 != 0 {
			size += 10 // a footer
		}
		return f.discardTag(id3HeaderBytes + size)
	case string(head[:]) == "APET":
		const apeBytes = 32
		if t, err := f.r.Peek(apeBytes); err == nil && string(t[:8]) == "APETAGEX" {
			return f.discardTag(apeBytes + int64(binary.LittleEndian.Uint32(t[12:])))
		}
	}
	return false, nil
}

// discardTag drops a tag, unless it is longer than what is left of a stream of
// known length: then it is none.
func (f *feed) discardTag(size int64) (bool, error) {
	if pos := f.in.n - int64(f.r.Buffered()); f.size >= 0 && pos+size > f.size {
		f.tagCut = f.tagCut || !f.locked
		return false, nil
	}
	f.tags = true
	_, err := io.CopyN(io.Discard, f.r, size)
	f.tagCut = f.tagCut || !f.locked && errors.Is(err, io.EOF)
	return err == nil, err
}

// skipID3v1 drops a tag of ID3v1 at the stream's end, or where another stream
// follows that was put behind this one.
func (f *feed) skipID3v1() bool {
	t, err := f.r.Peek(id3v1Bytes + 4)
	if len(t) < id3v1Bytes {
		return false
	}
	behind := t[id3v1Bytes:]
	switch {
	case len(behind) == 0:
		if !errors.Is(err, io.EOF) {
			return false
		}
	case len(behind) < 4 || !f.locked:
		return false
	case string(behind[:3]) == "ID3" || string(behind) == "APET":
	case !syncs(behind[0], behind[1]):
		return false
	default:
		if h, err := parseAnyHeader([4]byte(behind)); err != nil || h.version != f.first.version || h.rateIndex != f.first.rateIndex {
			return false
		}
	}
	_, _ = f.r.Discard(id3v1Bytes)
	return true
}

// syncs reports whether a frame of layer III may begin with the two bytes.
func syncs(first, second byte) bool { return first == 0xFF && second&0xE6 == 0xE2 }

// candidate is how many of the bytes that are buffered can be left out, one at
// least, until a tag or a frame may begin.
func (f *feed) candidate() int {
	b, _ := f.r.Peek(f.r.Buffered())
	for i := 1; i < len(b); i++ {
		next := byte(0)
		if i+1 < len(b) {
			next = b[i+1]
		}
		switch c := b[i]; {
		case syncs(c, next), c == 0xFF && i+1 == len(b):
			return i
		case c == 'I' && (next == 'D' || i+1 == len(b)), c == 'T' && (next == 'A' || i+1 == len(b)), c == 'A' && (next == 'P' || i+1 == len(b)):
			return i
		}
	}
	return max(1, len(b))
}

// noteOther keeps h, which isn't of this stream, if another frame of its kind
// follows: what is left out is audio, then.
func (f *feed) noteOther(h *header) {
	if !f.locked || f.other != nil || h.bitrateIndex == 0 {
		return
	}
	b, err := f.r.Peek(h.frameBytes() + 4)
	if err != nil {
		return
	}
	next, err := parseAnyHeader([4]byte(b[h.frameBytes():]))
	if err == nil && next.version == h.version && next.rateIndex == h.rateIndex && next.bitrateIndex != 0 {
		kept := *h
		f.other = &kept
	}
}

// suffices reports whether the part b of the stream's last frame has all of its
// main data: what a frame has room for is often more than it holds. What decoding
// made of the frames before has no say in it, so that a stream has as many frames
// when they are counted as when they are decoded.
func (f *feed) suffices(h *header, b []byte) bool {
	at := 4 + h.crcBytes()
	if len(b) < at+h.sideInfoBytes() {
		return false
	}
	begin, bits := mainData(h, b[at:at+h.sideInfoBytes()])
	return begin <= f.seen && bits <= 8*(begin+len(b)-at-h.sideInfoBytes())
}
