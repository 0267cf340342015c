package recording

import (
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// checkReady reports the legs that have no audio yet, or that were written to too
// lately, as a [*LegsNotReadyError], unless that is accepted.
func checkReady(legs []*legfile.Leg, o *ProcessOptions) error {
	var e LegsNotReadyError
	for _, l := range legs {
		if files := filesWithoutAudio(l); len(files) > 0 && !o.AcceptMissing {
			e.Legs = append(e.Legs, l.Spec.Name)
			e.Files = append(e.Files, files...)
		}
		if l.Recent(o.quiet()) && !o.AcceptGrowing {
			e.Growing = append(e.Growing, l.Spec.Name)
		}
	}
	if len(e.Legs)+len(e.Growing) > 0 {
		return &e
	}
	return nil
}

// refuseUnreadable reports the legs that can't be decoded, as faults of their raw formats:
// with another, or with one, they might be.
func refuseUnreadable(legs []*legfile.Leg) error {
	var e callmodel.FieldErrors
	for i, l := range legs {
		for _, d := range l.OpenDefects {
			if d.Code == record.DefectUnreadableLeg || d.Code == record.DefectUnsupportedCodec {
				e.Add("legs["+strconv.Itoa(i)+"].raw", "%s: leg %s: %s", d.Code, d.Leg, d.Detail)
			}
		}
	}
	return e.Err()
}

// filesWithoutAudio are the leg's files that are missing or empty.
func filesWithoutAudio(l *legfile.Leg) []LegFile {
	var files []LegFile
	for _, s := range l.Segments {
		if s.Missing != nil || s.Empty {
			files = append(files, LegFile{Leg: l.Spec.Name, URI: s.Spec.URI, Err: s.Missing})
		}
	}
	return files
}

func (o *ProcessOptions) quiet() legfile.Quiet {
	return legfile.Quiet{Since: o.QuietSince, CutSince: o.CutQuietSince}
}
