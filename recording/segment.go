package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// segment is one file of a leg, and the Source of its frames. It is opened
// when it is planned, and again when it is read, unless it is its leg's only one.
type segment struct {
	ctx  context.Context //nolint:containedctx // a segment lives within one call of Process
	p    *Processor
	leg  *leg
	spec *record.SegmentSpec

	there  bool           // the file exists
	frames int64          // that it has; 0 if it can't be read
	held   goaudio.Format // of the file, by its header
	format goaudio.Format // of the frames: at their true rate
	// wrongRate: the rate is suspected to be wrong, and was left; rateKnown: it was
	// given, or corrected.
	wrongRate, rateKnown bool
	lost                 int64 // of the frames, that could not be read after all
	dropouts             *audio.DropoutDetector

	bytes int64  // of its file that were read
	sum   string // hex SHA-256 of them; "" if nothing was read

	planned bool      // what it was at first is known
	size    int64     // of the file then, in bytes; codec.SizeUnknown
	grown   bool      // it has become longer since
	written time.Time // when it was modified last, as it was planned; zero if that isn't known
	cut     bool      // it may be the beginning of a longer one, by what it holds
	fresh   bool      // it was modified too lately for a file that is finished

	file     *legFile // nil unless it is open
	tail     *legFile // the file, read to its end, if it may still grow
	src      audio.Source
	read     int64
	finished bool // read to its end, or hashed, and closed
	err      error
}

// plan finds out what the segment is. Its faults become defects of the leg;
// the error is that of the place where legs are.
func (s *segment) plan() error {
	h := s.leg.newHash(true)
	defects, err := s.open(h)
	if err != nil {
		return err
	}
	for _, d := range defects {
		s.leg.defect(s, d)
	}
	if s.src == nil {
		s.close()
		return nil
	}
	s.held = *s.src.Format()
	s.format = s.held
	if hz := s.spec.SampleRateHz; hz != 0 {
		s.format.SampleRate, s.rateKnown = hz, true
	}
	n, keepOpen := audio.FramesOf(s.src)
	if !keepOpen {
		if n, err = s.count(); err != nil {
			return err
		}
	}
	s.frames = n
	s.planned, s.size = true, s.file.size
	if n == 0 {
		s.leg.defect(s, record.Defect{Code: record.DefectLegEmpty, Detail: "the file holds no audio"})
	}
	if !keepOpen || n == 0 || h == nil {
		s.close()
	}
	return nil
}

// open opens the file and its decoder. Without an error and without a src the
// defects say why.
func (s *segment) open(h *sums) ([]record.Defect, error) {
	rc, err := s.p.legs.OpenLeg(s.ctx, s.spec.URI)
	if errors.Is(err, fs.ErrNotExist) {
		return []record.Defect{{Code: record.DefectLegMissing, Detail: "no file " + s.spec.URI}}, nil
	}
	if err != nil {
		return nil, s.failure("open", err)
	}
	s.there = true
	s.file = s.newFile(rc, h)
	if s.written.IsZero() {
		s.written = writtenAt(rc)
	}
	src, defects, err := s.p.codecs.Decode(s.file.reader(), codec.Hint{Size: s.file.size, Raw: s.spec.Raw})
	if err == nil {
		s.src = src
		return defects, nil
	}
	d, ok := s.decodeFault(err)
	if !ok {
		s.close()
		return nil, s.failure("read", err)
	}
	return append(defects, d), nil
}

func (s *segment) failure(doing string, err error) error {
	return fmt.Errorf("recording: %s leg %q, file %q: %w", doing, s.leg.spec.Name, s.spec.URI, err)
}

// decodeFault turns the error of a decoder into a defect, if the file is to blame.
func (s *segment) decodeFault(err error) (record.Defect, bool) {
	var fault *codec.DecodeError
	if !errors.As(err, &fault) || s.file == nil || s.file.err != nil {
		return record.Defect{}, false
	}
	detail := fault.Detail
	if fault.Err != nil {
		detail += ": " + fault.Err.Error()
	}
	return record.Defect{Code: fault.Code, Detail: detail}, true
}

// count reads the whole segment for the number of its frames.
func (s *segment) count() (int64, error) {
	block := make([]float32, s.format.NumChannels*countBlock)
	for total := int64(0); ; {
		if err := s.ctx.Err(); err != nil {
			s.close()
			return 0, err
		}
		n, err := s.src.ReadFrames(block)
		total += int64(n)
		if err == nil {
			continue
		}
		if _, ok := s.decodeFault(err); ok || errors.Is(err, io.EOF) {
			return total, nil
		}
		s.close()
		return 0, s.failure("read", err)
	}
}

// countBlock is how many frames are read at a time where they are not kept.
const countBlock = 2048

func (s *segment) close() {
	if s.file != nil {
		_ = s.file.rc.Close() // it was only read
		s.file, s.src = nil, nil
	}
	if s.tail != nil {
		_ = s.tail.rc.Close()
		s.tail = nil
	}
}

// Format implements [audio.Source].
func (s *segment) Format() *goaudio.Format { return &s.format }

// Frames implements [audio.Sized].
func (s *segment) Frames() int64 { return s.frames }

// ReadFrames implements [audio.Source]. It gives exactly the planned frames,
// or fewer if the file can't be read that far after all.
func (s *segment) ReadFrames(dst []float32) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.finished {
		return 0, io.EOF
	}
	if s.src == nil {
		if s.err = s.reopen(); s.err != nil {
			return 0, s.err
		}
	}
	ch := int64(s.format.NumChannels)
	dst = dst[:min(int64(len(dst)), (s.frames-s.read)*ch)]
	var err error
	if s.read < s.frames {
		var n int
		if n, err = s.src.ReadFrames(dst); err == nil {
			s.read += int64(n)
			return n, nil
		}
	}
	if d, ok := s.decodeFault(err); ok {
		s.leg.defect(s, d)
	} else if err != nil && !errors.Is(err, io.EOF) {
		s.err = s.failure("read", err)
		return 0, s.err
	}
	if s.err = s.finish(); s.err == nil {
		s.err = io.EOF
	}
	return 0, s.err
}

// reopen opens the segment to read it.
func (s *segment) reopen() error {
	if s.leg.chained {
		if err := s.leg.hashUntil(s); err != nil {
			return err
		}
	}
	if _, err := s.open(s.leg.newHash(false)); err != nil {
		return err
	}
	if s.src == nil || *s.src.Format() != s.held {
		s.close()
		return s.failure("read", errors.New("it has changed since the recording was planned"))
	}
	return nil
}

// letGo closes the file that was read, unless it is the leg's last, which may
// still be written to.
func (s *segment) letGo() {
	if s != s.leg.last {
		s.close()
		return
	}
	s.tail, s.file, s.src = s.file, nil, nil
}

// finish takes the defects that the segment's decoder knows at its end, reads
// the file's rest for its hash, and closes it.
func (s *segment) finish() error {
	if s.finished || s.src == nil {
		return nil
	}
	s.finished = true
	defer s.letGo()
	extra, err := s.probe()
	if err != nil {
		return err
	}
	for _, d := range codec.LaterDefects(s.src) {
		s.leg.defect(s, d)
	}
	grown, err := s.file.drain(make([]byte, 32<<10))
	if err != nil {
		return s.failure("read", err)
	}
	s.grown = s.grown || grown || s.size < 0 && s.read+extra > s.frames
	s.leg.hashed(s)
	if short := s.frames - s.read - extra; short > 0 {
		s.lost = short
		s.leg.defect(s, record.Defect{
			Code: record.DefectTruncated, Count: short, Detail: "the file has fewer frames than it had at first",
		})
	}
	return nil
}

// probe reads on, so that the decoder comes to the file's end and its defects
// are complete, and returns how many frames that were. What a span cuts off is
// read here.
func (s *segment) probe() (extra int64, err error) {
	block := make([]float32, s.format.NumChannels*countBlock)
	for {
		if err := s.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := s.src.ReadFrames(block)
		extra += int64(n)
		if err != nil {
			if s.file.err != nil {
				return 0, s.failure("read", s.file.err)
			}
			return extra, nil
		}
	}
}
