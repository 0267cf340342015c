package recording

import (
	"io"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// A file may still be written while it is read. What it held when the recording
// was planned is what is read of it, however often it is opened; that it holds
// more by the time all has been read says that the leg isn't ready. Reading is
// quick, and may fall between two writes: when the file was modified last says
// whether there may be a next one.

// looksCut reports whether files of which only the beginning is there have such a
// defect, too.
func looksCut(code record.DefectCode) bool {
	return code == record.DefectTruncated || code == record.DefectHeaderRepaired ||
		code == record.DefectUnreadableLeg || code == record.DefectLegEmpty
}

// fresh reports whether a file of the leg was modified too lately to be finished,
// by what is known of it so far, which is noted.
func (l *leg) fresh(o *ProcessOptions) bool {
	fresh := false
	for _, s := range l.segments {
		s.fresh = s.writtenAfter(o.QuietSince) || s.cut && s.writtenAfter(o.CutQuietSince)
		fresh = fresh || s.fresh
	}
	return fresh
}

// writtenAfter reports whether the file was modified after t; never if t is zero.
func (s *segment) writtenAfter(t time.Time) bool { return !t.IsZero() && s.written.After(t) }

// newFile is the segment's file just opened, of which no more is read than it
// held at first.
func (s *segment) newFile(rc io.ReadCloser, h *sums) *legFile {
	f := newLegFile(rc, h)
	if s.planned && s.size >= 0 && f.size > s.size {
		f.size, s.grown = s.size, true
	}
	return f
}

// settle reads what is left of the legs, for their hashes, and ends the
// recording if one of them is still being written, unless that is accepted.
func (pl *plan) settle(o *ProcessOptions) error {
	var growing []string
	for _, l := range pl.legs {
		if err := l.finish(); err != nil {
			return err
		}
		l.fresh(o) // all is known of it now
		if l.grew() {
			growing = append(growing, l.spec.Name)
		}
	}
	if len(growing) > 0 && !o.AcceptGrowing {
		return &LegsNotReadyError{Growing: growing}
	}
	return nil
}

// grew reports whether a file of the leg is still being written, and adds its defect.
func (l *leg) grew() bool {
	grew := false
	for _, s := range l.segments {
		if s.tail != nil {
			s.grown = s.grown || s.tail.more()
		}
		s.close()
		d := record.Defect{Code: record.DefectLegGrowing}
		switch {
		case s.grown:
			d.Detail = "the file grew while it was read; what it held at first was recorded"
		case s.fresh:
			d.Detail = "the file was written to just before it was read; what it held then was recorded"
		default:
			continue
		}
		grew = true
		l.defect(s, d)
	}
	return grew
}

// more reports whether the file goes on where it ended when it was opened. It
// must have been read to there.
func (f *legFile) more() bool {
	if !f.grown && f.size >= 0 && f.read == f.size {
		n, _ := f.rc.Read(make([]byte, 1)) // that it can't be read is no growth
		f.grown = n > 0
	}
	return f.grown
}
