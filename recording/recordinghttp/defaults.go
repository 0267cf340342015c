package recordinghttp

import (
	"context"
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

// defaultsOf asks the host about calls of the tenant, within the ledger's time.
func (h *Handler) defaultsOf(ctx context.Context, t callmodel.TenantID) func(callmodel.CallID) (Defaults, error) {
	return func(call callmodel.CallID) (d Defaults, err error) {
		err = h.ledger.ask(ctx, func(ctx context.Context) error {
			d, err = h.opts.Defaults(ctx, t, call)
			return err
		})
		return d, err
	}
}

// fill gives the submission what it leaves out: the call's id as that of the recording,
// and what the host says of the call. Of a call without a valid id nothing is asked.
func (s *submission) fill() error {
	if s.RecordingID == "" {
		s.RecordingID = callmodel.RecordingID(s.CallID)
	}
	s.given.start, s.given.outputs = !s.StartedAt.IsZero(), s.Outputs != nil
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
			s.StartedAt = s.now().UTC().Truncate(time.Second)
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

// asBefore gives what the submission left out the values that the same recording got
// when it was asked for first: a default may have changed since.
func (s *submission) asBefore(spec *record.Spec, first *record.Spec) {
	if !s.given.start {
		spec.StartedAt = first.StartedAt
	}
	if !s.given.outputs {
		spec.Outputs = first.Outputs
	}
}
