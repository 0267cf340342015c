package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Kind is the kind of the ledger's jobs that make recordings. Their key is the
// recording's id, their payload a [Spec] and their result a [Result].
const Kind = "record"

// Why a recording waits, beside the ledger's own reasons.
const (
	LegsMissing ledger.Reason = "legs_missing" // files aren't there yet, or are empty
	LegsGrowing ledger.Reason = "legs_growing" // files were seen being written
	LegsAway    ledger.Reason = "legs_away"    // the directory or bucket of the legs can't be looked into
	BucketAway  ledger.Reason = "bucket_away"  // the bucket that it is to be stored in can't be used
)

// NewJob is the job that makes the recording. queue and priority are those of
// [ledger.Request]. That the spec is sound is checked when it is enqueued: see
// [CheckJob].
func NewJob(s Spec, queue string, priority int) (ledger.Request, error) {
	payload, err := json.Marshal(s)
	if err != nil {
		return ledger.Request{}, fmt.Errorf("encode the spec of recording %s: %w", s.RecordingID, err)
	}
	return ledger.Request{
		Kind: Kind, TenantID: s.TenantID, CallID: s.CallID, Key: string(s.RecordingID),
		Payload: payload, Queue: queue, Priority: priority,
	}, nil
}

// CheckJob reports every fault of the spec in a recording job to enqueue, as
// FieldErrors.
func CheckJob(r *ledger.Request) error {
	var s Spec
	if err := s.UnmarshalJSON(r.Payload); err != nil {
		return callmodel.FieldErrors{{Path: "spec", Message: fmt.Sprintf("is not a recording's: %v", err)}}
	}
	var e callmodel.FieldErrors
	e.AddAll("", s.Validate())
	e.AddAll("", ValidateRelative(s.Legs))
	if s.TenantID != r.TenantID || s.CallID != r.CallID || string(s.RecordingID) != r.Key {
		e.Add("spec", "is of recording %s of call %s of tenant %s, and the job of another", s.RecordingID, s.CallID, s.TenantID)
	}
	return e.Err()
}

// SpecOf is what to record, by a job of the kind [Kind].
func SpecOf(j *ledger.Job) (Spec, error) {
	var s Spec
	if j.Kind != Kind {
		return s, fmt.Errorf("job %s is of the kind %q, not %q", j.ID, j.Kind, Kind)
	}
	if err := s.UnmarshalJSON(j.Payload); err != nil {
		return s, fmt.Errorf("the spec of job %s: %w", j.ID, err)
	}
	return s, nil
}

// ResultOf is what the recording job came to so far; nil for nothing.
func ResultOf(j *ledger.Job) (*Result, error) {
	if len(j.Result) == 0 {
		return nil, nil //nolint:nilnil // no result is no fault
	}
	r := &Result{}
	if err := r.UnmarshalJSON(j.Result); err != nil {
		return nil, fmt.Errorf("the result of job %s: %w", j.ID, err)
	}
	return r, nil
}

// PublishedBy is the recording that is on the call already while its job isn't
// done: that of an earlier attempt. Nil if there is none.
func PublishedBy(j *ledger.Job) (*Result, error) {
	if !j.Published {
		return nil, nil //nolint:nilnil // none is no fault
	}
	return ResultOf(j)
}

// Retriable reports whether more can come of the recording job once it is done:
// nothing was made, or something with defects.
func Retriable(j *ledger.Job) bool {
	r, err := ResultOf(j)
	return err == nil && r != nil && (r.Status == StatusAbsent && r.Reason != retention.ReasonErased || r.Status == StatusCompletedDegraded)
}

// checkResult refuses a result that isn't one of the four outcomes, with FieldErrors.
func checkResult(r *Result) error {
	switch r.Status {
	case StatusCompleted, StatusCompletedDegraded, StatusAbsent, StatusQuarantined:
		return nil
	}
	return callmodel.FieldErrors{{
		Path:    "status",
		Message: fmt.Sprintf("%.64q is not one of completed, completed_degraded, absent, quarantined", string(r.Status)),
	}}
}

// Outcome is how the ledger commits the result: the recording goes on the call,
// and what is told of it to the outbox. A quarantined result sets the job aside.
func Outcome(r Result) (ledger.Outcome, error) {
	if err := checkResult(&r); err != nil {
		return ledger.Outcome{}, err
	}
	o := ledger.Outcome{
		Empty: !r.Made(), Quarantine: r.Status == StatusQuarantined, Reason: r.Reason,
		Effects: r.effects,
	}
	if o.Quarantine && len(r.Legs)+len(r.Outputs)+len(r.Defects) == 0 {
		return o, nil // nothing is known of it but the reason
	}
	var err error
	if o.Result, err = json.Marshal(r); err != nil {
		return ledger.Outcome{}, fmt.Errorf("encode a recording's result: %w", err)
	}
	return o, nil
}

// SetAside is the outcome of a recording job that was set aside for cause.
func SetAside(cause string) ledger.Outcome {
	r := Result{Status: StatusQuarantined, Reason: cause}
	return ledger.Outcome{Empty: true, Quarantine: true, Reason: cause, Effects: r.effects}
}

// CallEntry is a recording as its call shows it.
type CallEntry struct {
	RecordingID callmodel.RecordingID `json:"recording_id"`
	JobID       callmodel.JobID       `json:"job_id"`
	// State is where it stands, as whoever reads the call finds it: "pending" while
	// its job waits or runs, which may make another version of what is there already,
	// else "completed", "degraded", "absent" or "quarantined". It isn't stored.
	State  string `json:"state,omitempty"`
	Status Status `json:"status,omitempty"` // of what there is; "" for nothing yet
	Reason string `json:"reason,omitempty"`
	URL    string `json:"url,omitempty"` // of the first output that can be listened to
	// Link is where clients of the API get the audio; "" until there is some, and where
	// the API doesn't say. It isn't stored.
	Link       string          `json:"link,omitempty"`
	Outputs    []OutputResult  `json:"outputs,omitempty"`
	Duration   time.Duration   `json:"duration_ms"`
	Defects    []Defect        `json:"defects,omitempty"`
	Analysis   *AnalysisResult `json:"analysis,omitempty"`
	Manifest   *ManifestResult `json:"manifest,omitempty"`
	FinishedAt time.Time       `json:"finished_at,omitzero"` // the database's clock
	// Software and HostSoftware are the Result's.
	Software     string `json:"software,omitempty"`
	HostSoftware string `json:"host_software,omitempty"`
	// Consent is the Result's, too.
	Consent retention.Consent `json:"consent,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (c CallEntry) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(c) }

// UnmarshalJSON implements json.Unmarshaler.
func (c *CallEntry) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, c) }

// SameObjects reports whether both entries say that the recording is in the same objects,
// or that there is none.
func (c *CallEntry) SameObjects(other *CallEntry) bool {
	return c.Status == other.Status && c.URL == other.URL && slices.EqualFunc(c.Outputs, other.Outputs, func(x, y OutputResult) bool {
		return x.URL == y.URL && x.SHA256 == y.SHA256
	})
}

// eventBody is the outbox event's JSON.
type eventBody struct {
	Type      string             `json:"type"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	CallID    callmodel.CallID   `json:"call_id"`
	At        time.Time          `json:"at"`
	Recording json.RawMessage    `json:"recording"`
	// Provisional: a later version may follow, in an event of the same type.
	Provisional bool   `json:"provisional,omitempty"`
	Traceparent string `json:"traceparent,omitempty"` // see outbox.Traceparent
}

// effects is what the result leaves on the call and in the outbox.
func (r Result) effects(c ledger.Commit) (ledger.Effects, error) {
	entry, err := json.Marshal(CallEntry{
		RecordingID: callmodel.RecordingID(c.Key), JobID: c.JobID, Status: r.Status, Reason: r.Reason,
		Outputs: r.Outputs, Duration: r.Duration, Defects: r.Defects, FinishedAt: c.At,
		URL: r.URL(), Analysis: r.Analysis, Manifest: r.Manifest, Software: r.Software, HostSoftware: r.HostSoftware, Consent: r.Consent,
	})
	if err != nil {
		return ledger.Effects{}, fmt.Errorf("encode the recording of job %s: %w", c.JobID, err)
	}
	event := outbox.RecordingCompleted
	switch r.Status {
	case StatusAbsent:
		event = outbox.RecordingAbsent
	case StatusQuarantined:
		event = outbox.RecordingQuarantined
	case StatusCompleted, StatusCompletedDegraded:
	}
	body, err := json.Marshal(eventBody{
		Type: event, TenantID: c.TenantID, CallID: c.CallID, At: c.At, Recording: entry, Provisional: c.Token > 0, Traceparent: r.Traceparent,
	})
	if err != nil {
		return ledger.Effects{}, fmt.Errorf("encode the event of job %s: %w", c.JobID, err)
	}
	key := event + ":" + string(c.JobID)
	switch {
	case c.Token > 0: // a version before the last one
		key += "." + strconv.FormatInt(c.Token, 10)
	case c.Retries > 0 && event == outbox.RecordingQuarantined:
		// A job that a person put back may be quarantined again: that is news.
		key += "." + strconv.FormatInt(c.Retries, 10)
	case c.Retries > 0: // and so is what one comes to that was done before
		key += ".r" + strconv.FormatInt(c.Retries, 10)
	}
	if r.Reason == retention.ReasonErased { // who deletes it tells of that
		return ledger.Effects{Recording: entry}, nil
	}
	detail := map[string]string{"call_id": string(c.CallID), "recording_id": c.Key, "status": string(r.Status)}
	if r.Reason != "" {
		detail["reason"] = r.Reason
	}
	if r.Consent != "" {
		detail["consent"] = string(r.Consent)
	}
	if url := r.URL(); url != "" {
		detail["url"] = url
	}
	return ledger.Effects{
		Recording: entry,
		Event: &callmodel.OutboxEvent{
			Key: key, TenantID: c.TenantID, Type: event, Subject: string(c.CallID), Body: body,
		},
		Detail: detail,
	}, nil
}
