package ogg

import (
	"errors"
	"io"
)

// ErrClosed is returned by a Writer that was closed.
var ErrClosed = errors.New("ogg: the stream is closed")

// ErrGranule is returned for a granule position below that of a packet before.
var ErrGranule = errors.New("ogg: granule positions must not go back, nor below 0")

// Writer writes one logical stream, from its first page to its last. Each page
// is one Write. A page is held back until something follows it or the stream is
// closed, so that the last one can be marked as such. Errors are sticky. A
// Writer allocates once, 64 KiB, and is not safe for concurrent use.
type Writer struct {
	w        io.Writer
	serial   uint32
	sequence uint32
	granule  int64 // of the last packet that ended on the page
	last     int64 // the greatest granule position so far
	segments int
	fill     int // bytes of the page's body
	flags    byte
	ended    bool // nothing more goes on this page
	err      error
	lacing   [maxSegments]byte
	body     []byte // the page with room for the longest header, and then its body
}

// bodyAt is where a page's body begins in the buffer: the header is put right
// before it when it is known how long it is.
const bodyAt = headerBytes + maxSegments

// NewWriter makes a Writer of the logical stream with the given serial number.
// Nothing is written yet.
func NewWriter(w io.Writer, serial uint32) *Writer {
	return &Writer{w: w, serial: serial, flags: flagFirst, granule: NoGranule, body: make([]byte, maxPageBytes)}
}

// WritePacket appends a packet. granule is the position at its end, in the
// codec's units; that of a page is the one of the last packet ending on it. A
// packet that doesn't fit on the page goes on on the next.
func (w *Writer) WritePacket(p []byte, granule int64) error {
	switch {
	case w.err != nil:
		return w.err
	case granule < w.last:
		w.err = ErrGranule
		return w.err
	}
	w.last = granule
	for first := true; ; first = false {
		if w.ended || w.segments == maxSegments {
			flags := byte(flagContinued)
			if first {
				flags = 0
			}
			if err := w.emit(flags); err != nil {
				return err
			}
		}
		n := min(len(p), segmentFull)
		copy(w.body[bodyAt+w.fill:], p[:n])
		w.lacing[w.segments] = byte(n)
		w.segments++
		w.fill += n
		p = p[n:]
		if n < segmentFull { // perhaps of 0 bytes, after a length that 255 divides
			w.granule = granule
			return nil
		}
	}
}

// Flush ends the current page: the next packet begins a new one.
func (w *Writer) Flush() error {
	w.ended = w.ended || w.segments > 0
	return w.err
}

// Close writes the last page, which is marked as such. It is without packets
// only if there were none at all. The underlying writer stays open.
func (w *Writer) Close() error {
	if errors.Is(w.err, ErrClosed) {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	w.flags |= flagLast
	if err := w.emit(0); err != nil {
		return err
	}
	w.err = ErrClosed
	return nil
}

// emit writes the current page and begins the next one, which has next as its flags.
func (w *Writer) emit(next byte) error {
	start := bodyAt - headerBytes - w.segments
	page := w.body[start : bodyAt+w.fill]
	page[atSegments] = byte(w.segments)
	copy(page[headerBytes:], w.lacing[:w.segments])
	sealPage(page, w.flags, w.granule, w.serial, w.sequence)
	if _, w.err = w.w.Write(page); w.err != nil {
		return w.err
	}
	w.sequence++
	w.segments, w.fill, w.flags, w.granule, w.ended = 0, 0, next, NoGranule, false
	return nil
}
