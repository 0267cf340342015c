package legfile

import (
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// FindInserted reads the whole file for silence that was put into it and makes it excess
// frames too long, to within tolerance: see [audio.InsertedFinder]. It is asked before the
// segment is read.
func FindInserted(s *Segment, excess, tolerance int64) (in audio.Inserted, regular, found bool, err error) {
	again := &Segment{Spec: s.Spec, leg: s.leg, inspected: s.inspected, size: s.size, modified: s.modified}
	defer again.close()
	if _, err := again.decode(nil); err != nil {
		return in, false, false, err
	}
	if again.open == nil || again.open.src == nil {
		return in, false, false, nil // it has gone since: who reads it finds that
	}
	finder := audio.NewInsertedFinder(again.open.src.Format())
	again.open.src = &listened{Source: again.open.src, finder: finder}
	if _, err := again.countFrames(); err != nil {
		return in, false, false, err
	}
	in, regular, found = finder.Find(excess, tolerance)
	return in, regular, found, nil
}

type listened struct {
	audio.Source

	finder *audio.InsertedFinder
}

// ReadFrames implements [audio.Source].
func (l *listened) ReadFrames(dst []float32) (int, error) {
	n, err := l.Source.ReadFrames(dst)
	l.finder.Listen(dst[:n*l.Format().NumChannels])
	return n, err
}

// Omit has the segment read without that silence. It is asked before it is read.
func Omit(s *Segment, in audio.Inserted) {
	s.omit = &in
	s.Frames -= in.Frames()
	if s.open != nil && s.open.src != nil {
		s.open.src = omit(s.open.src, in)
	}
}

// omit is src without the silence, with what src says of itself.
func omit(src audio.Source, in audio.Inserted) audio.Source {
	return &omitted{Source: audio.Omit(src, in), from: src}
}

type omitted struct {
	audio.Source

	from audio.Source
}

// Defects implements [codec.DefectReporter].
func (o *omitted) Defects() []record.Defect { return codec.LaterDefects(o.from) }
