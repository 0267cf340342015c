package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Page is one page of a stream.
type Page struct {
	Continued   bool  // it begins within a packet
	First, Last bool  // of the logical stream
	Granule     int64 // NoGranule if no packet ends on it
	Serial      uint32
	Sequence    uint32
	Lacing      []byte // a value for each segment of Body
	Body        []byte
}

// Packet is one packet of a stream, as [Walk] gives it.
type Packet struct {
	Data []byte // valid until the next one
	// Granule is the page's, for the last packet that ends on a page; else NoGranule.
	Granule int64
	Page    uint32 // the number of the page that the packet ends on, from 0
	// First and Last are the flags of that page.
	First, Last bool
}

// StreamInfo is what [Walk] learns of a stream.
type StreamInfo struct {
	Serial  uint32
	Pages   int64
	Packets int64
	Granule int64 // of the last page that has one; NoGranule
	Bytes   int64 // of sound pages
}

// Error says where and why a stream isn't sound.
type Error struct {
	Offset int64 // of the page, in bytes
	Page   int64 // its number, from 0
	Err    error
}

func (e *Error) Error() string {
	return fmt.Sprintf("ogg: page %d at byte %d: %v", e.Page, e.Offset, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// MaxPacketBytes is the longest packet that [Walk] takes. An Opus packet of 255
// channels has at most 325,125 bytes.
const MaxPacketBytes = 16 << 20

// ReadPage reads a page from r and checks its checksum. At the end of r the
// error is io.EOF; within a page it wraps io.ErrUnexpectedEOF. The page's
// slices are part of buf if that is large enough; it then needs 65307 bytes.
func ReadPage(r io.Reader, buf []byte) (Page, error) {
	if len(buf) < maxPageBytes {
		buf = make([]byte, maxPageBytes)
	}
	if _, err := io.ReadFull(r, buf[:headerBytes]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return Page{}, fmt.Errorf("the stream ends within a page's header: %w", err)
		}
		return Page{}, err
	}
	switch {
	case string(buf[:4]) != capture:
		return Page{}, fmt.Errorf("% x is no page", buf[:4])
	case buf[4] != 0:
		return Page{}, fmt.Errorf("a page of version %d, only 0 exists", buf[4])
	case buf[atFlags]&^(flagContinued|flagFirst|flagLast) != 0:
		return Page{}, fmt.Errorf("unknown flags %#02x", buf[atFlags])
	}
	segments := int(buf[atSegments])
	at := headerBytes + segments
	if _, err := io.ReadFull(r, buf[headerBytes:at]); err != nil {
		return Page{}, within(err)
	}
	end := at
	for _, n := range buf[headerBytes:at] {
		end += int(n)
	}
	if _, err := io.ReadFull(r, buf[at:end]); err != nil {
		return Page{}, within(err)
	}
	le := binary.LittleEndian
	if want, got := le.Uint32(buf[atChecksum:]), checksum(buf[:end]); want != got {
		return Page{}, fmt.Errorf("the checksum is %08x and should be %08x", want, got)
	}
	flags := buf[atFlags]
	return Page{
		Continued: flags&flagContinued != 0, First: flags&flagFirst != 0, Last: flags&flagLast != 0,
		Granule: int64(le.Uint64(buf[atGranule:])), Serial: le.Uint32(buf[atSerial:]), Sequence: le.Uint32(buf[atSequence:]),
		Lacing: buf[headerBytes:at], Body: buf[at:end],
	}, nil
}

// within is the error of a read that must not be at the end.
func within(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream ends within a page: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// Walk reads a stream of one logical stream to its end and gives its packets to
// f, which may be nil; an error of f's ends the walk. It checks what a reader
// relies on: checksums, page numbers without a gap, one serial number, the
// first and the last page marked and no other, packets that go on where a page
// says so, and granule positions that are there where a packet ends and don't
// go back. Its memory is bounded by [MaxPacketBytes]. The error is r's or f's,
// or an [*Error]; what was learned up to it is returned as well.
func Walk(r io.Reader, f func(Packet) error) (StreamInfo, error) {
	w := walker{info: StreamInfo{Granule: NoGranule}, f: f}
	buf := make([]byte, maxPageBytes)
	for {
		src := &readerError{r: r}
		p, err := ReadPage(src, buf)
		switch {
		case src.err != nil:
			return w.info, src.err
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return w.info, w.end()
		case err != nil:
			return w.info, w.fail(err)
		}
		if err := w.page(&p); err != nil {
			return w.info, err
		}
	}
}

// readerError keeps the error of a reader that failed rather than ended.
type readerError struct {
	r   io.Reader
	err error
}

func (e *readerError) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && err != io.EOF {
		e.err = err
	}
	return n, err
}

type walker struct {
	info   StreamInfo
	f      func(Packet) error
	packet []byte
	open   bool // a packet goes on on the next page
	last   bool // the last page has been
}

func (w *walker) fail(err error) error {
	return &Error{Offset: w.info.Bytes, Page: w.info.Pages, Err: err}
}

func (w *walker) end() error {
	switch {
	case w.info.Pages == 0:
		return w.fail(errors.New("the stream has no page"))
	case !w.last:
		return w.fail(fmt.Errorf("the stream ends without a last page: %w", io.ErrUnexpectedEOF))
	}
	return nil
}

// page checks a page and gives its packets.
func (w *walker) page(p *Page) error {
	if err := w.check(p); err != nil {
		return w.fail(err)
	}
	w.last = p.Last
	ends := 0 // packets still to end on this page
	for _, n := range p.Lacing {
		if n < segmentFull {
			ends++
		}
	}
	if err := w.checkGranule(p, ends); err != nil {
		return w.fail(err)
	}
	body := p.Body
	for _, n := range p.Lacing {
		w.packet = append(w.packet, body[:n]...)
		body = body[n:]
		if w.open = n == segmentFull; w.open {
			if len(w.packet) > MaxPacketBytes {
				return w.fail(fmt.Errorf("a packet of more than %d bytes", MaxPacketBytes))
			}
			continue
		}
		ends--
		if err := w.give(p, ends == 0); err != nil {
			return err
		}
	}
	if p.Last && w.open {
		return w.fail(errors.New("the last page ends within a packet"))
	}
	w.info.Pages++
	w.info.Bytes += int64(headerBytes + len(p.Lacing) + len(p.Body))
	return nil
}

// give gives the packet that has just ended.
func (w *walker) give(p *Page, last bool) error {
	packet := Packet{Data: w.packet, Granule: NoGranule, Page: p.Sequence, First: p.First, Last: p.Last}
	if last {
		packet.Granule = p.Granule
	}
	w.info.Packets++
	w.packet = w.packet[:0]
	if w.f == nil {
		return nil
	}
	return w.f(packet)
}

func (w *walker) check(p *Page) error {
	first := w.info.Pages == 0
	if first {
		w.info.Serial = p.Serial
	}
	switch {
	case w.last:
		return errors.New("a page follows the last one")
	case p.Serial != w.info.Serial:
		return fmt.Errorf("a second stream, %08x beside %08x", p.Serial, w.info.Serial)
	case p.First != first:
		return fmt.Errorf("marked as the first page: %v, and is: %v", p.First, first)
	case int64(p.Sequence) != w.info.Pages&(1<<32-1):
		return fmt.Errorf("it has the number %d", p.Sequence)
	case p.Continued != w.open:
		return fmt.Errorf("marked as continued: %v, and the page before ends within a packet: %v", p.Continued, w.open)
	}
	return nil
}

func (w *walker) checkGranule(p *Page, ends int) error {
	switch {
	case ends == 0 && p.Granule == NoGranule:
		return nil
	case ends == 0 && len(p.Lacing) > 0:
		return fmt.Errorf("granule position %d on a page on which no packet ends", p.Granule)
	case p.Granule < max(w.info.Granule, 0):
		return fmt.Errorf("granule position %d after %d", p.Granule, w.info.Granule)
	}
	w.info.Granule = p.Granule
	return nil
}
