package record

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Status is one of the four outcomes of a recording job. There is no fifth.
type Status string

// The outcomes.
const (
	StatusCompleted         Status = "completed"
	StatusCompletedDegraded Status = "completed_degraded" // made, with defects
	StatusAbsent            Status = "absent"             // nothing to record; see the reason
	StatusQuarantined       Status = "quarantined"        // could not be made; the inputs are kept
)

// Why a recording is absent.
const (
	ReasonNoMedia  = "no_media"  // every leg is missing or empty
	ReasonTooShort = "too_short" // the call lasted 0 s
	ReasonPaused   = "paused"    // recording was paused throughout, and pauses are cut
)

// Result is what a recording job came to.
type Result struct {
	Status   Status        `json:"status"`
	Reason   string        `json:"reason,omitempty"` // why it is absent or quarantined
	Defects  []Defect      `json:"defects"`
	Duration time.Duration `json:"duration_ms"` // of the outputs, rounded
	// TrimmedMS is how much was trimmed off the start. Call time is time in an
	// output plus this, unless pauses were cut.
	Trimmed time.Duration `json:"trimmed_ms,omitzero"`
	// Timeline says which stretches of the call the outputs hold, in order, when
	// the spec trims silence or cuts pauses; else an output's time is call time.
	Timeline []TimelinePiece `json:"timeline,omitempty"`
	// PausedMS is for how much of the call recording was paused, rounded.
	Paused time.Duration `json:"paused_ms,omitempty"`
	// RedactedMS is for how much of the outputs a leg or more was redacted, rounded.
	Redacted time.Duration  `json:"redacted_ms,omitempty"`
	Legs     []LegResult    `json:"legs"`
	Outputs  []OutputResult `json:"outputs"`
	// Analysis is what is told of the first output that is an analysis; nil
	// without one.
	Analysis *AnalysisResult `json:"analysis,omitempty"`
	// Manifest is the object that says how the recording was made; nil without
	// outputs, or if the spec didn't want it.
	Manifest *ManifestResult `json:"manifest,omitempty"`
	// Software is the version of the program that made it; "" if it didn't say.
	Software string `json:"software,omitempty"`
	// HostSoftware is the spec's: what wrote the legs.
	HostSoftware string `json:"host_software,omitempty"`
	// Consent is the spec's.
	Consent retention.Consent `json:"consent,omitempty"`
	// InBackup says that its objects are in the backup bucket, as its own was away. They
	// are moved to its own when that is back, and their URLs with them.
	InBackup bool `json:"in_backup,omitempty"`
	// Traceparent names the span in which it was made, for its event (W3C Trace Context,
	// section 3.2); "" if nothing was traced. It isn't stored.
	Traceparent string `json:"-"`
}

// URL is that of the recording: its first output that can be listened to, else
// its first output; "" if there is none.
func (r *Result) URL() string {
	for i := range r.Outputs {
		if r.Outputs[i].Codec.Audio() {
			return r.Outputs[i].URL
		}
	}
	if len(r.Outputs) > 0 {
		return r.Outputs[0].URL
	}
	return ""
}

// Made reports whether there is a recording: completed or completed_degraded,
// with outputs.
func (r *Result) Made() bool {
	return (r.Status == StatusCompleted || r.Status == StatusCompletedDegraded) && len(r.Outputs) > 0
}

// Version is that of the recording, from 1, by the keys of its objects; 0 if they have none,
// as where nothing was made. All objects of a version have the same. A number that a
// recording has had is never another version's.
func (r *Result) Version() int {
	version := 0
	for i := range r.Outputs {
		if k, ok := ParseObjectKey(r.Outputs[i].Key); ok {
			version = max(version, k.Version)
		}
	}
	if r.Manifest != nil {
		if k, ok := ParseObjectKey(r.Manifest.Key); ok {
			version = max(version, k.Version)
		}
	}
	return version
}

// Has reports whether the result names the defect.
func (r *Result) Has(code DefectCode) bool {
	return slices.ContainsFunc(r.Defects, func(d Defect) bool { return d.Code == code })
}

// Loses says, in words, what of the recording before would be lost if r took
// its place: there is none, it is shorter, or a leg has less audio than it had
// or none. "" if r holds all that before does. Lengths are compared in whole
// milliseconds, as a leg's rate may have become known.
func (r *Result) Loses(before *Result) string {
	if !r.Made() {
		if r.Reason != "" {
			return fmt.Sprintf("there is no recording any more: %s, %s", r.Status, r.Reason)
		}
		return fmt.Sprintf("there is no recording any more: %s", r.Status)
	}
	if r.Duration < before.Duration {
		return fmt.Sprintf("it lasts %d ms instead of %d", r.Duration.Milliseconds(), before.Duration.Milliseconds())
	}
	for i := range before.Legs {
		old := &before.Legs[i]
		now := slices.IndexFunc(r.Legs, func(l LegResult) bool { return l.Name == old.Name })
		if had, has := old.audioMS(), int64(0); had > 0 {
			if now >= 0 {
				has = r.Legs[now].audioMS()
			}
			if has < had {
				return fmt.Sprintf("leg %s has %d ms of audio instead of %d", old.Name, has, had)
			}
		}
	}
	return ""
}

// audioMS is how much audio was read of the leg, rounded up: a leg with a frame has some.
func (l *LegResult) audioMS() int64 {
	if l.Rate <= 0 {
		return 0
	}
	return l.Frames/int64(l.Rate)*1000 + (l.Frames%int64(l.Rate)*1000+int64(l.Rate)-1)/int64(l.Rate)
}

// ManifestResult is the manifest's object.
type ManifestResult struct {
	URL    string `json:"url"`
	Key    string `json:"key,omitempty"` // its key in the bucket; "" outside of one
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// LegResult is what was read of a leg.
type LegResult struct {
	Name    string        `json:"name"`
	Frames  int64         `json:"frames"`           // frames read over all segments, at Rate
	Rate    int           `json:"rate"`             // Hz, of the leg's first readable segment; 0 if there is none
	Offset  time.Duration `json:"offset_ms"`        // of the first segment
	SHA256  string        `json:"sha256,omitempty"` // hex, of the bytes of all segments in order; "" if nothing was read
	Channel int           `json:"channel"`          // 0-based channel in outputs that keep legs apart
	// DriftPPM is how much faster than the call's clock the leg's ran, in
	// millionths, to 0.1; 0 if it didn't or there is nothing to tell it by.
	DriftPPM float64 `json:"drift_ppm,omitempty"`
	// GainDB is what levelling amplified the leg by, beside the spec's gain_db.
	GainDB float64 `json:"gain_db,omitempty"`
	// Gaps are the stretches of the call of 1 ms or more that the leg has no audio
	// of, in order, at most MaxGaps; GapsOmitted is how many there are besides.
	Gaps        []LegGap `json:"gaps,omitempty"`
	GapsOmitted int      `json:"gaps_omitted,omitempty"`
}

// OutputResult is one finished object.
type OutputResult struct {
	Name     string `json:"name,omitempty"`
	URL      string `json:"url"`           // where it is
	Key      string `json:"key,omitempty"` // its key in the bucket; "" outside of one
	Codec    Codec  `json:"codec"`
	Layout   Layout `json:"layout"`
	Channels int    `json:"channels"`
	Rate     int    `json:"rate"`    // Hz
	Bitrate  int    `json:"bitrate"` // bit/s; for PCM that of the samples
	Frames   int64  `json:"frames"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // hex, of the object's bytes
	// Encoder is what made it, and the version of its output: "switchtape-mp3/1".
	Encoder string `json:"encoder,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (r Result) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(r) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Result) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, r) }

// MarshalJSON implements json.Marshaler.
func (l LegResult) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(l) }

// UnmarshalJSON implements json.Unmarshaler.
func (l *LegResult) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, l) }
