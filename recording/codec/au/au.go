package au

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

const (
	headerBytes = 24
	magic       = ".snd"
	turned      = "dns." // the same with its bytes turned around, as DEC's machines wrote it
	sizeUnknown = 0xFFFFFFFF
	// maxHeader is the longest header that is believed: what is behind its first bytes is
	// a comment.
	maxHeader = 1 << 20
)

// Sniff reports whether a stream begins with the header of an AU file.
func Sniff(head []byte) bool {
	return bytes.HasPrefix(head, []byte(magic)) || bytes.HasPrefix(head, []byte(turned))
}

// header is the file's header.
type header struct {
	order    binary.ByteOrder
	offset   int64 // of the samples
	size     int64 // of the samples in bytes, or sizeUnknown
	encoding uint32
	raw      record.RawFormat
}

// Decode is the [codec.Decoder] of AU files.
//
// The Source ends with the last whole frame of the size that the header states, or of the
// file. What was wrong is in its Defects, once it has been read to its end: truncated (the
// file ends before its samples do), header_repaired (a size of 0 with samples behind it,
// or bytes behind the samples that were left out).
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	r = codec.Progressing(r)
	h, err := readHeader(r)
	if err != nil {
		return nil, nil, err
	}
	b := &body{r: r, left: h.size, stated: true}
	rest := codec.SizeUnknown
	if hint.Size >= 0 {
		rest = max(hint.Size-h.offset, 0)
	}
	switch h.size {
	case sizeUnknown:
		b.left, b.stated = 1<<62, false
	case 0:
		b.left, b.stated, b.unsized = 1<<62, false, true
	}
	inner := codec.Hint{Size: codec.SizeUnknown, Raw: &h.raw}
	if rest >= 0 {
		inner.Size = min(b.left, rest)
	}
	src, defects, err := wav.DecodeRaw(b, inner)
	if err != nil {
		return nil, nil, err
	}
	return &source{Source: src, body: b}, defects, nil
}

// readHeader reads the header and what is behind it up to the samples.
func readHeader(r io.Reader) (h header, err error) {
	var b [headerBytes]byte
	n, err := io.ReadFull(r, b[:])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return h, &codec.DecodeError{Code: record.DefectLegEmpty, Detail: fmt.Sprintf("the AU file ends after %d bytes", n)}
	case err != nil:
		return h, err
	}
	h.order = binary.BigEndian
	switch string(b[:4]) {
	case magic:
	case turned:
		h.order = binary.LittleEndian
	default:
		return h, unreadable("not an AU file")
	}
	h.offset, h.size = int64(h.order.Uint32(b[4:])), int64(h.order.Uint32(b[8:]))
	h.encoding = h.order.Uint32(b[12:])
	rate, channels := h.order.Uint32(b[16:]), h.order.Uint32(b[20:])
	if h.offset < headerBytes || h.offset > maxHeader {
		return h, unreadable("an AU file whose samples begin at byte %d; 24 to %d can be read", h.offset, maxHeader)
	}
	if channels < 1 || channels > wav.MaxChannels || rate < audio.MinResampleRate || rate > audio.MaxResampleRate {
		return h, unreadable("an AU file of %d channels at %d Hz; 1 to %d can be read, at %d to %d Hz",
			channels, rate, wav.MaxChannels, audio.MinResampleRate, audio.MaxResampleRate)
	}
	name, ok := h.encodingName()
	if !ok {
		return h, &codec.DecodeError{Code: record.DefectUnsupportedCodec, Detail: fmt.Sprintf("AU encoding %d", h.encoding)}
	}
	h.raw = record.RawFormat{Encoding: name, SampleRateHz: int(rate), Channels: int(channels)}
	if _, err := io.CopyN(io.Discard, r, h.offset-headerBytes); err != nil && err != io.EOF { //nolint:errorlint // io.Reader's contract: EOF itself
		return h, err
	}
	return h, nil
}

// encodingName is the header's encoding as record.RawEncodings has it (Sun's
// multimedia/audio_filehdr.h). The G.721 and G.723 of the list are the 32, 24 and 40
// kbit/s of G.726.
func (h *header) encodingName() (string, bool) {
	end := "be"
	if h.order == binary.ByteOrder(binary.LittleEndian) {
		end = "le"
	}
	switch h.encoding {
	case 1:
		return "mulaw", true
	case 2:
		return "s8", true
	case 3:
		return "s16" + end, true
	case 4:
		return "s24" + end, true
	case 5:
		return "s32" + end, true
	case 6:
		return "f32" + end, true
	case 7:
		return "f64" + end, true
	case 23:
		return "g726-32", true
	case 24:
		return "g722", true
	case 25:
		return "g726-24", true
	case 26:
		return "g726-40", true
	case 27:
		return "alaw", true
	}
	return "", false
}

func unreadable(format string, args ...any) error {
	return &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: fmt.Sprintf(format, args...)}
}

// body is the bytes of the samples.
type body struct {
	r       io.Reader
	left    int64 // to be read
	stated  bool  // the header says how many there are
	unsized bool  // it says 0
	read    int64
	cut     int64 // bytes that the header promised and the file lacks
	over    int64 // bytes behind the samples
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		if b.over == 0 {
			b.over, _ = io.Copy(io.Discard, b.r) // what can't be read isn't missed
		}
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.read += int64(n)
	b.left -= int64(n)
	if err == io.EOF && b.stated {
		b.cut = b.left
	}
	return n, err
}

// source is the Source of the samples, with what is known of the file.
type source struct {
	audio.Source

	body *body
}

// Format implements [audio.Source].
func (s *source) Format() *goaudio.Format { return s.Source.Format() }

// Frames implements [audio.Sized].
func (s *source) Frames() int64 {
	if n, ok := audio.FramesOf(s.Source); ok {
		return n
	}
	return -1
}

// Describe implements [codec.Describer].
func (s *source) Describe() string {
	return "AU, " + strings.TrimPrefix(codec.Describe(s.Source), "no header, ")
}

// Defects implements [codec.DefectReporter].
func (s *source) Defects() []record.Defect {
	var d []record.Defect
	b := s.body
	if b.unsized && b.read > 0 {
		d = append(d, record.Defect{Code: record.DefectHeaderRepaired, Detail: "repaired: the data size, 0"})
	}
	if rate := s.Source.Format().SampleRate; b.over >= int64(rate) {
		d = append(d, record.Defect{
			Code: record.DefectHeaderRepaired, Count: b.over, Detail: "bytes behind the samples, by the header, that were left out",
		})
	}
	later := codec.LaterDefects(s.Source)
	if b.cut > 0 {
		d = append(d, record.Defect{
			Code: record.DefectTruncated, Count: b.cut, Detail: "the file ends before its audio does; bytes missing by its header are counted",
		})
		// The frame that it ends within is part of that.
		later = without(later, record.DefectTruncated)
	}
	return append(d, later...)
}

func without(list []record.Defect, code record.DefectCode) []record.Defect {
	var kept []record.Defect
	for _, d := range list {
		if d.Code != code {
			kept = append(kept, d)
		}
	}
	return kept
}
