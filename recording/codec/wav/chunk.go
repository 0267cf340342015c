package wav

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

// maxHeaderChunk is the largest chunk before the audio that is believed when
// the stream's size isn't known.
const maxHeaderChunk = 4 << 20

// placeholder is the data size from which programs that write to a pipe mean
// "unknown": sox writes 0x7FFFFFFF less its header, ffmpeg 0xFFFFFFFF.
const placeholder = 0x7FFF0000

// knownIDs are the chunks that real files hold.
var knownIDs = [...]string{ //nolint:gochecknoglobals // a constant table
	"fmt ", "data", "LIST", "fact", "JUNK", "junk", "bext", "cue ", "id3 ", "ID3 ", "PEAK", "cart", "iXML", "axml",
	"smpl", "inst", "FLLR", "PAD ", "DISP", "ds64", "INFO", "plst", "labl", "note", "acid", "chna", "levl", "link",
	"wavl", "slnt", "umid", "minf", "elm1", "regn", "strc", "afsp", "LGWV", "aXML", "_PMX", "SAUR", "AFAn",
}

func knownID(b []byte) bool {
	return len(b) >= 4 && slices.Contains(knownIDs[:], string(b[:4]))
}

func printableID(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	for _, c := range b[:4] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// walk goes from one data chunk of a file to the next.
type walk struct {
	in     *input
	at     io.ReaderAt // of the same file, of a known size; nil if there is none
	order  binary.ByteOrder
	form   string // RIFF, RIFX, RF64 or BW64
	riff   int64  // bytes after the first RIFF header's size field, to this file's end by its own
	ds64   int64  // data size by the ds64 chunk; -1 if there is none
	fact   int64  // frames by the fact chunk; 0 if there is none
	format []byte // body of the fmt chunk, at most 40 bytes; nil before it
	raw    bool   // a format for audio without one is at hand

	left  int64 // bytes of the current data chunk still to read
	toEnd bool  // the data goes on to the file's end, less a trailing chunk; left is at most that
	odd   bool  // the current chunk's size is odd

	base   int64 // where the file begins in the stream: behind others that it is joined to
	joined bool  // another file begins where this one ends

	chunksEnd int64 // where the last chunk that made sense ended
	sure      int64 // up to here, chunks before the audio are known to follow one another
	cut       int64 // bytes that the header promised and the file lacks
	leftOut   int64 // bytes after the last chunk that are none
	repairs   []string

	headerOnly bool // the file ends with a chunk before any audio
	scratch    [16]byte
}

func (w *walk) repair(format string, args ...any) {
	w.repairs = append(w.repairs, fmt.Sprintf(format, args...))
}

// open reads up to the first data chunk's first byte.
func (w *walk) open() error {
	w.base = w.in.pos
	head := w.in.peek(12)
	if len(head) < 12 {
		if err := w.in.failed(); err != nil {
			return err
		}
		if len(head) == 0 || bytes.HasPrefix(head, []byte("RI")) || bytes.HasPrefix(head, []byte("RF64")) {
			return &codec.DecodeError{
				Code: record.DefectLegEmpty, Detail: fmt.Sprintf("the WAV file ends after %d bytes", len(head)),
			}
		}
		return unreadable("not a WAV file")
	}
	if !Sniff(head) {
		return unreadable("not a WAV file")
	}
	w.form, w.ds64 = string(head[:4]), -1
	w.order = binary.LittleEndian
	if w.form == "RIFX" {
		w.order = binary.BigEndian
	}
	w.riff = w.base + int64(w.order.Uint32(head[4:]))
	w.in.take(12)
	return w.toFirstData()
}

// Sniff reports whether head, the first 12 bytes or more of a stream, is that
// of a WAV file. A shorter head is one if it is the beginning of such a file.
func Sniff(head []byte) bool {
	if len(head) < 12 {
		for _, form := range []string{"RIFF", "RIFX", "RF64", "BW64"} {
			if len(head) > 0 && bytes.HasPrefix([]byte(form), head[:min(len(head), 4)]) {
				return true
			}
		}
		return false
	}
	switch string(head[:4]) {
	case "RIFF", "RIFX", "RF64", "BW64":
		return string(head[8:12]) == "WAVE"
	}
	return false
}

func (w *walk) toFirstData() error {
	for {
		b := w.in.peek(8)
		if len(b) < 8 {
			if err := w.in.failed(); err != nil {
				return err
			}
			return &codec.DecodeError{Code: record.DefectLegEmpty, Detail: "the WAV file ends before any audio"}
		}
		size := int64(w.order.Uint32(b[4:]))
		id := string(b[:4])
		if !printableID(b) {
			if !w.resync("bytes that are no chunk before the audio", 1) {
				return w.lost()
			}
			continue
		}
		w.in.take(8)
		read := 0
		switch {
		case id == "data":
			if w.format == nil {
				w.formatBehind(w.in.pos, size)
			}
			if w.format == nil && !w.raw {
				return unreadable("a WAV file with data but no fmt chunk of 14 bytes or more before it")
			}
			w.beginData(size)
			return nil
		case id == "fmt " && w.format == nil && size >= 14:
			w.format = bytes.Clone(w.in.peek(int(min(size, 40))))
			if len(w.format) < 14 {
				w.format = nil
				w.in.skip(40)
				continue
			}
			read = min(16, len(w.format))
			if size > 4096 {
				w.format = w.format[:read]
			}
		case id == "ds64" && size >= 24 && size <= 1<<20:
			if body := w.in.peek(24); len(body) == 24 {
				// riffSize, dataSize, sampleCount: 64 bits each.
				w.riff = w.base + int64(w.order.Uint64(body))
				w.ds64 = int64(w.order.Uint64(body[8:]))
			}
			read = 24
		case id == "fact" && size >= 4 && size <= 1<<16:
			if body := w.in.peek(4); len(body) == 4 {
				w.fact = int64(w.order.Uint32(body))
			}
		}
		if !w.leave(id, size, read) {
			return w.lost()
		}
	}
}

func (w *walk) lost() error {
	if err := w.in.failed(); err != nil {
		return err
	}
	if w.headerOnly {
		return &codec.DecodeError{Code: record.DefectLegEmpty, Detail: "the WAV file ends before any audio"}
	}
	return unreadable("a WAV file without a data chunk")
}

// beyond reports whether n bytes from here pass the end of a file of known size.
func (w *walk) beyond(n int64) bool {
	return w.in.size >= 0 && w.in.pos+n > w.in.size
}

// skipBody drops a chunk's body and its pad byte.
func (w *walk) skipBody(size int64) {
	w.in.skip(size)
	w.chunksEnd = w.in.pos
	if size&1 != 0 {
		w.pad()
	}
}

// pad drops the pad byte after a chunk of odd size, unless the writer forgot it.
func (w *walk) pad() {
	b := w.in.peek(9)
	if len(b) == 0 {
		return
	}
	bare, padded := knownID(b), knownID(b[1:])
	if !bare && !padded && b[0] != 0 {
		bare, padded = printableID(b), printableID(b[1:])
	}
	if bare && !padded {
		w.repair("a chunk of odd size without its pad byte")
		return
	}
	w.in.take(1)
}

// cutTrailer takes the trailing chunks, if there are any, off the audio. It is
// called in toEnd mode, when everything up to the stream's end is buffered.
func (w *walk) cutTrailer() {
	rest := w.in.buf[w.in.lo:w.in.hi]
	audio := int64(len(rest))
	if w.in.failed() == nil {
		audio -= int64(trailer(rest[max(0, len(rest)-tailSize):], w.order))
	}
	if audio < w.left && w.left < 1<<61 && w.in.size < 0 {
		w.repair("the data size, %d bytes more than there are", w.left-audio)
	}
	w.left = min(w.left, audio)
	w.toEnd, w.odd = false, false
}

// trailer is the length of the known chunks that end exactly at the end of b,
// 0 if there are none.
func trailer(b []byte, order binary.ByteOrder) int {
	longest := 0
	ends := make([]bool, len(b)+1) // by position: chunks from here on end at the end
	for i := len(b) - 8; i >= 0; i-- {
		if c := b[i]; c < ' ' || c > 'z' || !knownID(b[i:]) || string(b[i:i+4]) == "data" {
			continue
		}
		size := int64(order.Uint32(b[i+4:]))
		next := int64(i) + 8 + size
		padded := next + size&1
		if next == int64(len(b)) || padded <= int64(len(b)) && (padded == int64(len(b)) || ends[padded]) {
			ends[i], longest = true, len(b)-i
		}
	}
	return longest
}

// nextData goes from the end of one data chunk to the beginning of the next.
func (w *walk) nextData() bool {
	if w.cut > 0 {
		return false
	}
	w.chunksEnd = w.in.pos
	if w.odd {
		w.odd = false
		w.pad()
	}
	for {
		b := w.in.peek(8)
		if len(b) < 8 {
			return false
		}
		size := int64(w.order.Uint32(b[4:]))
		id := string(b[:4])
		if id == "data" {
			w.in.take(8)
			w.chunksEnd = w.in.pos
			if w.beginData(size); w.left > 0 {
				return true
			}
			continue
		}
		if Sniff(w.in.peek(12)) && len(w.in.peek(12)) == 12 {
			w.joined = true
			return false
		}
		if !knownID(b) && (!printableID(b) || id == "RIFF" || w.beyond(8+size)) {
			w.garbage()
			return false
		}
		start := w.in.pos
		w.in.take(8)
		if w.skipBody(size); w.in.pos < start+8+size && !knownID([]byte(id)) {
			// It is no chunk, which a stream shows only now.
			w.leftOut, w.chunksEnd = w.leftOut+w.in.pos-start, start
		}
	}
}

// garbage drops what follows the last chunk.
func (w *walk) garbage() {
	w.leftOut += w.in.skip(1 << 62)
}

// finish checks the RIFF size once everything has been read.
func (w *walk) finish(secondBytes int64) {
	if w.leftOut >= secondBytes {
		w.repair("%d bytes after the last chunk are no chunk and were left out", w.leftOut)
	}
	end := w.riff + 8
	fileEnd := w.in.pos + int64(w.in.hi-w.in.lo)
	if w.joined {
		fileEnd = w.in.pos
	}
	if w.form == "RF64" && w.ds64 < 0 || w.form == "BW64" && w.ds64 < 0 {
		return
	}
	// Bytes after the RIFF chunk are allowed; chunks that reach out of it, or a
	// RIFF chunk that reaches out of the file, are not. One byte is for padding.
	if w.cut == 0 && (end+1 < w.chunksEnd || end > fileEnd+1) {
		w.repair("the RIFF size, %d in a file of %d bytes", w.riff-w.base, fileEnd-w.base)
	}
}
