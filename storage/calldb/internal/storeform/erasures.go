package storeform

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// ErasedResult is the result of a job that has made something of a recording which was
// deleted.
const ErasedResult = `{"status":"absent","reason":"` + retention.ReasonErased + `"}`

// ErasureWritten is what the beginning or the end of a deletion leaves behind.
type ErasureWritten struct {
	Written

	Erasure    retention.Erasure
	Result     json.RawMessage // of the recording's job
	FinishedAt time.Time       // of the recording
}

// Flag is a truth as a column holds it.
func Flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Erased reports whether the recording of the job was deleted, or is being deleted.
func Erased(j *ledger.Job) bool {
	r, err := record.ResultOf(j)
	return j.Kind == record.Kind && err == nil && r != nil && r.Status == record.StatusAbsent && r.Reason == retention.ReasonErased
}

// CheckErasable refuses to delete what can't be deleted now.
func CheckErasable(j *ledger.Job, b *retention.Begin) error {
	switch {
	case j.Kind != record.Kind || j.TenantID != b.Erasure.TenantID:
		return callmodel.ErrNotFound
	case j.State == ledger.Running:
		return conflict("recording %s is being made: its job %s is running", j.Key, j.ID)
	case Erased(j):
		return callmodel.Errorf(callmodel.CodeGone, "recording %s was deleted already", j.Key)
	case b.Keep() && j.State != ledger.Done:
		return conflict("recording %s isn't finished: its job %s is %s", j.Key, j.ID, j.State)
	}
	return nil
}

// BeginErasure is what the beginning of a deletion makes of the recording's job, and its
// spec. What could tell of people is left out of the spec of one that is deleted.
func BeginErasure(j *ledger.Job, b *retention.Begin, now time.Time) (w ErasureWritten, spec json.RawMessage, err error) {
	w.Erasure = b.Erasure
	e := &w.Erasure
	e.TenantID, e.CallID, e.RecordingID, e.State, e.BegunAt = j.TenantID, j.CallID, callmodel.RecordingID(j.Key), retention.Begun, now
	e.Reason, e.Actor = Text(e.Reason, retention.MaxReason), Text(e.Actor, MaxText)
	if w.FinishedAt = j.FinishedAt; w.FinishedAt.IsZero() {
		w.FinishedAt = now
	}
	result := record.Result{
		Status: record.StatusAbsent, Reason: retention.ReasonErased,
		Defects: []record.Defect{}, Legs: []record.LegResult{}, Outputs: []record.OutputResult{},
	}
	action := retention.AuditEraseBegun
	if b.Keep() {
		result = record.Result{}
		if err := result.UnmarshalJSON(b.Result); err != nil {
			return w, nil, err
		}
		spec = b.Spec
	} else if spec, err = bare(j); err != nil {
		return w, nil, err
	}
	o, err := record.Outcome(result)
	if err != nil {
		return w, nil, err
	}
	fx, err := o.Effects(ledger.Commit{JobID: j.ID, TenantID: j.TenantID, CallID: j.CallID, Key: j.Key, At: w.FinishedAt})
	if err != nil {
		return w, nil, err
	}
	w.Result, w.Recording = o.Result, fx.Recording
	w.Audit = callmodel.AuditEvent{
		TenantID: j.TenantID, Actor: e.Actor, Action: action, Subject: string(j.ID), Detail: map[string]string{
			"call_id": string(j.CallID), "recording_id": j.Key, "kind": e.Kind, "reason": e.Reason, "by_job": string(e.ByJob),
		},
	}
	return w, spec, nil
}

// noFile is in the place of the names of legs' files that are deleted.
const noFile = "erased"

// bare is the spec of the job without what could tell of people.
func bare(j *ledger.Job) (json.RawMessage, error) {
	s := record.Spec{TenantID: j.TenantID, CallID: j.CallID, RecordingID: callmodel.RecordingID(j.Key)}
	if full, err := record.SpecOf(j); err == nil { // one that can't be read tells nothing
		s.StartedAt, s.EndedAt, s.Outputs = full.StartedAt, full.EndedAt, full.Outputs
		for i := range full.Legs {
			s.Legs = append(s.Legs, record.NewLeg(full.Legs[i].Name, noFile))
		}
	}
	return json.Marshal(s)
}

// erasedBody is the JSON of the event of a deletion.
type erasedBody struct {
	Type     string             `json:"type"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	CallID   callmodel.CallID   `json:"call_id"`
	At       time.Time          `json:"at"`
	Erasure  retention.Erasure  `json:"erasure"`
}

// EndErasure is what the end of a deletion leaves behind. found is what was found besides
// what the beginning knew.
func EndErasure(begun, found *retention.Erasure, now time.Time, worker string) (w ErasureWritten, err error) {
	w.Erasure = *begun
	e := &w.Erasure
	e.State, e.DoneAt, e.Objects, e.Legs = retention.Done, now, found.Objects, found.Legs
	e.Legs = slices.Clone(e.Legs)
	for i := range e.Legs {
		e.Legs[i].URIs, e.Legs[i].Below = nil, ""
	}
	kind, action := outbox.RecordingErased, retention.AuditErased
	if e.Kind != retention.KindErase {
		kind, action = outbox.RecordingRedacted, retention.AuditRedacted
	}
	objects, err := json.Marshal(e.Objects)
	if err != nil {
		return w, err
	}
	legs, err := json.Marshal(e.Legs)
	if err != nil {
		return w, err
	}
	body, err := json.Marshal(erasedBody{Type: kind, TenantID: e.TenantID, CallID: e.CallID, At: now, Erasure: *e})
	if err != nil {
		return w, err
	}
	w.Event = &callmodel.OutboxEvent{Key: kind + ":" + string(e.ByJob), TenantID: e.TenantID, Type: kind, Subject: string(e.CallID), At: now, Body: body}
	w.Audit = callmodel.AuditEvent{
		TenantID: e.TenantID, Actor: e.Actor, Action: action, Subject: string(e.JobID), Detail: map[string]string{
			"call_id": string(e.CallID), "recording_id": string(e.RecordingID), "kind": e.Kind, "reason": e.Reason, "by_job": string(e.ByJob),
			"worker": Text(worker, MaxText), "begun_at": e.BegunAt.Format(time.RFC3339Nano), "objects": string(objects), "legs": string(legs),
		},
	}
	return w, nil
}
