package calls

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// EventType is what happened to a call.
type EventType string

// The call events.
const (
	EventRinging  EventType = "ringing"
	EventAnswered EventType = "answered"
	EventFailed   EventType = "failed" // the destination being tried failed, with a cause
	EventEnded    EventType = "ended"  // hang-up
)

// Event is something that happened to a call, told by the telephone server.
type Event struct {
	// ID makes the event idempotent within its call: the second event with the
	// same id changes nothing.
	ID   string    `json:"id"`
	Type EventType `json:"type"`
	At   time.Time `json:"at,omitzero"` // zero: when it was received
	// Heard says that At is when a service was told of the event, by that machine's clock,
	// as whoever told it didn't say when it happened. Clocks of several machines differ: see
	// Call.Timed. The service says it.
	Heard bool   `json:"-"`
	Cause *Cause `json:"cause,omitempty"`
	// Legs are the files that the call left behind, with "ended".
	Legs []record.LegSpec `json:"legs,omitempty"`
	// Host is the telephone server that holds the legs, with "ended": the recording
	// is made by a worker that is named for the queue of that name. Without a host it
	// is in the queue "default", whose legs all its workers must see. With
	// "transferred" it is the one on which the call goes on.
	Host string `json:"host,omitempty"`
	// LegsBelow is record.Spec's. The service says it, by the tenant and the host:
	// see callservice.Options. Whoever tells of the event leaves it out.
	LegsBelow string `json:"legs_below,omitempty"`
	// What the telephone server knows of the recording, with "ended"; as in a
	// record.Spec. With LegsSpanCall the legs last until At; CutToSpan needs it, and
	// cuts what they hold beyond that.
	Redactions   []record.Redaction `json:"redactions,omitempty"`
	Pauses       []record.Pause     `json:"pauses,omitempty"`
	LegsSpanCall bool               `json:"legs_span_call,omitempty"`
	CutToSpan    bool               `json:"cut_to_span,omitempty"`
	HostSoftware string             `json:"host_software,omitempty"`
	Consent      retention.Consent  `json:"consent,omitempty"`
	// Settled is how the call is recorded by what is known at its end, with "ended"; nil:
	// as was known when it was made. The service says it, for the move alone: it is kept
	// with the call and the job, not with the event.
	Settled *Settled `json:"-"`
	// Traceparent is record.Spec's, with "ended". The service says it, for the move alone.
	Traceparent string `json:"-"`
	// Jobs are what else is to be done, enqueued in the transaction that stores the event,
	// and not again with another event of its id. They are of the call's tenant and of the
	// call. The program says them that tells the store of the event: they are kept in the
	// ledger alone, and whoever tells of events by HTTP can't name any.
	Jobs []ledger.Request `json:"-"`
}

// Settled is whether and how a call is recorded, and who said so.
type Settled struct {
	Recording *RecordingPreference // nil: not
	From      origin.Settings
}

// Validate reports every fault of the event at once, as [FieldErrors].
func (ev *Event) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("id", ev.ID)
	switch ev.Type {
	case EventRinging, EventAnswered, EventEnded:
	case EventRecordingPaused, EventRecordingResumed, EventHeld, EventRetrieved, EventTransferred:
	case EventFailed:
		if ev.Cause == nil || ev.Cause.Q850 == 0 && ev.Cause.SIP == 0 {
			e.Add("cause", "a failed event needs a cause: q850 or sip")
		}
	default:
		e.Add("type", "%q is not one of ringing, answered, failed, ended, recording.paused, recording.resumed, held, retrieved, transferred", text.Clip(string(ev.Type)))
	}
	if c := ev.Cause; c != nil {
		if c.Q850 < 0 || c.Q850 > 127 {
			e.Add("cause.q850", "must be 1 to 127, is %d", c.Q850)
		}
		if c.SIP != 0 && (c.SIP < 300 || c.SIP > 699) {
			e.Add("cause.sip", "must be 300 to 699, is %d", c.SIP)
		}
		if len(c.Text) > MaxMetadataValue {
			e.Add("cause.text", "is longer than %d bytes", MaxMetadataValue)
		}
	}
	e.AddAll("", ev.validateRecording().Err())
	if ev.Host != "" {
		e.CheckID("host", ev.Host)
	}
	return e.Err()
}

// validateRecording checks what the event says of the recording.
func (ev *Event) validateRecording() callmodel.FieldErrors {
	var e callmodel.FieldErrors
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"legs", len(ev.Legs) > 0},
		{"redactions", len(ev.Redactions) > 0},
		{"pauses", len(ev.Pauses) > 0},
		{"legs_span_call", ev.LegsSpanCall},
		{"legs_below", ev.LegsBelow != ""},
		{"cut_to_span", ev.CutToSpan},
		{"host_software", ev.HostSoftware != ""},
		{"consent", ev.Consent != ""},
	} {
		if f.given && ev.Type != EventEnded {
			e.Add(f.name, "only an ended event has %s", f.name)
		}
	}
	if ev.CutToSpan && !ev.LegsSpanCall {
		e.Add("cut_to_span", "needs legs_span_call: without it nobody says how long the call was")
	}
	if len(ev.Legs) > 0 {
		e.AddAll("", record.ValidateLegs(ev.Legs))
		e.AddAll("", record.ValidateRelative(ev.Legs))
		for i := range ev.Legs {
			e.AddAll(fmt.Sprintf("legs[%d]", i), ev.Legs[i].ValidateBelow(ev.LegsBelow))
		}
	}
	if ev.LegsBelow != "" {
		if why := callmodel.ValidateRelativePath(ev.LegsBelow); why != nil {
			e.Add("legs_below", "%q %s", text.Clip(ev.LegsBelow), why)
		}
	}
	e.AddAll("", record.ValidateRedactions(ev.Redactions, ev.Legs))
	e.AddAll("", record.ValidatePauses(ev.Pauses, ""))
	e.AddAll("", callmodel.ValidateHostSoftware(ev.HostSoftware))
	retention.CheckConsent(&e, "consent", ev.Consent)
	return e
}
