// Package erasure has the jobs by which recordings are deleted and redacted, for those who
// enqueue them. Package lifecycle does them.
//
//	a recording's job, a reason, who asks ─▶ [Job]         ─▶ ledger ─▶ lifecycle.Eraser
//	… and ranges                          ─▶ [RedactionJob] ─┘
package erasure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Payload says which recording is deleted: that of a job of the kind retention.KindErase,
// whose key is the recording's and whose queue that of its job.
type Payload struct {
	JobID  callmodel.JobID `json:"job_id"` // that has made, or is to make, the recording
	Reason string          `json:"reason"`
	Actor  string          `json:"actor"` // who asks for it
}

// Validate reports every fault, as FieldErrors.
func (p *Payload) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("job_id", string(p.JobID))
	retention.CheckReason(&e, "reason", p.Reason)
	return e.Err()
}

// Job is the job that deletes the recording of the job j. There is one of each recording.
func Job(j *ledger.Job, reason, actor string) (ledger.Request, error) {
	payload, err := json.Marshal(Payload{JobID: j.ID, Reason: reason, Actor: actor})
	return ledger.Request{
		Kind: retention.KindErase, TenantID: j.TenantID, CallID: j.CallID, Key: j.Key, Queue: j.Queue, Payload: payload, Actor: actor,
	}, err
}

// RedactionPayload says what is redacted of a finished recording: that of a job of the kind
// retention.KindRedact.
type RedactionPayload struct {
	JobID       callmodel.JobID       `json:"job_id"` // that has made the recording
	RecordingID callmodel.RecordingID `json:"recording_id"`
	// Redactions are ranges of the call, each for all parties or for some. What they hold
	// is replaced in every output, and what it was is deleted everywhere.
	Redactions []record.Redaction `json:"redactions"`
	Reason     string             `json:"reason"`
	Actor      string             `json:"actor"` // who asks for it
}

// Validate reports every fault that shows without the recording, as FieldErrors.
func (p *RedactionPayload) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("job_id", string(p.JobID))
	e.CheckID("recording_id", string(p.RecordingID))
	if len(p.Redactions) == 0 {
		e.Add("redactions", "are missing; give at least one range")
	}
	retention.CheckReason(&e, "reason", p.Reason)
	return e.Err()
}

// CheckRanges refuses to redact what isn't there, as all that a redaction takes the place of is
// deleted: CodeConflict for a recording that was never made, FieldErrors for ranges that
// begin behind the end of its sound.
func CheckRanges(r *record.Result, redactions []record.Redaction) error {
	if !r.Made() {
		return callmodel.Errorf(callmodel.CodeConflict, "there is nothing to redact: the recording is %s, %s", r.Status, r.Reason)
	}
	end := r.Trimmed + r.Duration
	for _, piece := range r.Timeline {
		end = max(end, piece.CallTo)
	}
	var faults callmodel.FieldErrors
	for i := range redactions {
		if redactions[i].From >= end {
			faults.Add("redactions["+strconv.Itoa(i)+"].from_ms", "lies behind the recording's end, at %d", end.Milliseconds())
		}
	}
	return faults.Err()
}

// RedactionJob is the job that redacts the recording of the job j. The same ranges are the
// same job. Ranges that can't be of the recording are refused with FieldErrors.
func RedactionJob(j *ledger.Job, redactions []record.Redaction, reason, actor string) (ledger.Request, error) {
	spec, err := record.SpecOf(j)
	if err != nil {
		return ledger.Request{}, err
	}
	var faults callmodel.FieldErrors
	if len(redactions) == 0 {
		faults.Add("redactions", "are missing; give at least one range")
	}
	faults.AddAll("", record.ValidateRedactions(redactions, spec.Legs))
	if err := faults.Err(); err != nil {
		return ledger.Request{}, err
	}
	result, err := record.ResultOf(j)
	if err != nil {
		return ledger.Request{}, err
	}
	if result != nil {
		if err := CheckRanges(result, redactions); err != nil {
			return ledger.Request{}, err
		}
	}
	ranges, err := json.Marshal(redactions)
	if err != nil {
		return ledger.Request{}, err
	}
	payload, err := json.Marshal(RedactionPayload{JobID: j.ID, RecordingID: spec.RecordingID, Redactions: redactions, Reason: reason, Actor: actor})
	sum := sha256.Sum256(append([]byte(j.ID), ranges...))
	return ledger.Request{
		Kind: retention.KindRedact, TenantID: j.TenantID, CallID: j.CallID, Key: "redact-" + hex.EncodeToString(sum[:16]),
		Queue: j.Queue, Payload: payload, Actor: actor,
	}, err
}
