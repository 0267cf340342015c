package flac

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"
	"github.com/mewkiz/flac/frame"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Sniff reports whether a stream that begins with head is FLAC, after an ID3v2
// tag if that fits in head.
func Sniff(head []byte) bool {
	if n := id3Size(head); n > 0 && n < int64(len(head)) {
		head = head[n:]
	}
	return len(head) > 0 && bytes.HasPrefix([]byte(magic), head[:min(len(head), len(magic))])
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
	if !s.decodeNext() {
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
	for {
		_, h, lost, err := s.feed.frame()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return 0, err
		}
		total += lost + int64(h.frames)
	}
}

// source decodes a stream frame by frame.
type source struct {
	feed   feed
	format goaudio.Format
	scale  float32
	clips  *audio.ClipCounter
	frames int64 // in total; -1 if that isn't known

	silence int64     // frames to give before ready
	ready   [][]int32 // by channel, what of the current frame isn't given yet
	left    int       // frames in ready
	given   int64
	lost    int64
	err     error

	mended  string // what of STREAMINFO the first frame contradicts
	strange bool   // no frame follows the metadata, but something does
}

// open reads up to the first frame.
func (s *source) open(r io.Reader) error {
	s.feed = feed{r: r, try: s.try}
	info, err := readMetadata(&s.feed)
	if err != nil {
		if failed := s.feed.failed(); failed != nil {
			return failed
		}
		return err
	}
	first := s.feed.window(frameHeaderMax)
	if _, ok := info.parseFrame(first); !ok {
		info, s.mended = info.corrected(first)
		s.strange = s.mended == "" && len(first) >= frameHeaderMax
	}
	s.feed.info = info
	s.format = goaudio.Format{NumChannels: info.channels, SampleRate: info.rate}
	full := float32(int64(1) << (info.depth - 1))
	s.scale = 1 / full
	s.clips = audio.NewClipCounter(info.channels, min((full-1)/full, 1-1.0/(1<<23)))
	s.ready = make([][]int32, info.channels)
	return nil
}

// readMetadata reads STREAMINFO and drops the other blocks.
func readMetadata(f *feed) (info streamInfo, err error) {
	if n := id3Size(f.window(10)); n > 0 {
		f.drop(n)
	}
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
	f.drop(8 + size)
	for kind&lastBlock == 0 {
		w := f.window(4)
		if len(w) < 4 || w[0]&^lastBlock == 0x7F {
			break // cut off, or no metadata any more: the frames, if any, will be found
		}
		kind = w[0]
		f.drop(4 + int64(binary.BigEndian.Uint32(w)&0xFFFFFF))
	}
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
	ch := s.format.NumChannels
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
		case s.err != nil || !s.decodeNext():
			want = n // the end
		}
	}
	if n == 0 && len(dst) >= ch {
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
	s.silence += lost
	s.lost += lost
	quiet(b, h)
	fr, _ := s.parse(b)
	if fr == nil || int(fr.BlockSize) != h.frames {
		s.silence += int64(h.frames)
		s.lost += int64(h.frames)
		return true
	}
	for c, sub := range fr.Subframes {
		s.ready[c] = sub.Samples
	}
	s.left = h.frames
	return true
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
	if fr.Parse() != nil || len(fr.Subframes) != s.format.NumChannels {
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
	mended := s.mended
	if atEnd && total > 0 && total < s.given {
		if mended != "" {
			mended += "; "
		}
		mended += fmt.Sprintf("the total, %d frames where there are %d", total, s.given)
	}
	if mended != "" {
		d = append(d, record.Defect{Code: record.DefectHeaderRepaired, Detail: "repaired: " + mended})
	}
	if n := s.clips.Clipped(); n > 0 {
		d = append(d, record.Defect{
			Code: record.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	return d
}
