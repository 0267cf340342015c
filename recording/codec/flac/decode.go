package flac

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	goaudio "github.com/go-audio/audio"
	"github.com/mewkiz/flac/frame"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
)

// Sniff reports whether a stream that begins with head is FLAC, after an ID3v2
// tag if that fits in head.
func Sniff(head []byte) bool {
	if n := id3Size(head); n > 0 && n < int64(len(head)) {
		head = head[n:]
	}
	return len(head) > 0 && bytes.HasPrefix([]byte(magic), head[:min(len(head), len(magic))])
}

// Search reports whether FLAC begins somewhere in head: a stream, or a frame that says its
// own parameters and is followed by another.
func Search(head []byte) bool {
	f := feed{r: bytes.NewReader(head)}
	found, isFrame, _ := f.findStart()
	return found && (isFrame || len(f.window(1)) >= len(magic)+4+streamInfoSize)
}

// id3Size is the length of the ID3v2 tag that b begins with, 0 if it doesn't.
func id3Size(b []byte) int64 {
	if len(b) < 10 || string(b[:3]) != "ID3" {
		return 0
	}
	size := int64(b[6]&0x7F)<<21 | int64(b[7]&0x7F)<<14 | int64(b[8]&0x7F)<<7 | int64(b[9]&0x7F)
	if b[5]&0x10 != 0 {
		size += 10 // a footer
	}
	return 10 + size
}

// Decode is the [codec.Decoder] of FLAC, over mewkiz/flac: 4 to 31 bits, 1 to 8
// channels. Streams of 32 bits are refused as an unsupported codec, those that
// end before any audio as an empty leg.
//
// The file is believed rather than its header: the Source has every frame whose
// check is right. Frames that are damaged are replaced by silence where the
// next one's number says how much is missing, so that the timeline stays right;
// these, audio missing at the end and a frame cut off are a truncated defect,
// counted in frames. A total in the header below what there is, and channels or
// bits that the first frame contradicts, are a header_repaired one. Clipping is reported.
//
// Where the channels, the bits or the rate change, in the frames or by another stream that
// is joined behind the first, reading goes on in the first one's format, with a
// format_changed defect. A stream may begin at a frame, or behind bytes that are no FLAC;
// these are a header_repaired defect.
//
// The Source knows its total if r is an io.ReaderAt and hint.Size is known: the
// frames are then counted, without decoding them. The header's total alone is
// not relied on, as a file that was cut still has it.
//
// mewkiz/flac gets to see single frames only, whose CRC-16 is right unless it is
// the stream's last, and its panics end here.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	s := &source{frames: -1}
	if err := s.open(r); err != nil {
		return nil, nil, err
	}
	if at, ok := r.(io.ReaderAt); ok && hint.Size >= 0 {
		if n, err := count(io.NewSectionReader(at, 0, hint.Size)); err == nil {
			s.frames = n
		}
	}
	// The first frame, so that a file without audio is known to be one.
	if !s.decodeNext() && s.held == nil {
		if !errors.Is(s.err, io.EOF) {
			return nil, nil, s.err
		}
		if s.strange {
			return nil, nil, unreadable("a FLAC file of which no frame agrees with its header")
		}
		return nil, nil, &codec.DecodeError{Code: record.DefectLegEmpty, Detail: "a FLAC file without a whole frame"}
	}
	return s, nil, nil
}

// count is the number of frames of audio in a stream.
func count(r io.Reader) (total int64, err error) {
	s := &source{}
	if err := s.open(r); err != nil {
		return 0, err
	}
	part := int64(0) // frames of the current parameters
	s.rate = s.feed.info.rate
	for {
		_, h, lost, err := s.feed.frame()
		if errors.Is(err, io.EOF) {
			return total + seam.Frames(part, s.rate, s.feed.rate), nil
		}
		if err != nil {
			return 0, err
		}
		if s.feed.part != s.part {
			total += seam.Frames(part, s.rate, s.feed.rate)
			s.part, s.rate, part = s.feed.part, s.feed.info.rate, 0
		}
		part += lost + int64(h.frames)
	}
}

// source decodes a stream frame by frame.
type source struct {
	feed   feed
	format goaudio.Format
	frames int64        // in total; -1 if that isn't known
	from   audio.Source // of the current part, in format
	parts  changes

	// The part of the stream that has the same parameters.
	part    int
	rate    int // Hz
	ch      int
	scale   float32
	clips   *audio.ClipCounter
	clipped int64 // of the parts before
	held    *heldFrame

	silence int64     // frames to give before ready
	ready   [][]int32 // by channel, what of the current frame isn't given yet
	left    int       // frames in ready
	given   int64
	lost    int64
	err     error

	mended  []string // what of STREAMINFO the first frame contradicts, and what came before it
	strange bool     // no frame follows the metadata, but something does
}

// open reads up to the first frame.
func (s *source) open(r io.Reader) error {
	s.feed = feed{r: r, try: s.try}
	info, headless, err := s.readStart()
	if err != nil {
		if failed := s.feed.failed(); failed != nil {
			return failed
		}
		return err
	}
	first := s.feed.window(frameHeaderMax)
	if _, ok := info.parseFrame(first); !ok && !headless {
		var wrong string
		info, wrong = info.corrected(first)
		if wrong != "" {
			s.mended = append(s.mended, wrong)
		}
		s.strange = wrong == "" && len(first) >= frameHeaderMax
	}
	s.feed.info, s.feed.rate = info, info.rate
	s.format = goaudio.Format{NumChannels: info.channels, SampleRate: info.rate}
	s.beginPart()
	return nil
}

// readStart goes to the first frame. headless: no STREAMINFO is before it.
func (s *source) readStart() (info streamInfo, headless bool, err error) {
	f := &s.feed
	if n := id3Size(f.window(10)); n > 0 {
		f.drop(n)
	}
	if w := f.window(len(magic)); len(w) >= len(magic) && !bytes.HasPrefix(w, []byte(magic)) {
		found, isFrame, skipped := f.findStart()
		switch {
		case !found:
			return info, false, unreadable("not a FLAC file")
		case isFrame:
			s.mended = append(s.mended, "a stream without a header, which begins at a frame")
		}
		if skipped > 0 {
			s.mended = append(s.mended, fmt.Sprintf("%d bytes before the audio that are no FLAC", skipped))
		}
		if isFrame {
			return f.info, true, nil
		}
	}
	info, err = readMetadata(f)
	return info, false, err
}

// beginPart takes the feed's parameters for what follows.
func (s *source) beginPart() {
	info := &s.feed.info
	s.part, s.rate, s.ch = s.feed.part, info.rate, info.channels
	full := float32(int64(1) << (info.depth - 1))
	s.scale = 1 / full
	if s.clips != nil {
		s.clipped += s.clips.Clipped()
	}
	s.clips = audio.NewClipCounter(info.channels, min((full-1)/full, 1-1.0/(1<<23)))
	s.ready = make([][]int32, info.channels)
	s.from = &partSource{s: s, format: goaudio.Format{NumChannels: info.channels, SampleRate: info.rate}}
}

// readMetadata reads STREAMINFO and drops the other blocks.
func readMetadata(f *feed) (info streamInfo, err error) {
	w := f.window(len(magic) + 4 + streamInfoSize)
	if !bytes.HasPrefix(w, []byte(magic)) && !bytes.HasPrefix([]byte(magic), w) {
		return info, unreadable("not a FLAC file")
	}
	if len(w) < len(magic)+4+streamInfoSize {
		return info, &codec.DecodeError{
			Code: record.DefectLegEmpty, Detail: fmt.Sprintf("the FLAC file ends after %d bytes", len(w)),
		}
	}
	kind, size := w[4], int64(binary.BigEndian.Uint32(w[4:])&0xFFFFFF)
	if kind&^lastBlock != blockStreamInfo || size < streamInfoSize {
		return info, unreadable("a FLAC file that doesn't begin with STREAMINFO")
	}
	info = parseStreamInfo((*[streamInfoSize]byte)(w[8:]))
	switch {
	case info.rate < audio.MinResampleRate || info.rate > audio.MaxResampleRate:
		return info, unreadable("the header claims a sample rate of %d Hz; %d to %d can be read",
			info.rate, audio.MinResampleRate, audio.MaxResampleRate)
	case info.depth < 4:
		return info, unreadable("the header claims %d bits per sample; 4 to 32 exist", info.depth)
	case info.depth > 31:
		return info, &codec.DecodeError{
			Code: record.DefectUnsupportedCodec, Detail: fmt.Sprintf("FLAC of %d bits; 4 to 31 can be read", info.depth),
		}
	}
	f.drop(int64(len(magic)))
	f.metadata()
	return info, nil
}

func unreadable(format string, args ...any) error {
	return &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: fmt.Sprintf(format, args...)}
}

// Format implements [audio.Source].
func (s *source) Format() *goaudio.Format { return &s.format }

// Frames implements [audio.Sized].
func (s *source) Frames() int64 { return s.frames }

// ReadFrames implements [audio.Source].
func (s *source) ReadFrames(dst []float32) (int, error) {
	return seam.Fill(dst, s.format.NumChannels, func(dst []float32) (int, error) {
		n, err := s.from.ReadFrames(dst)
		if n == 0 && err != nil && s.held != nil {
			return 0, s.nextPart()
		}
		return n, err
	})
}

// partSource is the Source of a part of the stream, in its own format.
type partSource struct {
	s      *source
	format goaudio.Format
}

// Format implements [audio.Source].
func (p *partSource) Format() *goaudio.Format { return &p.format }

// ReadFrames implements [audio.Source].
func (p *partSource) ReadFrames(dst []float32) (int, error) { return p.s.readPart(dst) }

// readPart gives frames of the current part. It ends where the parameters change.
func (s *source) readPart(dst []float32) (int, error) {
	ch := s.ch
	want := len(dst) / ch
	n := 0
	for n < want {
		switch {
		case s.silence > 0:
			k := int(min(s.silence, int64(want-n)))
			clear(dst[n*ch : (n+k)*ch])
			s.silence -= int64(k)
			n += k
		case s.left > 0:
			k := min(s.left, want-n)
			for c, plane := range s.ready {
				for i, v := range plane[:k] {
					dst[(n+i)*ch+c] = float32(v) * s.scale
				}
				s.ready[c] = plane[k:]
			}
			s.left -= k
			n += k
		case s.held != nil || s.err != nil || !s.decodeNext():
			want = n // the end
		}
	}
	if n == 0 && len(dst) >= ch {
		if s.held != nil {
			return 0, io.EOF
		}
		return 0, s.err
	}
	s.given += int64(n)
	s.clips.Count(dst[:n*ch])
	return n, nil
}

// decodeNext decodes the next frame, or sets err.
func (s *source) decodeNext() bool {
	b, h, lost, err := s.feed.frame()
	if err != nil {
		s.err = err
		return false
	}
	if s.feed.part != s.part {
		s.held = &heldFrame{b, h, lost}
		return false
	}
	s.take(b, h, lost)
	return true
}

// heldFrame is the first frame of a part that hasn't begun yet.
type heldFrame struct {
	b    []byte // of the feed's buffer
	h    frameHeader
	lost int64
}

// nextPart begins the part whose first frame is held.
func (s *source) nextPart() error {
	first := s.held
	s.held = nil
	s.parts.add(s.given, &s.feed.info)
	s.beginPart()
	from, err := seam.Conform(s.from, &s.format)
	if err != nil {
		return err
	}
	s.from = from
	s.take(first.b, first.h, first.lost)
	return nil
}

// take decodes a frame before which so many were lost.
func (s *source) take(b []byte, h frameHeader, lost int64) {
	s.silence += lost
	s.lost += lost
	quiet(b, h)
	fr, _ := s.parse(b)
	if fr == nil || int(fr.BlockSize) != h.frames {
		s.silence += int64(h.frames)
		s.lost += int64(h.frames)
		return
	}
	for c, sub := range fr.Subframes {
		s.ready[c] = sub.Samples
	}
	s.left = h.frames
}

// quiet makes a frame of 24 or 176.4 kHz refer to the stream's header for its
// rate: mewkiz/flac logs a line for each one that names these.
func quiet(b []byte, h frameHeader) {
	if h.rate != 2 && h.rate != 7 {
		return
	}
	b[2] &= 0xF0
	b[h.bytes-1] = crc8(b[:h.bytes-1])
	binary.BigEndian.PutUint16(b[len(b)-2:], crc16(b[:len(b)-2]))
}

// parse decodes the frame that b begins with, and returns its length in bytes.
// The frame is nil if that fails.
func (s *source) parse(b []byte) (fr *frame.Frame, length int) {
	defer func() {
		if recover() != nil {
			fr, length = nil, 0
		}
	}()
	r := bytes.NewReader(b)
	fr, err := frame.New(r)
	if err != nil {
		return nil, 0
	}
	fr.BitsPerSample = uint8(s.feed.info.depth) // which 0 refers to
	if fr.Parse() != nil || len(fr.Subframes) != s.feed.info.channels {
		return nil, 0
	}
	for _, sub := range fr.Subframes {
		if len(sub.Samples) != int(fr.BlockSize) {
			return nil, 0
		}
	}
	return fr, len(b) - r.Len()
}

// try is the length of the frame that b begins with, 0 if it can't be decoded.
func (s *source) try(b []byte) int {
	_, length := s.parse(b)
	return length
}

// Defects implements [codec.DefectReporter].
func (s *source) Defects() []record.Defect {
	var d []record.Defect
	total := s.feed.info.total
	atEnd := s.err != nil
	missing := int64(0)
	if atEnd && total > s.given {
		missing = total - s.given
	}
	if s.lost > 0 || missing > 0 || s.feed.damaged {
		d = append(d, record.Defect{
			Code: record.DefectTruncated, Count: s.lost + missing,
			Detail: "frames of audio that are damaged, given as silence, or missing at the end by the header",
		})
	}
	mended := slices.Clone(s.mended)
	if atEnd && total > 0 && total < s.given {
		mended = append(mended, fmt.Sprintf("the total, %d frames where there are %d", total, s.given))
	}
	if n := s.feed.joined; n > 0 {
		mended = append(mended, fmt.Sprintf("%d more streams joined behind the first", n))
	}
	if len(mended) > 0 {
		d = append(d, record.Defect{Code: record.DefectHeaderRepaired, Detail: "repaired: " + strings.Join(mended, "; ")})
	}
	d = append(d, s.parts.defects(&s.format)...)
	if n := s.clipped + s.clips.Clipped(); n > 0 {
		d = append(d, record.Defect{
			Code: record.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	return d
}
