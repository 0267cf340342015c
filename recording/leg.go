package recording

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/internal/legsum"
)

// leg is one party while its recording is made.
type leg struct {
	spec     *record.LegSpec
	segments []*segment
	defects  []record.Defect
	clock    *clock  // nil unless the leg is resampled for its drift
	driftPPM float64 // what is known of it
	levelDB  float64 // the gain of levelling
	meter    *analysis.LoudnessMeter
	dropouts []record.LegGap
	moreGaps int      // dropouts that aren't listed
	last     *segment // in time, of those with audio

	// chained: the segments follow one another in time in the spec's order, so
	// that the hash of all of them can be made while they are read. Otherwise
	// they are read once more for it.
	chained bool
	chain   hash.Hash
	hashes  *legsum.Group // of all legs
	anyRead bool
	sum     string // hex SHA-256, at the end
}

func (l *leg) defect(s *segment, d record.Defect) {
	d.Leg = l.spec.Name
	s.cut = s.cut || looksCut(d.Code)
	if len(l.segments) > 1 {
		d.Detail = fmt.Sprintf("segment %q: %s", s.spec.URI, d.Detail)
	}
	l.defects = append(l.defects, d)
}

// ready reports whether all files of the leg are there and none is empty.
func (l *leg) ready() bool {
	for _, d := range l.defects {
		if d.Code == record.DefectLegMissing || d.Code == record.DefectLegEmpty {
			return false
		}
	}
	return true
}

// rate is that of the first readable segment; 0 if there is none.
func (l *leg) rate() int {
	for _, s := range l.segments {
		if s.frames > 0 {
			return s.format.SampleRate
		}
	}
	return 0
}

// plan opens the leg's segments.
func (l *leg) plan() error {
	for _, s := range l.segments {
		if err := s.plan(); err != nil {
			return err
		}
	}
	return nil
}

// sums are the hashes that are made of a file while it is read.
type sums struct {
	file hash.Hash
	leg  hash.Hash // of all files of the leg; nil if it has only this one
}

func (h *sums) write(p []byte) {
	h.file.Write(p)
	if h.leg != nil {
		h.leg.Write(p)
	}
}

// newHash is the hash for an opening of a segment; nil when none is made of it.
func (l *leg) newHash(planning bool) *sums {
	switch {
	case len(l.segments) == 1:
		return &sums{file: l.hashes.New()}
	case planning || !l.chained:
		return nil
	}
	if l.chain == nil {
		l.chain = l.hashes.New()
	}
	return &sums{file: l.hashes.New(), leg: l.chain}
}

// hashed notes that a segment's file was read to its end.
func (l *leg) hashed(s *segment) {
	l.anyRead = true
	if s.file.hash == nil {
		return // it is read once more for that
	}
	s.bytes, s.sum = s.file.read, hex.EncodeToString(s.file.hash.file.Sum(nil))
	if len(l.segments) == 1 {
		l.sum = s.sum
	}
}

// hashUntil hashes the segments before s that were not read, nil meaning all.
func (l *leg) hashUntil(s *segment) error {
	for _, earlier := range l.segments {
		if earlier == s {
			return nil
		}
		if err := earlier.finish(); err != nil {
			return err
		}
		if !earlier.there || earlier.finished {
			continue
		}
		if err := earlier.hashOnly(l.newHash(false)); err != nil {
			return err
		}
	}
	return nil
}

// hashOnly reads a segment's file for nothing but its hash.
func (s *segment) hashOnly(h *sums) error {
	rc, err := s.p.legs.OpenLeg(s.ctx, s.spec.URI)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.failure("open", err)
	}
	s.file = s.newFile(rc, h)
	defer s.close()
	grown, err := s.file.drain(make([]byte, 32<<10))
	if err != nil {
		return s.failure("read", err)
	}
	s.grown = s.grown || s.planned && grown
	s.finished = true
	s.leg.hashed(s)
	return nil
}

// finish reads what wasn't read, for the leg's hash.
func (l *leg) finish() error {
	if len(l.segments) > 1 && !l.chained {
		for _, s := range l.segments {
			if err := s.finish(); err != nil {
				return err
			}
			s.finished = false
		}
		l.chained = true
	}
	if err := l.hashUntil(nil); err != nil {
		return err
	}
	if l.chain != nil && l.anyRead {
		l.sum = hex.EncodeToString(l.chain.Sum(nil))
	}
	return nil
}

func (l *leg) close() {
	for _, s := range l.segments {
		s.close()
	}
}
