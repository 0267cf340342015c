// Package manifest is the evidence that goes with a recording: a JSON object
// beside its files. It says which source files the recording was made of, what was
// wrong with them and what was done about it, who is on which channel, which
// encoder made every file, and the hashes of all files. Its only time is the call's
// own, so the same job over the same files gives the same bytes.
//
//	{recording_id}.v1.mp3
//	{recording_id}.v1.peaks.json
//	{recording_id}.v1.manifest.json     names both, with their SHA-256
//
// [Verify] compares files with a manifest. Any tool that reads JSON and makes
// SHA-256 sums can, too.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Version names the format, and is its first field.
const Version = "switchtape-manifest/1"

// MaxBytes is the largest manifest that [Parse] reads.
const MaxBytes = 64 << 20

// Manifest says how a recording was made. Times are milliseconds of the call's
// timeline, which begins at StartedAt.
type Manifest struct {
	Manifest    string                `json:"manifest"` // Version
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	StartedAt   time.Time             `json:"started_at"`

	Status   record.Status `json:"status"`
	Duration time.Duration `json:"duration_ms"`
	// Result's own, where it has them.
	Trimmed  time.Duration `json:"trimmed_ms,omitzero"`
	Redacted time.Duration `json:"redacted_ms,omitempty"`
	Paused   time.Duration `json:"paused_ms,omitempty"`
	// Timeline maps times of the outputs to call time, where they differ.
	Timeline []record.TimelinePiece `json:"timeline,omitempty"`

	// Sources are the legs, in channel order.
	Sources []Source `json:"sources"`
	// Defects are what was wrong with the legs and the recording, and was survived
	// or repaired.
	Defects  []record.Defect        `json:"defects"`
	Outputs  []Output               `json:"outputs"`
	Analysis *record.AnalysisResult `json:"analysis,omitempty"`

	// Spec is the job, and SpecSHA256 the hash, in hex, of its JSON without
	// white space, as encoding/json writes it.
	Spec       record.Spec `json:"spec"`
	SpecSHA256 string      `json:"spec_sha256"`
}

// Source is a leg as it was read.
type Source struct {
	record.LegResult

	Files []File `json:"files"`
}

// File is one file of a leg.
type File struct {
	URI    string        `json:"uri"` // as in the spec
	Offset time.Duration `json:"offset_ms"`
	// Bytes and SHA256, in hex, are of what was read of the file. Missing files
	// have neither.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// What the file was read as; zero if it has no audio.
	Frames   int64 `json:"frames"`
	Rate     int   `json:"rate"` // Hz
	Channels int   `json:"channels"`
}

// Output is a file that was made.
type Output struct {
	// File is its name; it lies beside the manifest.
	File string `json:"file"`
	record.OutputResult

	// URL hides that of the result: places change, names and hashes don't.
	URL string `json:"url,omitempty"`
	// Encrypted hides that of the result likewise: it is the bucket's matter.
	Encrypted bool `json:"encrypted,omitempty"`

	// ChannelMap names the legs of every channel, in order; a channel of
	// silence has none.
	ChannelMap [][]string `json:"channel_map"`
}

// New is the manifest of a result. files are those of each leg, in the spec's
// order.
func New(spec *record.Spec, r *record.Result, files [][]File) (*Manifest, error) {
	sum, err := specHash(spec)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Manifest: Version, TenantID: spec.TenantID, CallID: spec.CallID, RecordingID: spec.RecordingID,
		StartedAt: spec.StartedAt.UTC(), Status: r.Status, Duration: r.Duration, Trimmed: r.Trimmed, Redacted: r.Redacted,
		Paused: r.Paused, Timeline: r.Timeline,
		Sources: make([]Source, len(r.Legs)), Defects: r.Defects, Outputs: make([]Output, len(r.Outputs)),
		Analysis: r.Analysis, Spec: *spec, SpecSHA256: sum,
	}
	for i := range r.Legs {
		m.Sources[i] = Source{LegResult: r.Legs[i], Files: files[i]}
	}
	for i := range r.Outputs {
		o := r.Outputs[i]
		m.Outputs[i] = Output{File: fileName(&o), OutputResult: o, ChannelMap: channelMap(spec, &o)}
	}
	return m, nil
}

// fileName is the last part of where the output is.
func fileName(o *record.OutputResult) string {
	where, _, _ := strings.Cut(o.URL, "?")
	if where == "" {
		where = o.Key
	}
	return path.Base(where)
}

func channelMap(spec *record.Spec, o *record.OutputResult) [][]string {
	channels := make([][]string, o.Channels)
	for i := range channels {
		channels[i] = []string{}
	}
	for i := range spec.Legs {
		c := i
		if o.Layout == record.LayoutMono {
			c = 0
		}
		if c < len(channels) {
			channels[c] = append(channels[c], spec.Legs[i].Name)
		}
	}
	return channels
}

func specHash(spec *record.Spec) (string, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("manifest: encode the job: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Write writes the manifest as JSON, with a line feed at the end.
func (m *Manifest) Write(w io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Parse reads a manifest strictly: it refuses fields that it doesn't know. Its
// error is a callmodel.CodeMalformed or CodeUnsupported one, or
// [callmodel.FieldErrors].
func Parse(r io.Reader) (*Manifest, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxBytes {
		return nil, callmodel.Errorf(callmodel.CodeTooLarge, "the manifest is larger than %d bytes", MaxBytes)
	}
	var head struct {
		Manifest string `json:"manifest"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the manifest is not JSON: %w", err)
	}
	if head.Manifest != Version {
		return nil, callmodel.Errorf(callmodel.CodeUnsupported, "the manifest says it is %q; this program reads %q", head.Manifest, Version)
	}
	m := &Manifest{}
	if err := callmodel.DecodeJSON(b, m); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the manifest can't be read: %w", err)
	}
	return m, m.validate()
}

// validate reports where the manifest contradicts itself.
func (m *Manifest) validate() error {
	var e callmodel.FieldErrors
	if sum, err := specHash(&m.Spec); err != nil || sum != m.SpecSHA256 {
		e.Add("spec_sha256", "is not the hash of spec, which was changed, or is by another version of its format")
	}
	if m.TenantID != m.Spec.TenantID || m.CallID != m.Spec.CallID || m.RecordingID != m.Spec.RecordingID || !m.StartedAt.Equal(m.Spec.StartedAt) {
		e.Add("spec", "is of another recording than the manifest")
	}
	if len(m.Sources) != len(m.Spec.Legs) {
		e.Add("sources", "are %d, of a job with %d legs", len(m.Sources), len(m.Spec.Legs))
	}
	if len(m.Outputs) != len(m.Spec.Outputs) {
		e.Add("outputs", "are %d, of a job with %d", len(m.Outputs), len(m.Spec.Outputs))
	}
	for i := range m.Outputs {
		if f := m.Outputs[i].File; f == "" || f == "." || f == ".." || strings.ContainsAny(f, `/\`) {
			e.Add(fmt.Sprintf("outputs[%d].file", i), "%q is not the plain name of a file", f)
		}
	}
	return e.Err()
}

// MarshalJSON implements json.Marshaler.
func (m Manifest) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(m) }

// UnmarshalJSON implements json.Unmarshaler.
func (m *Manifest) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, m) }

// MarshalJSON implements json.Marshaler.
func (f File) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(f) }

// UnmarshalJSON implements json.Unmarshaler.
func (f *File) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, f) }

// MarshalJSON implements json.Marshaler.
func (s Source) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Source) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, s) }
