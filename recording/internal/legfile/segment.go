package legfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Segment is one file of a leg. The file is opened to find out what it holds,
// and again to be read; the only file of a leg stays open between the two.
type Segment struct {
	Spec *record.SegmentSpec
	// Missing is the opener's error for a file that isn't there; nil if it is.
	Missing error
	// Empty: the file is there and ends before any audio.
	Empty bool
	// Format is that of the file's frames, by its header; zero if it can't be
	// decoded.
	Format goaudio.Format
	// Frames is how many it has; 0 if it can't be decoded. Lost of them could not
	// be read after all.
	Frames, Lost int64
	// Bytes of the file were read, and SHA256 is their hex hash; "" if none was.
	Bytes  int64
	SHA256 string

	leg  *Leg
	omit *audio.Inserted // silence in the file that isn't read; nil: none

	// What the first opening found.
	inspected bool
	size      int64     // bytes, or codec.SizeUnknown
	modified  time.Time // zero if that isn't known

	samples  *record.RawFormat // of the file; nil if that isn't known
	looksCut bool              // by its defects it may be the beginning of a longer file
	grown    bool              // the file has become longer since the first opening

	open     *decoding // nil unless the file is open to be read
	tail     *decoding // the file, read to its end, if it may still grow
	read     int64     // frames
	finished bool      // all of the file was read
}

// inspect opens the segment and finds out what it holds. The defects say why it
// has no audio, if it has none. The error is that of the place where legs are.
func (s *Segment) inspect() ([]record.Defect, error) {
	h := s.leg.newSums(true)
	defects, err := s.decode(h)
	if err != nil {
		return nil, err
	}
	if s.open == nil || s.open.src == nil {
		s.close()
		return defects, nil
	}
	s.Format, s.samples = *s.open.src.Format(), codec.SamplesOf(s.open.src)
	n, known := audio.FramesOf(s.open.src)
	if !known {
		if n, err = s.countFrames(); err != nil {
			s.close()
			return nil, err
		}
	}
	s.Frames = n
	s.inspected, s.size = true, s.open.file.size
	if n == 0 {
		defects = append(defects, record.Defect{Code: record.DefectLegEmpty, Detail: "the file holds no audio"})
	}
	if !known || n == 0 || h == nil {
		s.close()
	}
	return defects, nil
}

// countFrames reads the whole segment for the number of its frames.
func (s *Segment) countFrames() (int64, error) {
	ctx := s.leg.from.ctx
	n, err := s.open.skipToEnd(ctx)
	if _, ok := s.open.defect(err); ok || errors.Is(err, io.EOF) {
		return n, nil
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return 0, readFailure(s, err)
}

// readFailure is the failure of the open file's decoder, or of the read under it.
func readFailure(s *Segment, err error) error {
	if s.open.file.err != nil {
		return refusal(s, "read", err)
	}
	return s.failure("read", err)
}

// decode opens the file and its decoder. If it leaves no decoder without an
// error, the defects say why.
func (s *Segment) decode(h *sums) ([]record.Defect, error) {
	from := s.leg.from
	rc, err := from.opener.OpenLeg(from.ctx, s.Spec.URI)
	if errors.Is(err, fs.ErrNotExist) {
		s.Missing = err
		return []record.Defect{{Code: record.DefectLegMissing, Detail: "no file " + s.Spec.URI}}, nil
	}
	if err != nil {
		return nil, refusal(s, "open", err)
	}
	s.hold(rc, h)
	if s.modified.IsZero() {
		s.modified = modifiedAt(rc)
	}
	src, defects, err := from.codecs.Decode(s.open.file.reader(), codec.Hint{Size: s.open.file.size, Raw: s.Spec.Raw, Name: s.Spec.URI, Other: from.other})
	if err == nil {
		s.open.src = src
		if s.omit != nil {
			s.open.src = omit(src, *s.omit)
		}
		return defects, nil
	}
	d, ok := s.open.defect(err)
	if !ok {
		failed := readFailure(s, err)
		s.close()
		return nil, failed
	}
	return append(defects, d), nil
}

// hold keeps the file that was just opened. No more is read of it than it held
// when it was inspected.
func (s *Segment) hold(rc io.ReadCloser, h *sums) {
	f := newFile(rc, h)
	if s.inspected && s.size >= 0 && f.size > s.size {
		f.size, s.grown = s.size, true
	}
	s.open = &decoding{file: f}
}

func (s *Segment) failure(doing string, err error) error {
	return fmt.Errorf("recording: %s leg %q, file %q: %w", doing, s.leg.Spec.Name, s.Spec.URI, err)
}

// refusal is the failure of the place where the file is to open or to read it. A
// file that isn't there, and one that the place says can never be opened, are
// failures of the file.
func refusal(s *Segment, doing string, err error) error {
	failed := s.failure(doing, err)
	var permanent *callmodel.PermanentError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &permanent) {
		return failed
	}
	return &AwayError{Leg: s.leg.Spec.Name, URI: s.Spec.URI, Err: failed}
}

// AwayError is recording.LegsAwayError.
type AwayError struct {
	Leg, URI string
	Err      error
}

func (e *AwayError) Error() string { return e.Err.Error() }

func (e *AwayError) Unwrap() error { return e.Err }

// Defect is d with the leg's name and, if the leg has several files, the file's.
func (s *Segment) Defect(d record.Defect) record.Defect {
	d.Leg = s.leg.Spec.Name
	if len(s.leg.Segments) > 1 {
		d.Detail = fmt.Sprintf("segment %q: %s", s.Spec.URI, d.Detail)
	}
	return d
}

// note is Defect, and remembers whether the file looks cut.
func (s *Segment) note(d record.Defect) record.Defect {
	s.looksCut = s.looksCut || foundInCutFiles(d.Code)
	return s.Defect(d)
}

func (s *Segment) close() {
	for _, d := range []*decoding{s.open, s.tail} {
		if d != nil {
			d.close()
		}
	}
	s.open, s.tail = nil, nil
}
