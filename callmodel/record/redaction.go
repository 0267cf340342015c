package record

import (
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// maxRedactions is how many ranges of a recording may be redacted.
const maxRedactions = 1000

// What a redacted range is replaced by.
const (
	RedactWithSilence = "silence"
	RedactWithTone    = "tone" // 1 kHz at -20 dBFS
)

// Redaction is a range of the call, a card number say, that no output and
// nothing derived from one may hold: the audio of the legs is replaced before
// anything else sees it. Short fades lie outside of the range.
type Redaction struct {
	// From and To are call time, counted like the offsets of segments: the
	// range begins at From and ends before To. 0 <= From < To <= MaxSpan.
	From time.Duration `json:"from_ms"`
	To   time.Duration `json:"to_ms"`
	// Legs are the names of the legs to redact; none means all.
	Legs []string `json:"legs,omitempty"`
	// With is RedactWithSilence or RedactWithTone; "" means silence.
	With string `json:"with,omitempty"`
}

// Covers reports whether the leg of that name is redacted.
func (r *Redaction) Covers(leg string) bool {
	return len(r.Legs) == 0 || slices.Contains(r.Legs, leg)
}

// ValidateRedactions reports every fault of the redactions of a call of legs, as
// [callmodel.FieldErrors].
func ValidateRedactions(redactions []Redaction, legs []LegSpec) error {
	var e callmodel.FieldErrors
	if len(redactions) > maxRedactions {
		e.Add("redactions", "must be at most %d, are %d", maxRedactions, len(redactions))
		redactions = redactions[:maxRedactions]
	}
	for i := range redactions {
		e.AddAll("redactions["+strconv.Itoa(i)+"]", redactions[i].validate(legs).Err())
	}
	return e.Err()
}

func (r *Redaction) validate(legs []LegSpec) callmodel.FieldErrors {
	e := validateRange(r.From, r.To)
	if len(r.Legs) > MaxLegs {
		e.Add("legs", "must be at most %d, are %d", MaxLegs, len(r.Legs))
		return e
	}
	for i, name := range r.Legs {
		if !slices.ContainsFunc(legs, func(l LegSpec) bool { return l.Name == name }) {
			e.Add("legs["+strconv.Itoa(i)+"]", "%q is not the name of a leg", text.Clip(name))
		}
	}
	switch r.With {
	case "", RedactWithSilence, RedactWithTone:
	default:
		e.Add("with", "%q is not one of silence, tone", text.Clip(r.With))
	}
	return e
}

// MarshalJSON implements json.Marshaler.
func (r Redaction) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(r) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Redaction) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, r) }
