package intake

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Defaults is what a recording has whose request doesn't say it.
type Defaults struct {
	// StartedAt is when the call's timeline begins. Zero: when the recording was asked
	// for.
	StartedAt time.Time
	// Outputs are the files to make. A stereo one is widened to a call of more than two
	// legs: see record.OutputSpec.ForLegs.
	Outputs []record.OutputSpec
}

// given is what a request says itself of a recording.
type given struct{ start, outputs bool }

// fill gives the submission what it leaves out: the call's id as that of the recording,
// and what the host says of the call. Of a call without a valid id nothing is asked.
func (s *Submission) fill() error {
	if s.RecordingID == "" {
		s.RecordingID = callmodel.RecordingID(s.CallID)
	}
	s.given = given{start: !s.StartedAt.IsZero(), outputs: s.Outputs != nil}
	if s.given.start && s.given.outputs || s.defaults == nil || !callmodel.ValidID(string(s.CallID)) {
		return nil
	}
	d, err := s.defaults(s.CallID)
	if err != nil {
		return err
	}
	if !s.given.start {
		s.StartedAt = d.StartedAt
		if s.StartedAt.IsZero() {
			s.StartedAt = s.checks.Now().UTC().Truncate(time.Second)
		}
	}
	if !s.given.outputs {
		s.Outputs = slices.Clone(d.Outputs)
		for i := range s.Outputs {
			s.Outputs[i] = s.Outputs[i].ForLegs(len(s.Legs))
		}
	}
	return nil
}

// asBefore gives what the request left out the values that the same recording got when it
// was asked for first: a default may have changed since.
func (g given) asBefore(spec, first *record.Spec) {
	if !g.start {
		spec.StartedAt = first.StartedAt
	}
	if !g.outputs {
		spec.Outputs = first.Outputs
	}
}

// defaulted reports whether the fault is of a field that the request left out and that is
// filled in as soon as the call's id, which is at fault itself, is mended.
func (s *Submission) defaulted(f callmodel.FieldError) bool {
	if callmodel.ValidID(string(s.CallID)) {
		return false
	}
	switch f.Path {
	case "recording_id":
		return s.RecordingID == callmodel.RecordingID(s.CallID)
	case "started_at":
		return s.defaults != nil && !s.given.start
	case "outputs":
		return s.defaults != nil && !s.given.outputs
	}
	return false
}
