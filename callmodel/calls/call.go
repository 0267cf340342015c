package calls

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
)

// State is where a call stands. See the package comment's drawing.
type State string

// The states of a call.
const (
	Routed   State = "routed"   // has a destination to try
	Ringing  State = "ringing"  // the destination alerts
	Answered State = "answered" // the parties talk
	Ended    State = "ended"    // hung up, by either side
	Failed   State = "failed"   // no destination took it
	Rejected State = "rejected" // no rule matched
)

// Final reports whether nothing can move the call any more.
func (s State) Final() bool {
	return s == Ended || s == Failed || s == Rejected
}

// Type is what kind of call it is.
type Type string

// The call types.
const (
	TypeVoice     Type = "voice"
	TypeVideo     Type = "video"
	TypeFax       Type = "fax"
	TypeEmergency Type = "emergency"
)

// Types lists every call type.
func Types() []Type { return []Type{TypeVoice, TypeVideo, TypeFax, TypeEmergency} }

// Direction is which way the call crosses the platform's edge.
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
	Internal Direction = "internal"
)

// Limits of a call request.
const (
	MinPriority      = 0
	MaxPriority      = 9 // the most urgent
	MaxMetadata      = callmodel.MaxMetadata
	MaxMetadataKey   = callmodel.MaxMetadataKey
	MaxMetadataValue = callmodel.MaxMetadataValue
	MaxCapabilities  = 32
)

// Request is a call initiation, as it is routed. From and To are
// normalised: E.164 with a plus ("+12025550123"), or a national short or
// emergency number as dialled ("112").
type Request struct {
	TenantID  callmodel.TenantID
	CallID    callmodel.CallID
	From, To  string
	Type      Type
	Direction Direction
	Priority  int
	Metadata  map[string]string
	At        time.Time // when the call is routed; time windows look at this
	Emergency bool      // it takes the emergency lane
	// FromAsGiven says that From could not be normalised: see [Party].
	FromAsGiven bool
	// ToPostDial and ToParams are what stood behind the callee's number: see [Party].
	ToPostDial, ToParams string
	// Trunk is the id of the trunk that the call came in by; "" if it is not known.
	Trunk string
	// Capabilities is what the call offers: codecs and other tags, as ids,
	// compared byte for byte ("PCMU", "opus", "t38").
	Capabilities []string
	// User and Callee are the users that the caller and the callee are known to be; nil
	// for nobody. Rules may ask for them, but not about emergency calls.
	User, Callee *users.Facts
}

// RecordingPreference says whether and how a call is to be recorded.
type RecordingPreference = record.Preference

// Call is one call and all that is known of it.
type Call struct {
	ID        callmodel.CallID   `json:"id"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	State     State              `json:"state"`
	Type      Type               `json:"type"`
	Direction Direction          `json:"direction,omitempty"`
	Priority  int                `json:"priority"`
	From      Party              `json:"from"`
	To        Party              `json:"to"`
	Emergency bool               `json:"emergency,omitempty"`
	Metadata  map[string]string  `json:"metadata,omitempty"`
	Trunk     string             `json:"trunk,omitempty"` // the one it came in by
	// Capabilities is what the call offers: codecs and other tags.
	Capabilities []string  `json:"capabilities,omitempty"`
	Decision     *Decision `json:"decision,omitempty"`
	// Attempt is the index in Decision.Destinations of the one being tried.
	Attempt int `json:"attempt"`
	// Recording is whether and how the call is recorded; nil: not. It is known when the
	// call is made, and may change at its end: see Event.Settled.
	Recording *RecordingPreference `json:"recording,omitempty"`
	// SettingsFrom is who said what Recording says, and that there is none.
	SettingsFrom origin.Settings `json:"settings_from,omitzero"`
	Cause        *Cause          `json:"cause,omitempty"` // why it ended or failed
	Host         string          `json:"host,omitempty"`  // the telephone server that carries it and holds its legs
	CreatedAt    time.Time       `json:"created_at"`
	RingingAt    time.Time       `json:"ringing_at,omitzero"`
	AnsweredAt   time.Time       `json:"answered_at,omitzero"`
	EndedAt      time.Time       `json:"ended_at,omitzero"`
	// Controls are what was told while the call went on, by when it happened.
	Controls []Control `json:"controls,omitempty"`
	// Recordings are the call's: those that are finished, with their URLs, and behind
	// them those that are pending.
	Recordings []Recording `json:"recordings,omitempty"`
}

// Party is one end of a call.
type Party struct {
	Number string `json:"number"`        // normalised, as it was routed
	Raw    string `json:"raw,omitempty"` // as it was given, when that differs
	// AsGiven says that a caller's number could not be normalised: Number is what
	// was given, and no rule that asks for the caller holds for it.
	AsGiven bool `json:"as_given,omitempty"`
	// PostDial is what stood behind the number to be sent after the answer, with
	// its pauses and waits: "p9", ",,1#".
	PostDial string `json:"post_dial,omitempty"`
	// Params are the parameters behind the number that are no part of it, as they
	// were written: ";ext=77", ";npdi;rn=+12025550100".
	Params string `json:"params,omitempty"`
	// User is the tenant's user that has the number, in the version by which the call was
	// decided; "" for nobody who was known.
	User        users.ID `json:"user,omitempty"`
	UserVersion int64    `json:"user_version,omitempty"`
}

// Recording is what the call record knows of a recording.
type Recording = record.CallEntry

// Request is the call as the router sees it, at the time at.
func (c *Call) Request(at time.Time) Request {
	return Request{
		TenantID: c.TenantID, CallID: c.ID, From: c.From.Number, To: c.To.Number,
		FromAsGiven: c.From.AsGiven, ToPostDial: c.To.PostDial, ToParams: c.To.Params,
		Type: c.Type, Direction: c.Direction, Priority: c.Priority,
		Metadata: maps.Clone(c.Metadata), At: at, Emergency: c.Emergency,
		Trunk: c.Trunk, Capabilities: slices.Clone(c.Capabilities),
	}
}

// Validate reports every fault of the request at once, as [FieldErrors]. The
// numbers' form is checked where they are normalised.
func (r *Request) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("tenant_id", string(r.TenantID))
	if r.CallID != "" {
		e.CheckID("call_id", string(r.CallID))
	}
	if !slices.Contains(Types(), r.Type) {
		e.Add("type", "%q is not one of voice, video, fax, emergency", text.Clip(string(r.Type)))
	}
	switch r.Direction {
	case "", Inbound, Outbound, Internal:
	default:
		e.Add("direction", "%q is not one of inbound, outbound, internal", text.Clip(string(r.Direction)))
	}
	if r.Priority < MinPriority || r.Priority > MaxPriority {
		e.Add("priority", "must be %d to %d, is %d", MinPriority, MaxPriority, r.Priority)
	}
	if r.Trunk != "" {
		e.CheckID("trunk", r.Trunk)
	}
	if len(r.Capabilities) > MaxCapabilities {
		e.Add("capabilities", "has %d tags, at most %d are allowed", len(r.Capabilities), MaxCapabilities)
	}
	for i, c := range r.Capabilities {
		e.CheckID("capabilities["+strconv.Itoa(i)+"]", c)
	}
	e.CheckMetadata("metadata", r.Metadata)
	return e.Err()
}
