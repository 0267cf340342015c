package legfile

import (
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// Quiet is since when nobody may have written to a file that is finished. A zero
// time holds for every file.
type Quiet struct {
	Since    time.Time // for every file
	CutSince time.Time // for files that look cut, besides
}

// foundInCutFiles reports whether a file of which only the beginning is there may
// have such a defect.
func foundInCutFiles(code record.DefectCode) bool {
	return code == record.DefectTruncated || code == record.DefectHeaderRepaired ||
		code == record.DefectUnreadableLeg || code == record.DefectLegEmpty
}

// Recent reports whether a file of the leg was modified too lately to be
// finished, by what is known of it so far.
func (l *Leg) Recent(q Quiet) bool {
	for _, s := range l.Segments {
		if s.recent(q) {
			return true
		}
	}
	return false
}

func (s *Segment) recent(q Quiet) bool {
	after := func(t time.Time) bool { return !t.IsZero() && s.modified.After(t) }
	return after(q.Since) || s.looksCut && after(q.CutSince)
}

// Growing reports whether a file of the leg is still being written, and adds its
// defect. Finish must have been called; Growing closes the files.
func (l *Leg) Growing(q Quiet) bool {
	growing := false
	for _, s := range l.Segments {
		if s.tail != nil {
			s.grown = s.grown || s.tail.file.hasMore()
		}
		s.close()
		d := record.Defect{Code: record.DefectLegGrowing}
		switch {
		case s.grown:
			d.Detail = "the file grew while it was read; what it held at first was recorded"
		case s.recent(q):
			d.Detail = "the file was written to just before it was read; what it held then was recorded"
		default:
			continue
		}
		growing = true
		l.addReadDefect(s, d)
	}
	return growing
}
