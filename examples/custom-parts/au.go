package main

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Sun's AU format: a header of 24 bytes or more, all big-endian (magic, offset
// of the samples, their bytes or 0xFFFFFFFF, encoding, rate, channels), and
// linear PCM of 16 bits, which is encoding 3.
const (
	auMagic    = ".snd"
	auHeader   = 24
	auPCM16    = 3
	auUnknown  = 0xFFFFFFFF
	auSampleSz = 2
)

// auEncoder is the Encoder of AU files.
type auEncoder struct {
	codec.Count // what every encoder does about its frames

	w     io.Writer
	clips int64
	buf   []byte
}

func newAU(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	switch {
	case f == nil || f.NumChannels < 1 || f.NumChannels > 255 || f.SampleRate < 1:
		return nil, &codec.UnsupportedError{Codec: "x-au", What: "format", Nearest: "1 to 255 channels, 1 Hz or more"}
	case o.Frames < codec.FramesUnknown:
		return nil, &codec.UnsupportedError{Codec: "x-au", What: strconv.FormatInt(o.Frames, 10) + " frames", Nearest: "0 or more, or codec.FramesUnknown"}
	case o.BitDepth != 0 && o.BitDepth != 16:
		return nil, &codec.UnsupportedError{Codec: "x-au", What: strconv.Itoa(o.BitDepth) + " bits per sample", Nearest: "16"}
	}
	size := uint32(auUnknown)
	if n := o.Frames * int64(f.NumChannels) * auSampleSz; o.Frames >= 0 && n < auUnknown {
		size = uint32(n)
	}
	e := &auEncoder{w: w, Count: codec.Count{Codec: "x-au", Channels: f.NumChannels, Frames: o.Frames}}
	head := append([]byte(auMagic), 0, 0, 0, auHeader)
	for _, v := range []uint32{size, auPCM16, uint32(f.SampleRate), uint32(f.NumChannels)} {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return e, nil
}

// WriteFrames implements [codec.Encoder].
func (e *auEncoder) WriteFrames(src []float32) error {
	if err := e.Block(src); err != nil {
		return err
	}
	if need := auSampleSz * len(src); cap(e.buf) < need {
		e.buf = make([]byte, need)
	}
	b := e.buf[:auSampleSz*len(src)]
	e.clips += int64(audio.PutPCM16(b, src)) // little-endian, clipped, NaN as silence
	for i := 0; i < len(b); i += auSampleSz {
		b[i], b[i+1] = b[i+1], b[i]
	}
	_, e.Err = e.w.Write(b)
	return e.Err
}

// Finish implements [codec.Encoder].
func (e *auEncoder) Finish() error {
	_, err := e.End()
	return err
}

// Clipped implements [codec.ClipReporter].
func (e *auEncoder) Clipped() int64 { return e.clips }

func sniffAU(head []byte) bool { return len(head) >= 4 && string(head[:4]) == auMagic }

// decodeAU is the Decoder of AU files of 16 bits.
func decodeAU(from io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	r := codec.Progressing(from)
	var head [auHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, auFault(err, record.DefectLegEmpty, "the AU file ends within its header")
	}
	field := func(i int) int64 { return int64(binary.BigEndian.Uint32(head[4*i:])) }
	start, encoding, rate, channels := field(1), field(3), field(4), field(5)
	switch {
	case encoding != auPCM16:
		return nil, nil, &codec.DecodeError{Code: record.DefectUnsupportedCodec, Detail: "AU encoding " + strconv.FormatInt(encoding, 10)}
	case start < auHeader || rate < 1 || channels < 1 || channels > 255:
		return nil, nil, &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: "an AU header that makes no sense"}
	}
	if _, err := io.CopyN(io.Discard, r, start-auHeader); err != nil {
		return nil, nil, auFault(err, record.DefectLegEmpty, "the AU file ends before its samples")
	}
	s := &auSource{r: r, format: goaudio.Format{NumChannels: int(channels), SampleRate: int(rate)}, frames: -1}
	size := field(2)
	if _, random := from.(io.ReaderAt); random && hint.Size >= start {
		size = min(size, hint.Size-start)
		s.frames = size / (auSampleSz * channels)
	}
	s.r = io.LimitReader(r, size)
	return s, nil, nil
}

// auFault is the file's fault, unless the reader failed.
func auFault(err error, code record.DefectCode, detail string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &codec.DecodeError{Code: code, Detail: detail}
	}
	return err
}

// auSource is the samples of an AU file.
type auSource struct {
	r      io.Reader
	format goaudio.Format
	frames int64 // -1: not known
	buf    []byte
	err    error
}

// Format implements [audio.Source].
func (s *auSource) Format() *goaudio.Format { return &s.format }

// Frames implements [audio.Sized].
func (s *auSource) Frames() int64 { return s.frames }

// ReadFrames implements [audio.Source].
func (s *auSource) ReadFrames(dst []float32) (int, error) {
	frame := auSampleSz * s.format.NumChannels
	want := len(dst) / s.format.NumChannels * frame
	if want == 0 || s.err != nil {
		return 0, s.err
	}
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	n, err := io.ReadFull(s.r, s.buf[:want])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	s.err = err
	frames := n / frame
	for i := range dst[:frames*s.format.NumChannels] {
		dst[i] = float32(int16(binary.BigEndian.Uint16(s.buf[auSampleSz*i:]))) / 32768
	}
	if frames > 0 {
		return frames, nil
	}
	return 0, s.err
}
