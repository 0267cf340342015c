package wav

import (
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
)

// secondBytes is about a second of audio.
func (s *source) secondBytes() int64 {
	n := int64(s.unit()) * int64(s.rate)
	if s.blocks != nil {
		n /= int64(max(s.blocks.codec.frames(s.block), 1))
	}
	return n
}

// Defects implements [codec.DefectReporter].
func (s *source) Defects() []record.Defect {
	var d []record.Defect
	if len(s.repairs) > 0 {
		d = append(d, record.Defect{
			Code: record.DefectHeaderRepaired, Detail: "repaired: " + strings.Join(s.repairs, "; "),
		})
	}
	if s.cut > 0 || s.partial > 0 {
		detail := "the file ends within a frame"
		if s.cut > 0 {
			detail = "the file ends before its audio does; bytes missing by its header are counted"
		}
		d = append(d, record.Defect{Code: record.DefectTruncated, Detail: detail, Count: max(s.cut, s.partial)})
	}
	if s.blocks != nil && s.blocks.bad > 0 {
		d = append(d, record.Defect{
			Code: record.DefectTruncated, Detail: "frames of audio in blocks that make no sense, silent here", Count: s.blocks.bad,
		})
	}
	if n := s.clips.Clipped(); n > 0 {
		d = append(d, record.Defect{
			Code: record.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	if s.nonFinite > 0 {
		d = append(d, record.Defect{
			Code: record.DefectNonFinite, Detail: "samples that are NaN or infinite, read as silence", Count: s.nonFinite,
		})
	}
	return d
}
