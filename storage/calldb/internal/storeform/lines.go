package storeform

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// The types of the outbox's events.
const (
	RecordingCompleted   = "recording.completed" // degraded ones too: the body tells
	RecordingAbsent      = "recording.absent"
	RecordingQuarantined = "recording.quarantined"
)

// Outcome is what the end of a job leaves behind, besides the job's own row.
type Outcome struct {
	Recording calls.Recording
	Event     callmodel.OutboxEvent
	Audit     callmodel.AuditEvent
}

// Finished is a job that came to its end, or published a recording, for
// [Finished.Outcome].
type Finished struct {
	Job     callmodel.JobID
	Tenant  callmodel.TenantID
	Call    callmodel.CallID
	ID      callmodel.RecordingID
	Retries int64 // how often a person put the job back
	Actor   string
	At      time.Time // the database's clock
	Result  record.Result
	// Published is the token of the lease that a recording was published under,
	// of a job that goes on; 0 at a job's end.
	Published int64
}

// body is the outbox event's JSON.
type body struct {
	Type      string             `json:"type"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	CallID    callmodel.CallID   `json:"call_id"`
	At        time.Time          `json:"at"`
	Recording calls.Recording    `json:"recording"`
	// Provisional: a later version may follow, in an event of the same type.
	Provisional bool `json:"provisional,omitempty"`
}

// Outcome is what has to be written in the transaction that ends the job, or
// publishes its recording.
func (f Finished) Outcome() (Outcome, error) {
	r := f.Result
	rec := calls.Recording{
		RecordingID: f.ID, JobID: f.Job, Status: r.Status, Reason: Text(r.Reason, MaxText),
		Outputs: r.Outputs, Duration: r.Duration, Defects: r.Defects, FinishedAt: f.At,
		URL: r.URL(), Analysis: r.Analysis, Manifest: r.Manifest,
	}
	kind, action := RecordingCompleted, callmodel.AuditJobCompleted
	switch r.Status {
	case record.StatusAbsent:
		kind = RecordingAbsent
	case record.StatusQuarantined:
		kind, action = RecordingQuarantined, callmodel.AuditJobQuarantined
	case record.StatusCompleted, record.StatusCompletedDegraded:
	}
	if f.Published > 0 {
		action = callmodel.AuditJobPublished
	}
	b, err := json.Marshal(body{
		Type: kind, TenantID: f.Tenant, CallID: f.Call, At: f.At, Recording: rec, Provisional: f.Published > 0,
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("encode the event of job %s: %w", f.Job, err)
	}
	key := kind + ":" + string(f.Job)
	switch {
	case f.Published > 0:
		key = PublishedKey(f.Job, f.Published)
	case f.Retries > 0 && kind == RecordingQuarantined:
		// A job that a person put back may be quarantined again: that is news.
		key += "." + strconv.FormatInt(f.Retries, 10)
	}
	detail := map[string]string{"call_id": string(f.Call), "recording_id": string(f.ID), "status": string(r.Status)}
	if rec.Reason != "" {
		detail["reason"] = rec.Reason
	}
	if rec.URL != "" {
		detail["url"] = rec.URL
	}
	return Outcome{
		Recording: rec,
		Event: callmodel.OutboxEvent{
			Key: key, TenantID: f.Tenant, Type: kind, Subject: string(f.Call), At: f.At, Body: b,
		},
		Audit: callmodel.AuditEvent{
			TenantID: f.Tenant, At: f.At, Actor: f.Actor, Action: action, Subject: string(f.Job), Detail: detail,
		},
	}, nil
}

// PublishedKey is the outbox key of the recording that was published under the
// token. That it exists says that it was.
func PublishedKey(id callmodel.JobID, token int64) string {
	return RecordingCompleted + ":" + string(id) + "." + strconv.FormatInt(token, 10)
}

// QuarantinedLine is the audit line of a job that was set aside although a
// recording of it is published: all that is told, as the recording stays.
func QuarantinedLine(j *ledger.Job, actor, cause string) callmodel.AuditEvent {
	return callmodel.AuditEvent{
		TenantID: j.Spec.TenantID, Actor: actor, Action: callmodel.AuditJobQuarantined, Subject: string(j.ID),
		Detail: map[string]string{
			"call_id": string(j.Spec.CallID), "recording_id": string(j.Spec.RecordingID),
			"status": string(record.StatusQuarantined), "reason": Text(cause, MaxText), "published": j.Published().URL(),
		},
	}
}

// Quarantine is the result of a job that was set aside for cause.
func Quarantine(cause string) record.Result {
	return record.Result{Status: record.StatusQuarantined, Reason: Text(cause, MaxText)}
}

// LeaseExpired is the cause of an attempt whose worker went silent.
func LeaseExpired(worker string, attempts int) string {
	return fmt.Sprintf("attempt %d of %d: the lease of worker %q ended without a word from it",
		attempts, ledger.MaxAttempts, worker)
}

// EnqueuedLine is the audit line of a new job.
func EnqueuedLine(id callmodel.JobID, r *ledger.Request, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{
		TenantID: r.Spec.TenantID, Actor: actor, Action: callmodel.AuditJobEnqueued, Subject: string(id),
		Detail: map[string]string{
			"call_id": string(r.Spec.CallID), "recording_id": string(r.Spec.RecordingID), "queue": r.Queue,
		},
	}
}

// CreatedLine is the audit line of a new call.
func CreatedLine(c *calls.Call, actor string) callmodel.AuditEvent {
	e := callmodel.AuditEvent{
		TenantID: c.TenantID, Actor: actor, Action: callmodel.AuditCallCreated, Subject: string(c.ID),
		Detail: map[string]string{"state": string(c.State)},
	}
	if c.State == calls.Rejected {
		e.Action = callmodel.AuditCallRejected
	}
	if d := c.Decision; d != nil {
		e.Detail["rule"], e.Detail["ruleset"], e.Detail["source"] = d.Rule, d.RuleSet, string(d.Source)
	}
	return e
}

// EventLine is the audit line of an event that moved a call.
func EventLine(c *calls.Call, ev *calls.Event, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{
		TenantID: c.TenantID, Actor: actor, Action: callmodel.AuditCallEvent, Subject: string(c.ID),
		Detail: map[string]string{"event": string(ev.Type), "event_id": ev.ID, "state": string(c.State)},
	}
}

// RetriedLine is the audit line of a job that a person put back.
func RetriedLine(t callmodel.TenantID, id callmodel.JobID, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{TenantID: t, Actor: actor, Action: callmodel.AuditJobRetried, Subject: string(id)}
}

// RuleSetLine is the audit line of a rule set that was stored or activated.
func RuleSetLine(action string, t callmodel.TenantID, hash, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{TenantID: t, Actor: actor, Action: action, Subject: hash}
}
