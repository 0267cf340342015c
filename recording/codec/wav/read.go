package wav

import (
	"io"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g711"
)

// Decode is the [codec.Decoder] of WAV files.
//
// The Source ends with the last whole frame of the last data chunk; several
// data chunks follow one another. What was wrong is in its Defects, once it has
// been read to its end: header_repaired (sizes that contradict the file, a
// missing pad byte), truncated (the file ends within its audio), clipped and
// non_finite with their counts. It knows its total number of frames if r is an
// io.ReaderAt and hint.Size is known, or if the header agrees with hint.Size.
//
// If the hint has a raw format, a file whose fmt chunk is missing is read as that.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []callmodel.Defect, error) {
	s := &source{walk: walk{in: newInput(r, hint.Size), raw: hint.Raw != nil}, frames: -1}
	if err := s.open(); err != nil {
		return nil, nil, err
	}
	if err := s.setLayout(hint); err != nil {
		return nil, nil, err
	}
	s.prepare()
	s.count(r, hint)
	return s, nil, nil
}

// DecodeRaw is the [codec.Decoder] of audio without a header, in the format of
// hint.Raw. A last frame that isn't whole is a truncated defect.
func DecodeRaw(r io.Reader, hint codec.Hint) (audio.Source, []callmodel.Defect, error) {
	if hint.Raw == nil {
		return nil, nil, unreadable("no format is given for audio without a header")
	}
	s := &source{walk: walk{in: newInput(r, hint.Size), left: 1 << 62}, noHeader: true, frames: -1}
	if err := s.rawLayout(hint.Raw); err != nil {
		return nil, nil, err
	}
	if hint.Size >= 0 {
		s.frames = hint.Size / int64(s.frameBytes())
	}
	s.prepare()
	return s, nil, nil
}

// source reads the samples of a WAV file or of raw audio.
type source struct {
	walk
	layout

	noHeader  bool
	frames    int64 // in total; -1 if that isn't known
	format    goaudio.Format
	table     *g711.Table
	clips     *audio.ClipCounter
	nonFinite int64
	partial   int64 // bytes that were no whole frame
	err       error
}

func (s *source) setLayout(hint codec.Hint) error {
	if s.walk.format == nil {
		s.repair("the fmt chunk, missing; the job's raw format was used")
		return s.rawLayout(hint.Raw)
	}
	l, wrongAlign, err := parseFormat(s.walk.format, s.order)
	if err != nil {
		return err
	}
	if wrongAlign != 0 {
		s.repair("the block alignment, %d for frames of %d bytes", max(wrongAlign, 0), l.frameBytes())
	}
	s.layout = l
	return nil
}

func (s *source) rawLayout(f *callmodel.RawFormat) error {
	s.layout = layout{channels: max(f.Channels, 1), rate: f.SampleRateHz, bytes: 1}
	switch f.Encoding {
	case "s16le":
		s.bytes = 2
	case "mulaw":
		s.enc = encMulaw
	case "alaw":
		s.enc = encAlaw
	default:
		return unsupported("raw encoding %q; s16le, mulaw and alaw can be read", f.Encoding)
	}
	if s.channels > MaxChannels || s.rate < audio.MinResampleRate || s.rate > audio.MaxResampleRate {
		return unsupported("raw audio of %d channels at %d Hz", s.channels, s.rate)
	}
	return nil
}

func (s *source) prepare() {
	s.format = goaudio.Format{NumChannels: s.channels, SampleRate: s.rate}
	level := float32(audio.FullScale16)
	switch {
	case s.enc == encMulaw:
		s.table, level = g711.Mulaw.DecodeTable(), g711.Mulaw.Max()
	case s.enc == encAlaw:
		s.table, level = g711.Alaw.DecodeTable(), g711.Alaw.Max()
	case s.bytes == 1:
		level = 127.0 / 128
	}
	s.clips = audio.NewClipCounter(s.channels, level)
}

// count finds the total number of frames without reading the audio.
func (s *source) count(r io.Reader, hint codec.Hint) {
	if hint.Size < 0 {
		return
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		if end := s.in.pos + s.left; !s.toEnd && end+s.left&1 >= hint.Size {
			s.frames = s.left / int64(s.frameBytes())
		}
		return
	}
	// The same walk once more, over the audio instead of through it.
	section := io.NewSectionReader(at, 0, hint.Size)
	w := walk{in: newInput(section, hint.Size), raw: s.raw}
	w.in.seek = section
	if w.open() != nil {
		return
	}
	total := int64(0)
	for w.left > 0 || w.nextData() {
		skipped := int64(0)
		if w.toEnd {
			skipped = w.in.skip(max(0, w.left-tailSize))
			w.left -= skipped
			w.in.peek(tailSize + 1) // to the end
			w.settle()
		}
		total += (skipped + w.left) / int64(s.frameBytes())
		w.in.skip(w.left)
		w.left = 0
	}
	if w.in.failed() == nil {
		s.frames = total
	}
}

// Format implements [audio.Source].
func (s *source) Format() *goaudio.Format { return &s.format }

// Frames implements [audio.Sized].
func (s *source) Frames() int64 { return s.frames }

// ReadFrames implements [audio.Source].
func (s *source) ReadFrames(dst []float32) (int, error) {
	want := len(dst) / s.channels
	if s.err != nil || want == 0 {
		return 0, s.err
	}
	n := 0
	for n < want && s.err == nil {
		b := s.next((want - n) * s.frameBytes())
		if len(b) == 0 {
			continue
		}
		block := dst[n*s.channels : n*s.channels+len(b)/s.bytes]
		full, bad := s.convert(block, b, s.table)
		if full {
			s.clips.Count(block)
		} else {
			s.clips.Skip()
		}
		s.nonFinite += bad
		n += len(b) / s.frameBytes()
		s.in.take(len(b))
		s.left -= int64(len(b))
	}
	if n == 0 {
		return 0, s.err
	}
	return n, nil
}

// next returns up to want bytes of whole frames that are buffered. If it
// returns none, it has gone to the next chunk or set err.
func (s *source) next(want int) []byte {
	fb := s.frameBytes()
	want = int(min(int64(want), int64(max(bufSize/fb*fb, fb)), s.left/int64(fb)*int64(fb)))
	if s.toEnd && want > 0 {
		if got := s.in.peek(want + tailSize); s.in.err == nil {
			return got[:want]
		}
		s.settle()
	}
	if s.left == 0 {
		s.endOfChunk()
		return nil
	}
	if s.left < int64(fb) {
		s.partial += s.in.skip(s.left)
		s.left = 0
		return nil
	}
	b := s.in.peek(int(min(int64(max(want, fb)), s.left)))
	if len(b) < fb {
		if err := s.in.failed(); err != nil {
			s.err = err
			return nil
		}
		// The stream is shorter than the header says.
		s.partial += s.in.skip(int64(len(b)))
		if !s.noHeader {
			s.cut = s.left - int64(len(b))
		}
		s.left = 0
		return nil
	}
	return b[:len(b)/fb*fb]
}

func (s *source) endOfChunk() {
	if !s.noHeader && s.nextData() {
		return
	}
	if s.err = s.in.failed(); s.err != nil {
		return
	}
	s.err = io.EOF
	if !s.noHeader {
		s.finish(s.frameBytes(), s.rate)
	}
}

// Defects implements [codec.DefectReporter].
func (s *source) Defects() []callmodel.Defect {
	var d []callmodel.Defect
	if len(s.repairs) > 0 {
		d = append(d, callmodel.Defect{
			Code: callmodel.DefectHeaderRepaired, Detail: "repaired: " + strings.Join(s.repairs, "; "),
		})
	}
	if s.cut > 0 || s.partial > 0 {
		detail := "the file ends within a frame"
		if s.cut > 0 {
			detail = "the file ends before its audio does; bytes missing by its header are counted"
		}
		d = append(d, callmodel.Defect{Code: callmodel.DefectTruncated, Detail: detail, Count: max(s.cut, s.partial)})
	}
	if n := s.clips.Clipped(); n > 0 {
		d = append(d, callmodel.Defect{
			Code: callmodel.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	if s.nonFinite > 0 {
		d = append(d, callmodel.Defect{
			Code: callmodel.DefectNonFinite, Detail: "samples that are NaN or infinite, read as silence", Count: s.nonFinite,
		})
	}
	return d
}

// NewPCMSource is a Source of bare little-endian linear PCM of 8 (unsigned), 16,
// 24 or 32 bits, size bytes of it; the stream may end before.
func NewPCMSource(r io.Reader, f *goaudio.Format, bits int, size int64) (audio.Source, error) {
	if bits%8 != 0 || bits < 8 || bits > 32 || f == nil || f.NumChannels < 1 || f.NumChannels > MaxChannels || f.SampleRate < 1 {
		return nil, unsupported("PCM of %d bits in the format %+v", bits, f)
	}
	s := &source{walk: walk{in: newInput(r, codec.SizeUnknown), left: max(size, 0)}, noHeader: true, frames: -1}
	s.layout = layout{channels: f.NumChannels, rate: f.SampleRate, bytes: bits / 8}
	s.prepare()
	return s, nil
}
