package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// What a Spec's WithDefaults fills in.
const (
	defaultTenantID = "local"
	defaultCallID   = "call"
)

// WithDefaults is the spec with values for what a recording of local files doesn't
// need: a tenant, a call and a time. It fills in only what is unset, and doesn't
// change s:
//
//   - TenantID: "local"; CallID: "call"; RecordingID: the CallID;
//   - StartedAt: the beginning of 1970, UTC;
//   - the Layout of an output, but for an analysis, which has none: LayoutMono for
//     one leg, LayoutStereo for two; for more, what ForLegs makes of stereo, which
//     is a channel for each leg if the codec has so many, else LayoutMono.
//
// A ledger doesn't fill in anything: it refuses a spec without ids or a start.
func (s Spec) WithDefaults() Spec {
	s.TenantID = cmp.Or(s.TenantID, defaultTenantID)
	s.CallID = cmp.Or(s.CallID, defaultCallID)
	s.RecordingID = cmp.Or(s.RecordingID, callmodel.RecordingID(s.CallID))
	if s.StartedAt.IsZero() {
		s.StartedAt = time.Unix(0, 0).UTC()
	}
	s.Outputs = slices.Clone(s.Outputs)
	for i := range s.Outputs {
		s.Outputs[i] = s.Outputs[i].withLayout(len(s.Legs))
	}
	return s
}

// withLayout is the output with a layout for a call of legs legs.
func (o OutputSpec) withLayout(legs int) OutputSpec {
	switch {
	case o.Layout != "" || o.Codec == CodecAnalysis:
	case legs <= 1:
		o.Layout = LayoutMono
	default:
		o.Layout = LayoutStereo
		o = o.ForLegs(legs)
	}
	return o
}
