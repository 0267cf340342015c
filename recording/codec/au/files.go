package au

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// maxJoined is how many files behind the first are read.
const maxJoined = 1000

// files is the Source of the first file of a stream and of those that are joined behind it,
// as cat joins them.
type files struct {
	in     *bufio.Reader
	first  audio.Source // of the first file
	format goaudio.Format
	frames int64 // in total; -1 if that isn't known

	body *body        // of the current file
	src  audio.Source // of body
	from audio.Source // src in the first one's format

	joined  int             // files behind the first
	changed []string        // what begins with another format
	before  []record.Defect // of the files before the current one
	left    string          // why the rest was left out
}

// begin makes the samples behind the header the current file. rest is how many bytes there
// are to the stream's end, or codec.SizeUnknown.
func (f *files) begin(h *header, rest int64) ([]record.Defect, error) {
	b := &body{in: f.in, left: h.size, stated: h.stated(), unsized: h.size == 0}
	if !b.stated {
		b.left = 1 << 62
	}
	hint := codec.Hint{Size: codec.SizeUnknown, Raw: &h.raw}
	if rest >= 0 {
		hint.Size = min(b.left, rest)
	}
	src, defects, err := wav.DecodeRaw(b, hint)
	if err == nil {
		f.body, f.src = b, src
	}
	return defects, err
}

// Format implements [audio.Source].
func (f *files) Format() *goaudio.Format { return &f.format }

// Frames implements [audio.Sized].
func (f *files) Frames() int64 { return f.frames }

// Describe implements [codec.Describer].
func (f *files) Describe() string {
	return "AU, " + strings.TrimPrefix(codec.Describe(f.first), "no header, ")
}

// ReadFrames implements [audio.Source].
func (f *files) ReadFrames(dst []float32) (int, error) {
	return seam.Fill(dst, f.format.NumChannels, func(dst []float32) (int, error) {
		n, err := f.from.ReadFrames(dst)
		if n == 0 && errors.Is(err, io.EOF) && f.next() {
			return 0, nil
		}
		return n, err
	})
}

// next begins the file behind the current one. It reports false if there is none that can be
// read.
func (f *files) next() bool {
	if f.left != "" || !f.body.another() {
		return false
	}
	if f.joined == maxJoined {
		f.left = fmt.Sprintf("there are more than %d", maxJoined)
		return false
	}
	was := f.fileDefects()
	h, err := readHeader(f.in)
	if err == nil && !seam.CanJoin(h.raw.SampleRateHz, f.format.SampleRate) {
		err = fmt.Errorf("%d Hz can't be made %d", h.raw.SampleRateHz, f.format.SampleRate)
	}
	var more []record.Defect
	if err == nil {
		more, err = f.begin(&h, codec.SizeUnknown)
	}
	if err == nil {
		f.from, err = seam.Conform(f.src, &f.format)
	}
	if err != nil {
		f.left = err.Error()
		return false
	}
	f.before = slices.Concat(f.before, was, more)
	if f.joined++; *f.src.Format() != f.format {
		f.changed = append(f.changed, seam.Name(f.src.Format()))
	}
	return true
}

// count is how many frames there are of all files of a stream of so many bytes, as they will
// be read; -1 if that can't be looked at.
func (f *files) count(at io.ReaderAt, size int64) (total int64) {
	var b [headerBytes]byte
	for start, joined := int64(0), 0; joined <= maxJoined; joined++ {
		if n, err := at.ReadAt(b[:], start); n < headerBytes {
			if errors.Is(err, io.EOF) {
				return total
			}
			return -1
		}
		h, err := parseHeader(b[:])
		if err != nil || start > 0 && !seam.CanJoin(h.raw.SampleRateHz, f.format.SampleRate) {
			return total
		}
		samples := min(start+h.offset, size)
		if start = min(samples+h.size, size); !h.stated() {
			if start, err = headerBehind(at, samples, size); err != nil {
				return -1
			}
		}
		n, err := wav.RawFrames(&h.raw, start-samples)
		if err != nil {
			return total
		}
		total += seam.Frames(n, h.raw.SampleRateHz, f.format.SampleRate)
	}
	return total
}

// headerBehind is where the first header is from off on, or size.
func headerBehind(at io.ReaderAt, off, size int64) (int64, error) {
	buf := make([]byte, bufBytes)
	for ; size-off >= headerBytes; off += bufBytes - headerBytes + 1 {
		n, err := at.ReadAt(buf[:min(bufBytes, size-off)], off)
		if k := headerIn(buf[:n]); k >= 0 {
			return off + int64(k), nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	return size, nil
}

// headerIn is where in b a header is that says what can be read: 12 of its bytes are the
// same in all, or nearly, which samples don't come by. It is -1 if there is none.
func headerIn(b []byte) int {
	first := -1
	for _, m := range []string{magic, turned} {
		for at := 0; ; at++ {
			k := bytes.Index(b[at:], []byte(m))
			if k < 0 || at+k+headerBytes > len(b) {
				break
			}
			at += k
			if _, err := parseHeader(b[at:]); err == nil {
				if first < 0 || at < first {
					first = at
				}
				break
			}
		}
	}
	return first
}

// Defects implements [codec.DefectReporter].
func (f *files) Defects() []record.Defect {
	d := slices.Concat(f.before, f.fileDefects())
	if f.joined > 0 {
		d = append(d, record.Defect{
			Code: record.DefectHeaderRepaired, Detail: fmt.Sprintf("repaired: %d more AU files joined behind the first", f.joined),
		})
	}
	if len(f.changed) > 0 {
		d = append(d, record.Defect{
			Code: record.DefectFormatChanged, Count: int64(len(f.changed)),
			Detail: "a joined file has " + f.changed[0] + "; all of it was read as " + seam.Name(&f.format),
		})
	}
	if f.left != "" {
		d = append(d, record.Defect{Code: record.DefectTruncated, Detail: "an AU file joined behind the audio was left out: " + f.left})
	}
	return d
}

// fileDefects is what is wrong with the current file.
func (f *files) fileDefects() []record.Defect {
	var d []record.Defect
	b := f.body
	if b.unsized && b.read > 0 {
		d = append(d, record.Defect{Code: record.DefectHeaderRepaired, Detail: "repaired: the data size, 0"})
	}
	if b.over >= int64(f.src.Format().SampleRate) {
		d = append(d, record.Defect{
			Code: record.DefectHeaderRepaired, Count: b.over, Detail: "bytes behind the samples, by the header, that were left out",
		})
	}
	later := codec.LaterDefects(f.src)
	if b.cut > 0 {
		d = append(d, record.Defect{
			Code: record.DefectTruncated, Count: b.cut, Detail: "the file ends before its audio does; bytes missing by its header are counted",
		})
		// The frame that it ends within is part of that.
		later = slices.DeleteFunc(later, func(d record.Defect) bool { return d.Code == record.DefectTruncated })
	}
	return append(d, later...)
}

// body is the bytes of the samples of a file.
type body struct {
	in      *bufio.Reader
	left    int64 // to be read
	stated  bool  // the header says how many there are
	unsized bool  // it says 0
	found   bool  // another file's header is where the samples end
	err     error // that the stream ended with, which is given once its bytes are
	read    int64
	cut     int64 // bytes that the header promised and the file lacks
	over    int64 // bytes behind the samples
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case !b.stated:
		n, err = b.readToHeader(p)
	case b.left == 0:
		return 0, io.EOF
	default:
		n, err = b.in.Read(p[:min(int64(len(p)), b.left)])
	}
	b.read += int64(n)
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && b.stated {
		b.cut = b.left
	}
	return n, err
}

// readToHeader reads samples of which it isn't known how many there are: to the header of
// another file, or to the stream's end.
func (b *body) readToHeader(p []byte) (int, error) {
	if b.found {
		return 0, io.EOF
	}
	const more = headerBytes - 1 // a header may begin in p's last byte
	ahead, err := b.in.Peek(min(len(p)+more, b.in.Size()))
	if err != nil && b.err == nil && !errors.Is(err, bufio.ErrBufferFull) {
		b.err = err
	}
	n := min(len(ahead), len(p))
	if b.err == nil {
		n = len(ahead) - more
	}
	if k := headerIn(ahead); k >= 0 && k <= n {
		n, b.found = k, true
	}
	if n == 0 {
		if b.found {
			return 0, io.EOF
		}
		return 0, b.err
	}
	copy(p, ahead[:n])
	_, err = b.in.Discard(n)
	return n, err
}

// another reports whether there is another file behind the samples, which have been read.
// What else is there is counted.
func (b *body) another() bool {
	if b.stated && b.cut == 0 && !b.found {
		ahead, _ := b.in.Peek(headerBytes) // what can't be read isn't missed
		if b.found = len(ahead) == headerBytes && Sniff(ahead); !b.found && b.over == 0 {
			b.over, _ = io.Copy(io.Discard, b.in)
		}
	}
	return b.found
}
