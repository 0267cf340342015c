package record

import (
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// Limits of the timeline's fields.
const (
	MaxPauses = 1000 // of a recording
	// MaxGaps is how many gaps of a leg a result lists.
	MaxGaps = 1000

	MinLevelLUFS          = -40.0
	MaxLevelLUFS          = -10.0
	MaxLevelGainDB        = 40.0
	DefaultLevelMaxGainDB = 20.0
)

// What becomes of the ranges in which a recording was paused.
const (
	PauseSilence = "silence" // all legs are silent there
	PauseCut     = "cut"     // they are taken out, and what follows moves up
)

// Pause is a range of the call in which recording was paused, while a card
// number was read out, say. Like redacted audio, that of a pause reaches nothing
// that is derived from the legs. Short fades lie outside of the range.
type Pause struct {
	// From and To are call time, counted like the offsets of segments: the
	// range begins at From and ends before To. 0 <= From < To <= MaxSpan.
	// Pauses may overlap and come in any order.
	From time.Duration `json:"from_ms"`
	To   time.Duration `json:"to_ms"`
}

// TimelinePiece is a stretch of the call that the outputs hold without a break.
type TimelinePiece struct {
	CallFrom time.Duration `json:"call_from_ms"` // call time at which it begins
	CallTo   time.Duration `json:"call_to_ms"`   // and before which it ends
	At       time.Duration `json:"at_ms"`        // where it begins in the outputs
}

// TrimSpec says what silence is cut off the start and the end of a recording:
// all before the first and after the last sample of any leg that reaches the
// threshold, after its GainDB and before it is levelled. A call that is silent
// throughout is left as long as it is.
type TrimSpec struct {
	// ThresholdDBFS is the level, of a sample, from which it isn't silent:
	// -100 to -6, or 0 for DefaultTrimDBFS.
	ThresholdDBFS float64 `json:"threshold_dbfs,omitempty"`
	// Keep is how much of the silence stays, 0 to MaxTrimKeep.
	Keep time.Duration `json:"keep_ms,omitzero"`
}

// Limits of a [TrimSpec].
const (
	minTrimDBFS     = -100.0
	maxTrimDBFS     = -6.0
	DefaultTrimDBFS = -50.0
	MaxTrimKeep     = time.Minute
)

// Validate reports every fault of the trimming, as [callmodel.FieldErrors].
func (t *TrimSpec) Validate() error {
	var e callmodel.FieldErrors
	if d := t.ThresholdDBFS; d != 0 && !(d >= minTrimDBFS && d <= maxTrimDBFS) { // a NaN is neither
		e.Add("threshold_dbfs", "must be %g to %g dBFS, or 0 for %g, is %g", minTrimDBFS, maxTrimDBFS, DefaultTrimDBFS, d)
	}
	if t.Keep < 0 || t.Keep > MaxTrimKeep {
		e.Add("keep_ms", "must be 0 to %d ms", int64(MaxTrimKeep)/1e6)
	}
	return e.Err()
}

// GapKind says where a leg lacks audio.
type GapKind string

// The kinds of gaps.
const (
	GapBefore  GapKind = "before"  // until the leg's first audio
	GapBetween GapKind = "between" // two segments
	GapAfter   GapKind = "after"   // the leg's last audio
	// GapMissing is where audio should be: a file isn't there, can't be read, or
	// is shorter than its segment lasted by the call's events.
	GapMissing GapKind = "missing"
	// GapDropout is within a file: sound that breaks off into exact silence and
	// comes back as abruptly. They are looked for if an output is an analysis.
	GapDropout GapKind = "dropout"
)

// LegGap is a stretch of the call of which a leg has no audio, in call time.
type LegGap struct {
	Kind GapKind       `json:"kind"`
	From time.Duration `json:"from_ms"`
	To   time.Duration `json:"to_ms"`
}

// ValidatePauses reports every fault of the pauses and of what becomes of them,
// as [callmodel.FieldErrors].
func ValidatePauses(pauses []Pause, mode string) error {
	var e callmodel.FieldErrors
	if len(pauses) > MaxPauses {
		e.Add("pauses", "must be at most %d, are %d", MaxPauses, len(pauses))
		pauses = pauses[:MaxPauses]
	}
	for i, p := range pauses {
		e.AddAll("pauses["+strconv.Itoa(i)+"]", validateRange(p.From, p.To).Err())
	}
	if mode != "" && !slices.Contains([]string{PauseSilence, PauseCut}, mode) {
		e.Add("pause_mode", "%q is not one of silence, cut", text.Clip(mode))
	}
	return e.Err()
}

// validateRange checks a range of the call, from from_ms to to_ms.
func validateRange(from, to time.Duration) callmodel.FieldErrors {
	var e callmodel.FieldErrors
	inTime := func(path string, m time.Duration) {
		if m < 0 || m > MaxSpan {
			e.Add(path, "must be 0 to %d ms of call time", int64(MaxSpan)/1e6)
		}
	}
	inTime("from_ms", from)
	inTime("to_ms", to)
	if to <= from {
		e.Add("to_ms", "must be after from_ms: %v is not after %v", to, from)
	}
	return e
}

// validateLevel reports every fault of a loudness to level legs to, in LUFS, and
// of the most that may amplify them, in dB, as [callmodel.FieldErrors].
func validateLevel(lufs, maxGainDB float64) error {
	var e callmodel.FieldErrors
	if l := lufs; l != 0 && !(l >= MinLevelLUFS && l <= MaxLevelLUFS) { // a NaN is neither
		e.Add("level_lufs", "must be %g to %g LUFS, or 0 to leave levels as they are, is %g", MinLevelLUFS, MaxLevelLUFS, l)
	}
	switch m := maxGainDB; {
	case !(m >= 0 && m <= MaxLevelGainDB):
		e.Add("level_max_gain_db", "must be 0 (for %g) to %g dB, is %g", DefaultLevelMaxGainDB, MaxLevelGainDB, m)
	case m != 0 && lufs == 0:
		e.Add("level_max_gain_db", "has no effect without level_lufs; give both or neither")
	}
	return e.Err()
}

// MarshalJSON implements json.Marshaler.
func (p Pause) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(p) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *Pause) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, p) }

// MarshalJSON implements json.Marshaler.
func (t TimelinePiece) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(t) }

// UnmarshalJSON implements json.Unmarshaler.
func (t *TimelinePiece) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, t) }

// MarshalJSON implements json.Marshaler.
func (t TrimSpec) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(t) }

// UnmarshalJSON implements json.Unmarshaler.
func (t *TrimSpec) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, t) }

// MarshalJSON implements json.Marshaler.
func (l LegGap) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(l) }

// UnmarshalJSON implements json.Unmarshaler.
func (l *LegGap) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, l) }
