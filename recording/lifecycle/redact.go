package lifecycle

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// Redacting says what is redacted of a finished recording: the payload of a job of the kind
// retention.KindRedact.
type Redacting struct {
	JobID       callmodel.JobID       `json:"job_id"` // that has made the recording
	RecordingID callmodel.RecordingID `json:"recording_id"`
	// Redactions are ranges of the call, each for all parties or for some. What they hold
	// is replaced in every output, and what it was is deleted everywhere.
	Redactions []record.Redaction `json:"redactions"`
	Reason     string             `json:"reason"`
	Actor      string             `json:"actor"` // who asks for it
}

// Validate reports every fault that shows without the recording, as FieldErrors.
func (d *Redacting) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("job_id", string(d.JobID))
	e.CheckID("recording_id", string(d.RecordingID))
	if len(d.Redactions) == 0 {
		e.Add("redactions", "are missing; give at least one range")
	}
	retention.CheckReason(&e, "reason", d.Reason)
	return e.Err()
}

// RedactJob is the job that redacts the recording of the job j. The same ranges are the same
// job. Ranges that can't be of the recording are refused with FieldErrors.
func RedactJob(j *ledger.Job, redactions []record.Redaction, reason, actor string) (ledger.Request, error) {
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
	d := Redacting{JobID: j.ID, RecordingID: spec.RecordingID, Redactions: redactions, Reason: reason, Actor: actor}
	ranges, err := json.Marshal(redactions)
	if err != nil {
		return ledger.Request{}, err
	}
	payload, err := json.Marshal(d)
	sum := sha256.Sum256(append([]byte(j.ID), ranges...))
	return ledger.Request{
		Kind: retention.KindRedact, TenantID: j.TenantID, CallID: j.CallID, Key: "redact-" + hex.EncodeToString(sum[:16]),
		Queue: j.Queue, Payload: payload, Actor: actor,
	}, err
}

// redact makes the recording again without what is redacted, and deletes what it was.
func (e *Eraser) redact(ctx context.Context, j *task.Job, d Redacting) (any, error) {
	begun, err := e.begun(ctx, j)
	if err != nil {
		return nil, err
	}
	if begun == nil {
		if begun, err = e.beginRedaction(ctx, j, &d); err != nil {
			return nil, err
		}
	}
	made, err := e.ledger.Job(ctx, d.JobID)
	if err != nil {
		return nil, err
	}
	result, err := record.ResultOf(&made)
	if err != nil {
		return nil, callmodel.Permanent(err)
	}
	return e.destroy(ctx, j, begun, keysOf(result))
}

// keysOf are the keys of the result's objects.
func keysOf(r *record.Result) map[string]bool {
	keys := map[string]bool{}
	if r == nil {
		return keys
	}
	for i := range r.Outputs {
		keys[r.Outputs[i].Key] = true
	}
	if r.Manifest != nil {
		keys[r.Manifest.Key] = true
	}
	return keys
}

func (e *Eraser) beginRedaction(ctx context.Context, j *task.Job, d *Redacting) (*retention.Erasure, error) {
	made, err := e.made(ctx, j, d.JobID)
	if err != nil {
		return nil, err
	}
	if made.State != ledger.Done {
		return nil, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "recording %s isn't finished: its job is %s", made.Key, made.State), soon)
	}
	rec := &stored.Recording{JobID: made.ID}
	if rec.Spec, err = record.SpecOf(made); err != nil {
		return nil, callmodel.Permanent(err)
	}
	was, err := record.ResultOf(made)
	if err != nil || was == nil {
		return nil, callmodel.Permanent(cmp.Or(err, callmodel.Errorf(callmodel.CodeConflict, "recording %s has no result", made.Key)))
	}
	if was.InBackup {
		return nil, waits("recording %s is in the backup bucket: it is redacted when it has been moved home", made.Key)
	}
	rec.Result = *was
	spec, result, err := e.opts.Redactor.Redact(ctx, rec, d.Redactions)
	if err != nil {
		return nil, err
	}
	b := retention.Begin{Erasure: retention.Erasure{
		TenantID: j.TenantID, JobID: made.ID, ByJob: j.ID, Kind: retention.KindRedact, Reason: d.Reason, Actor: cmp.Or(d.Actor, j.Worker),
	}}
	if b.Result, err = json.Marshal(result); err != nil {
		return nil, callmodel.Permanent(err)
	}
	if b.Spec, err = json.Marshal(spec); err != nil {
		return nil, callmodel.Permanent(err)
	}
	if err := e.plan(ctx, made, &b, keysOf(&result)); err != nil {
		return nil, err
	}
	return e.commit(ctx, &b)
}
