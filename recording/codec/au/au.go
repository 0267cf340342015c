package au

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

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
	bufBytes  = 1 << 15
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
// file. Its total is known if r is also an io.ReaderAt and hint.Size is known, or if the
// header agrees with hint.Size. What was wrong is in its Defects, once it has been read to its
// end: truncated (the file ends before its samples do), header_repaired (a size of 0 with
// samples behind it, or bytes behind the samples that were left out).
//
// Files that are joined one behind the other are read one after the other, in the first
// one's format: a header_repaired defect, and format_changed if another has another.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	at, random := r.(io.ReaderAt)
	f := &files{in: bufio.NewReaderSize(codec.Progressing(r), bufBytes), frames: -1}
	h, err := readHeader(f.in)
	if err != nil {
		return nil, nil, err
	}
	rest := codec.SizeUnknown
	if hint.Size >= 0 {
		rest = max(hint.Size-h.offset, 0)
	}
	defects, err := f.begin(&h, rest)
	if err != nil {
		return nil, nil, err
	}
	f.first, f.format, f.from = f.src, *f.src.Format(), f.src
	switch {
	case rest >= 0 && random:
		f.frames = f.count(at, hint.Size)
	case rest >= 0 && h.stated() && h.size >= rest:
		f.frames, _ = audio.FramesOf(f.src)
	}
	return f, defects, nil
}

// readHeader reads the header and what is behind it up to the samples.
func readHeader(r io.Reader) (h header, err error) {
	var b [headerBytes]byte
	n, err := io.ReadFull(r, b[:])
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return h, &codec.DecodeError{Code: record.DefectLegEmpty, Detail: fmt.Sprintf("the AU file ends after %d bytes", n)}
	case err != nil:
		return h, err
	}
	if h, err = parseHeader(b[:]); err != nil {
		return h, err
	}
	if _, err := io.CopyN(io.Discard, r, h.offset-headerBytes); err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	return h, nil
}

// parseHeader reads the first bytes of a header, of which there are headerBytes.
func parseHeader(b []byte) (h header, err error) {
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
	return h, nil
}

// stated reports whether the header says how many bytes of samples there are.
func (h *header) stated() bool { return h.size != 0 && h.size != sizeUnknown }

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
