package storeform

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// eventBody is the JSON of an event of a call, a job or rules.
type eventBody struct {
	Type     string             `json:"type"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	CallID   callmodel.CallID   `json:"call_id,omitempty"`
	At       time.Time          `json:"at"`
	Call     json.RawMessage    `json:"call,omitempty"`
	Event    *calls.Event       `json:"event,omitempty"`
	Job      map[string]string  `json:"job,omitempty"`
	RuleSet  map[string]string  `json:"ruleset,omitempty"`
	// Traceparent is that of the request which moved the call; see outbox.Traceparent.
	Traceparent string `json:"traceparent,omitempty"`
}

// event is an outbox event of that body about the subject. Its key is one that no other
// has: the transaction in which it is written sees to it that it is written once.
func event(b *eventBody, subject string) (callmodel.OutboxEvent, error) {
	body, err := json.Marshal(b)
	if err != nil {
		return callmodel.OutboxEvent{}, fmt.Errorf("encode the event %s of %s: %w", b.Type, subject, err)
	}
	return callmodel.OutboxEvent{
		Key: b.Type + ":" + subject + "." + rand.Text(), TenantID: b.TenantID, Type: b.Type, Subject: subject, At: b.At, Body: body,
	}, nil
}

// CreatedType is the type of the event of a new call.
func CreatedType(c *calls.Call) string {
	if c.State == calls.Rejected {
		return outbox.CallRejected
	}
	return outbox.CallCreated
}

// CreatedEvent is the event of a new call, whose JSON is doc.
func CreatedEvent(c *calls.Call, doc []byte) (callmodel.OutboxEvent, error) {
	return event(&eventBody{Type: CreatedType(c), TenantID: c.TenantID, CallID: c.ID, At: c.CreatedAt, Call: doc}, string(c.ID))
}

// MovedType is the type of the event of a call that ev has moved.
func MovedType(ev *calls.Event) string { return outbox.CallMoved + string(ev.Type) }

// MovedEvent is the event of a call that ev has moved, whose JSON is doc. Where the legs
// are on the telephone server is nobody's business but ours.
func MovedEvent(c *calls.Call, ev *calls.Event, doc []byte) (callmodel.OutboxEvent, error) {
	told := *ev
	told.Legs, told.LegsBelow = nil, ""
	return event(&eventBody{Type: MovedType(ev), TenantID: c.TenantID, CallID: c.ID, At: ev.At, Call: doc, Event: &told, Traceparent: ev.Traceparent}, string(c.ID))
}

// LineType is the type of the event that an audit line of a job or of rules stands for;
// "" for a line that stands for none. The two are called the same.
func LineType(action string) string {
	switch action {
	case outbox.JobEnqueued, outbox.JobCompleted, outbox.JobQuarantined, outbox.JobRetried, outbox.JobMoved,
		outbox.RuleSetStored, outbox.RuleSetActivated, outbox.RuleSetRolledBack, outbox.RuleSetCanary, outbox.RuleSetPromoted, outbox.RuleSetAborted:
		return action
	}
	return ""
}

// LineEvent is the event that the audit line of a [LineType] stands for: the line's
// details, who did it, and what it is about.
func LineEvent(l *callmodel.AuditEvent, at time.Time) (callmodel.OutboxEvent, error) {
	about := maps.Clone(l.Detail)
	if about == nil {
		about = map[string]string{}
	}
	about["actor"] = l.Actor
	b := eventBody{Type: LineType(l.Action), TenantID: l.TenantID, At: at}
	if strings.HasPrefix(l.Action, "ruleset.") {
		about["hash"], b.RuleSet = l.Subject, about
	} else {
		about["id"], b.Job, b.CallID = l.Subject, about, callmodel.CallID(about["call_id"])
	}
	return event(&b, l.Subject)
}

// Asked reports whether one of a tenant's endpoints is told of such events.
func Asked(endpoints []webhooks.Endpoint, event string) bool {
	for i := range endpoints {
		if endpoints[i].Wants(event) {
			return true
		}
	}
	return false
}

// AsksForMore reports whether the endpoint is told of events that aren't always written.
func AsksForMore(e *webhooks.Endpoint) bool {
	for _, t := range outbox.Types() {
		if !t.Always && e.Wants(t.Name) {
			return true
		}
	}
	return false
}

// bucketBody is the JSON of an event of a bucket.
type bucketBody struct {
	Type     string                 `json:"type"`
	TenantID callmodel.TenantID     `json:"tenant_id"`
	Bucket   string                 `json:"bucket"`
	Reason   callmodel.BucketReason `json:"reason,omitempty"`
	Since    time.Time              `json:"since"`
	Worker   string                 `json:"worker,omitempty"`
}

// BucketEvent is the event of a bucket for one of its tenants.
func BucketEvent(b *outbox.Bucket, t callmodel.TenantID) (callmodel.OutboxEvent, error) {
	subject, kind := Text(b.Bucket, MaxText), b.Type()
	body, err := json.Marshal(bucketBody{Type: kind, TenantID: t, Bucket: subject, Reason: b.Reason, Since: b.Since.UTC(), Worker: Text(b.Worker, MaxKey)})
	if err != nil {
		return callmodel.OutboxEvent{}, fmt.Errorf("encode the event %s of %s: %w", kind, subject, err)
	}
	return callmodel.OutboxEvent{Key: kind + ":" + rand.Text(), TenantID: t, Type: kind, Subject: subject, Body: body}, nil
}
