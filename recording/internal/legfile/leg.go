package legfile

import (
	"context"
	"encoding/hex"
	"io"
	"slices"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/internal/legsum"
)

// Opener opens files. Its errors are those of recording.LegOpener.
type Opener interface {
	OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error)
}

// source is where the files of all legs come from, and what decodes them.
type source struct {
	ctx    context.Context //nolint:containedctx // legs live within one call of Process
	opener Opener
	codecs *codec.Registry
	other  *record.RawFormat // of the samples of a leg that can be read; nil until all were opened
}

// Leg is the files of one leg.
type Leg struct {
	Spec     *record.LegSpec
	Segments []*Segment
	// OpenDefects are what was found when the files were opened, ReadDefects what
	// was found later, each in the order of finding.
	OpenDefects, ReadDefects []record.Defect
	// SHA256 is the hex hash of all files, one after the other, once Finish has
	// returned; "" if nothing was read.
	SHA256 string

	from    *source
	sums    legSums
	inOrder bool     // by ReadInOrder
	last    *Segment // by ReadInOrder
	anyRead bool
}

// Open opens every file of the legs and finds out what it holds. A file that
// is missing or can't be decoded is a defect of its leg. The error is the
// opener's or that of a read.
func Open(ctx context.Context, legs []record.LegSpec, opener Opener, codecs *codec.Registry) ([]*Leg, error) {
	from := &source{ctx: ctx, opener: opener, codecs: codecs}
	hashes := &legsum.Group{}
	opened := make([]*Leg, len(legs))
	for i := range legs {
		l := &Leg{Spec: &legs[i], from: from, sums: legSums{group: hashes}}
		for j := range l.Spec.Segments {
			l.Segments = append(l.Segments, &Segment{Spec: &l.Spec.Segments[j], leg: l})
		}
		opened[i] = l
		if err := l.inspect(); err != nil {
			Close(opened[:i+1])
			return nil, err
		}
	}
	if err := inspectAgain(opened, from); err != nil {
		Close(opened)
		return nil, err
	}
	return opened, nil
}

// inspectAgain opens the legs once more that can't be decoded by themselves, with what
// the others hold: a WAV file whose header was lost is read as they are.
func inspectAgain(legs []*Leg, from *source) error {
	for _, l := range legs {
		for _, s := range l.Segments {
			if from.other == nil {
				from.other = s.samples
			}
		}
	}
	if from.other == nil {
		return nil
	}
	for _, l := range legs {
		if !slices.ContainsFunc(l.OpenDefects, func(d record.Defect) bool { return d.Code == record.DefectUnreadableLeg }) {
			continue
		}
		l.OpenDefects = nil
		for _, s := range l.Segments {
			s.close()
			s.Empty, s.looksCut = false, false
		}
		if err := l.inspect(); err != nil {
			return err
		}
	}
	return nil
}

// Close closes what is still open.
func Close(legs []*Leg) {
	for _, l := range legs {
		for _, s := range l.Segments {
			s.close()
		}
	}
}

func (l *Leg) inspect() error {
	for _, s := range l.Segments {
		defects, err := s.inspect()
		if err != nil {
			return err
		}
		for _, d := range defects {
			s.Empty = s.Empty || d.Code == record.DefectLegEmpty
			l.OpenDefects = append(l.OpenDefects, s.note(d))
		}
	}
	return nil
}

// ReadInOrder says how the segments will be read, before the first of them is.
// inOrder: each is read to its end before the next in the spec is begun, so that
// the hash of all of them can be made meanwhile. last is the one that ends last
// in the call, which may still be written to; nil if none has audio.
func (l *Leg) ReadInOrder(inOrder bool, last *Segment) { l.inOrder, l.last = inOrder, last }

// newSums is the hash of an opening of a segment; nil if it isn't hashed then.
// first: it is the opening in which the segment is inspected.
func (l *Leg) newSums(first bool) *sums {
	switch {
	case len(l.Segments) == 1:
		return l.sums.alone()
	case first || !l.inOrder:
		return nil
	default:
		return l.sums.next()
	}
}

// readThrough notes that all of a segment's file was read.
func (l *Leg) readThrough(s *Segment, f *file) {
	l.anyRead = true
	if f.sums == nil {
		return // Finish reads it once more, for its hash
	}
	s.Bytes, s.SHA256 = f.read, hex.EncodeToString(f.sums.file.Sum(nil))
	if len(l.Segments) == 1 {
		l.SHA256 = s.SHA256
	}
}

// hashUntil hashes the segments before s that were not read; all if s is nil.
func (l *Leg) hashUntil(s *Segment) error {
	for _, earlier := range l.Segments {
		if earlier == s {
			return nil
		}
		if err := earlier.finish(); err != nil {
			return err
		}
		if earlier.Missing != nil || earlier.finished {
			continue
		}
		if err := earlier.hashOnly(); err != nil {
			return err
		}
	}
	return nil
}

// Finish reads what wasn't read of the files, for their hashes. It may be called
// again.
func (l *Leg) Finish() error {
	if len(l.Segments) > 1 && !l.inOrder {
		for _, s := range l.Segments {
			if err := s.finish(); err != nil {
				return err
			}
			s.finished = false // hashUntil reads it once more
		}
		l.inOrder = true
	}
	if err := l.hashUntil(nil); err != nil {
		return err
	}
	if l.sums.chain != nil && l.anyRead {
		l.SHA256 = hex.EncodeToString(l.sums.chain.Sum(nil))
	}
	return nil
}

func (l *Leg) addReadDefect(s *Segment, d record.Defect) {
	l.ReadDefects = append(l.ReadDefects, s.note(d))
}
