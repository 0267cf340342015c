package legfile

import (
	"errors"
	"io"
	"io/fs"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Source reads the segment's frames, as frames of rateHz whatever the header
// says. It gives as many as Frames, or fewer if the file can't be read that far
// after all. It may be called once.
func (s *Segment) Source(rateHz int) audio.Source {
	return &segmentSource{s: s, format: goaudio.Format{NumChannels: s.Format.NumChannels, SampleRate: rateHz}}
}

type segmentSource struct {
	s      *Segment
	format goaudio.Format
	err    error
}

// Format implements [audio.Source].
func (r *segmentSource) Format() *goaudio.Format { return &r.format }

// Frames implements [audio.Sized].
func (r *segmentSource) Frames() int64 { return r.s.Frames }

// ReadFrames implements [audio.Source].
func (r *segmentSource) ReadFrames(dst []float32) (n int, err error) {
	if r.err == nil {
		n, r.err = r.next(dst)
	}
	return n, r.err
}

// next is ReadFrames of a source that has given no error yet.
func (r *segmentSource) next(dst []float32) (int, error) {
	s := r.s
	if s.finished {
		return 0, io.EOF
	}
	if s.open == nil {
		if err := r.reopen(); err != nil {
			return 0, err
		}
	}
	dst = dst[:min(int64(len(dst)), (s.Frames-s.read)*int64(s.Format.NumChannels))]
	if s.read < s.Frames {
		n, err := s.open.src.ReadFrames(dst)
		if err == nil {
			s.read += int64(n)
			return n, nil
		}
		if d, ok := s.open.defect(err); ok {
			s.leg.addReadDefect(s, d)
		} else if !errors.Is(err, io.EOF) {
			return 0, readFailure(s, err)
		}
	}
	if err := s.finish(); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// reopen opens the segment to read it.
func (r *segmentSource) reopen() error {
	s := r.s
	if s.leg.inOrder {
		if err := s.leg.hashUntil(s); err != nil {
			return err
		}
	}
	if _, err := s.decode(s.leg.newSums(false)); err != nil {
		return err
	}
	if s.Missing != nil {
		return s.failure("open", s.Missing)
	}
	if s.open.src == nil || *s.open.src.Format() != s.Format {
		s.close()
		return s.failure("read", errors.New("it has changed since the recording was planned"))
	}
	return nil
}

// finish reads on to the file's end, which the call's span may have cut off, for
// the defects that the decoder knows there and for the hash. Then it closes the
// file; but the leg's last stays open, as it may still be written to.
func (s *Segment) finish() error {
	if s.finished || s.open == nil {
		return nil
	}
	s.finished = true
	defer func() {
		if s == s.leg.last {
			s.tail, s.open = s.open, nil
		} else {
			s.close()
		}
	}()
	ctx := s.leg.from.ctx
	extra, err := s.open.skipToEnd(ctx)
	if s.open.file.err != nil {
		return refusal(s, "read", s.open.file.err)
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	for _, d := range codec.LaterDefects(s.open.src) {
		s.leg.addReadDefect(s, d)
	}
	grown, err := s.open.file.readRest()
	if err != nil {
		return refusal(s, "read", err)
	}
	s.grown = s.grown || grown || s.size < 0 && s.read+extra > s.Frames
	s.leg.readThrough(s, s.open.file)
	if short := s.Frames - s.read - extra; short > 0 {
		s.Lost = short
		s.leg.addReadDefect(s, record.Defect{
			Code: record.DefectTruncated, Count: short, Detail: "the file has fewer frames than it had at first",
		})
	}
	return nil
}

// hashOnly reads the segment's file for nothing but its hash.
func (s *Segment) hashOnly() error {
	h := s.leg.newSums(false)
	rc, err := s.leg.from.opener.OpenLeg(s.leg.from.ctx, s.Spec.URI)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return refusal(s, "open", err)
	}
	s.hold(rc, h)
	defer s.close()
	grown, err := s.open.file.readRest()
	if err != nil {
		return refusal(s, "read", err)
	}
	s.grown = s.grown || s.inspected && grown
	s.finished = true
	s.leg.readThrough(s, s.open.file)
	return nil
}
