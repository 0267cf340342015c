package wav

import (
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g711"
	"github.com/switchtape/switchtape/recording/codec/internal/seam"
	"github.com/switchtape/switchtape/recording/codec/mp3"
)

// Decode is the [codec.Decoder] of WAV files.
//
// The Source ends with the last whole frame of the last data chunk; several
// data chunks follow one another. What was wrong is in its Defects, once it has
// been read to its end: header_repaired (sizes that contradict the file, a
// missing pad byte), truncated (the file ends within its audio, or blocks of GSM
// or ADPCM make no sense and are silent), clipped and non_finite with their
// counts. It knows its total number of frames if r is an
// io.ReaderAt and hint.Size is known, or if the header agrees with hint.Size.
//
// Files that are joined one behind the other are read one after the other, in the first
// one's format: a header_repaired defect, and format_changed if another has another.
//
// If the hint has a raw format, a file whose fmt chunk is missing is read as that.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	s := &source{walk: walk{in: newInput(r, hint.Size), raw: hint.Raw != nil}, frames: -1}
	if at, ok := r.(io.ReaderAt); ok && hint.Size >= 0 {
		s.at = at
	}
	if err := s.open(); err != nil {
		return nil, nil, err
	}
	if err := s.setLayout(hint); err != nil {
		return nil, nil, err
	}
	if s.enc == encMP3 {
		return s.decodeMP3(r, hint)
	}
	s.prepare()
	s.count(r, hint)
	return &files{source: s, from: s, hint: hint}, nil, nil
}

// source reads the samples of a WAV file or of raw audio.
type source struct {
	walk
	layout

	noHeader  bool
	frames    int64 // in total; -1 if that isn't known
	format    goaudio.Format
	table     *g711.Table
	blocks    *blocks // of encodings that come in blocks
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
	if head := s.in.peek(int(min(tailSize, s.left))); l.other > 0 && !l.soundBlocks(head, l.block) && l.soundBlocks(head, l.other) {
		wrongAlign, l.block = l.block, l.other
	}
	if wrongAlign != 0 {
		s.repair("the block alignment, %d where %d bytes belong together", max(wrongAlign, 0), l.unit())
	}
	if l.badBits != 0 {
		s.repair("the bits per sample, %d where the block alignment says %d", max(l.badBits, 0), 8*l.bytes)
	}
	for _, what := range l.mended {
		s.repair("%s", what)
	}
	s.layout = l
	if head := s.in.peek(codec.Head); l.enc == encInt && l.bytes == 2 && mp3.Begins(head[:min(int64(len(head)), s.left)]) {
		s.repair("the format tag, 0x0001 (PCM) where the audio is MPEG layer III")
		s.layout = layout{enc: encMP3, bytes: 1, channels: 1, rate: l.rate}
	}
	return nil
}

func (s *source) prepare() {
	s.justifyAhead()
	s.format = goaudio.Format{NumChannels: s.channels, SampleRate: s.rate}
	level := float32(audio.FullScale16)
	switch {
	case s.enc == encMulaw:
		s.table, level = g711.Mulaw.DecodeTable(), g711.Mulaw.Max()
	case s.enc == encAlaw:
		s.table, level = g711.Alaw.DecodeTable(), g711.Alaw.Max()
	case s.enc == encGSM || s.enc == encBareGSM:
		level = 32760.0 / 32768 // the last 3 bits are 0
	case s.enc == encG726:
		level = 32764.0 / 32768 // the last 2 bits are 0
	case s.enc == encVox:
		level = 32752.0 / 32768 // the last 4 bits are 0
	case s.bytes == 1:
		level = 127.0 / 128
	}
	s.clips = audio.NewClipCounter(s.channels, level)
	s.blocks = s.newBlocks()
}

// framesIn is the number of frames in so many bytes of audio.
func (s *source) framesIn(bytes int64) int64 {
	n := bytes / int64(s.unit())
	if s.blocks == nil {
		return n
	}
	k := s.blocks.codec
	return n*int64(k.frames(s.block)) + int64(k.frames(int(bytes%int64(s.block))))
}

// withFact is the number of frames of a data chunk of so many bytes, the last
// of the chunks that have before frames: the fact chunk may end it within its
// last block.
func (s *source) withFact(before, bytes int64, sized bool) int64 {
	n := s.framesIn(bytes)
	if s.blocks == nil || !sized || bytes == 0 {
		return n
	}
	last := bytes % int64(s.block)
	if last == 0 || s.blocks.codec.frames(int(last)) == 0 {
		last = min(bytes, int64(s.block))
	}
	if end := before + n; s.fact < end && s.fact > end-int64(s.blocks.codec.frames(int(last))) {
		return s.fact - before
	}
	return n
}

// count finds the total number of frames without reading the audio.
func (s *source) count(r io.Reader, hint codec.Hint) {
	if hint.Size < 0 {
		return
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		if end := s.in.pos + s.left; !s.toEnd && end+s.left&1 >= hint.Size {
			s.frames = s.withFact(0, s.left, true)
		}
		return
	}
	// The same walk once more, over the audio instead of through it.
	section := io.NewSectionReader(at, 0, hint.Size)
	w := walk{in: newInput(section, hint.Size), raw: s.raw, at: section}
	w.in.seek = section
	if w.open() != nil {
		return
	}
	total := s.countFile(&w)
	for w.joined {
		next, err := s.following(w.in, section, hint)
		if err != nil {
			break
		}
		total += seam.Frames(next.countFile(&next.walk), next.rate, s.rate)
		w = next.walk
	}
	if w.in.failed() == nil {
		s.frames = total
	}
}

// countFile is the number of frames of the file that w is in, whose layout is that of s.
func (s *source) countFile(w *walk) int64 {
	total := int64(0)
	for w.left > 0 || w.nextData() {
		skipped, sized := int64(0), !w.toEnd
		if w.toEnd {
			skipped = w.in.skip(max(0, w.left-tailSize))
			w.left -= skipped
			w.in.peek(tailSize + 1) // to the end
			w.cutTrailer()
		}
		total += s.withFact(total, skipped+w.left, sized)
		w.in.skip(w.left)
		w.left = 0
	}
	return total
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
		if s.blocks != nil {
			n += s.readBlocks(dst[n*s.channels : want*s.channels])
			continue
		}
		b := s.next((want - n) * s.unit())
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
		n += len(b) / s.unit()
		s.in.take(len(b))
		s.left -= int64(len(b))
	}
	if n == 0 {
		return 0, s.err
	}
	return n, nil
}

// readBlocks gives frames of the current block, or decodes the next one.
func (s *source) readBlocks(dst []float32) int {
	k := s.blocks
	if len(k.ready) == 0 {
		sized := !s.toEnd
		b := s.next(s.unit())
		if len(b) == 0 {
			return 0
		}
		b = b[:min(len(b), s.unit())]
		k.decode(b, s.channels)
		if n := k.excess(b, s.unit()); n != 1 || s.block&1 == 0 {
			s.partial += n
		}
		s.in.take(len(b))
		if s.left -= int64(len(b)); sized && s.left < int64(s.unit()) && k.codec.frames(int(s.left)) == 0 {
			k.trim(s.fact, s.channels)
		}
	}
	n := copy(dst, k.ready)
	k.ready = k.ready[n:]
	s.clips.Count(dst[:n])
	return n / s.channels
}

// next returns up to want bytes of whole units that are buffered; the last ones
// may be a part of a block that has frames. If it returns none, it has gone to
// the next chunk or set err.
func (s *source) next(want int) []byte {
	unit := s.unit()
	want = int(min(int64(want), int64(max(bufSize/unit*unit, unit)), s.left/int64(unit)*int64(unit)))
	if s.toEnd && want > 0 {
		got := s.in.peek(want + tailSize)
		if next := fileIn(got); next >= 0 {
			s.left, s.toEnd, s.odd = int64(next), false, false
			return nil
		}
		if s.in.err == nil {
			return got[:want]
		}
		s.cutTrailer()
	}
	if s.left == 0 {
		s.endOfChunk()
		return nil
	}
	if s.left < int64(unit) {
		b := s.in.peek(int(s.left))
		if s.partFrames(len(b)) > 0 && int64(len(b)) == s.left {
			return b
		}
		n := s.in.skip(s.left)
		if n != 1 || s.block&1 == 0 { // sox counts the pad byte behind an odd number of odd blocks
			s.partial += n
		}
		s.left = 0
		return nil
	}
	b := s.in.peek(int(min(int64(max(want, unit)), s.left)))
	if len(b) >= unit {
		return b[:len(b)/unit*unit]
	}
	if err := s.in.failed(); err != nil {
		s.err = err
		return nil
	}
	// The stream is shorter than the header says.
	if !s.noHeader {
		s.cut = s.left - int64(len(b))
	}
	s.left = int64(len(b))
	if s.partFrames(len(b)) == 0 {
		s.partial += s.in.skip(s.left)
		s.left = 0
	}
	return nil
}

// partFrames is how many frames are in a part of a block.
func (s *source) partFrames(bytes int) int {
	if s.blocks == nil {
		return 0
	}
	return s.blocks.codec.frames(bytes)
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
		s.finish(s.secondBytes())
	}
}
