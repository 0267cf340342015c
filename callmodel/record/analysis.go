package record

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// AnalysisResult is what a result tells of an analysis of a recording; the whole is in
// the output of CodecAnalysis. Times are milliseconds of the output.
type AnalysisResult struct {
	Duration time.Duration `json:"duration_ms"`
	Silence  time.Duration `json:"silence_ms"` // in which nobody talks
	Overlap  time.Duration `json:"overlap_ms"` // in which two or more do
	// LoudnessLUFS is the integrated loudness of all legs together, as EBU R128
	// gates it; -70 stands for silence.
	LoudnessLUFS float64           `json:"loudness_lufs"`
	Legs         []LegAnalysis     `json:"legs"`
	Alignment    []AlignmentResult `json:"alignment,omitempty"`
}

// LegAnalysis is about one leg.
type LegAnalysis struct {
	Name      string        `json:"name"`
	TalkTime  time.Duration `json:"talk_ms"`
	TalkRatio float64       `json:"talk_ratio"` // of the duration, in [0, 1]
	Silence   time.Duration `json:"silence_ms"`
	Overlap   time.Duration `json:"overlap_ms"` // of its talk, while another talks
	Turns     int64         `json:"turns"`      // stretches of talk
	// The longest monologue goes on over short pauses.
	LongestMonologue time.Duration `json:"longest_monologue_ms"`
	LoudnessLUFS     float64       `json:"loudness_lufs"` // integrated, EBU R128
	RMSDBFS          float64       `json:"rms_dbfs"`
	PeakDBFS         float64       `json:"peak_dbfs"`
	TruePeakDBTP     float64       `json:"true_peak_dbtp"`
	ClippedSamples   int64         `json:"clipped_samples"` // in runs at full scale
}

// AlignmentResult is what the traces of two legs in one another, an echo or
// crosstalk, say about their offsets.
type AlignmentResult struct {
	Legs     [2]string `json:"legs"`
	Detected bool      `json:"detected"` // there is a trace, so what follows has a meaning
	// DisagreementMS is how much later the second leg is than its offset says;
	// negative if it is earlier. With a trace one way only it holds the delay of
	// the echo's path.
	Disagreement time.Duration `json:"disagreement_ms"`
	BothWays     bool          `json:"both_ways"`  // each leg is heard in the other
	Confidence   float64       `json:"confidence"` // of the better trace, in [0, 1]
}

// MarshalJSON implements json.Marshaler.
func (a AnalysisResult) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(a) }

// UnmarshalJSON implements json.Unmarshaler.
func (a *AnalysisResult) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, a) }

// MarshalJSON implements json.Marshaler.
func (l LegAnalysis) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(l) }

// UnmarshalJSON implements json.Unmarshaler.
func (l *LegAnalysis) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, l) }

// MarshalJSON implements json.Marshaler.
func (a AlignmentResult) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(a) }

// UnmarshalJSON implements json.Unmarshaler.
func (a *AlignmentResult) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, a) }
