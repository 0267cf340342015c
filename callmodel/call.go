package callmodel

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// CallState is where a call stands. See the package comment's drawing.
type CallState string

// The states of a call.
const (
	CallRouted   CallState = "routed"   // has a destination to try
	CallRinging  CallState = "ringing"  // the destination alerts
	CallAnswered CallState = "answered" // the parties talk
	CallEnded    CallState = "ended"    // hung up, by either side
	CallFailed   CallState = "failed"   // no destination took it
	CallRejected CallState = "rejected" // no rule matched
)

// Final reports whether nothing can move the call any more.
func (s CallState) Final() bool {
	return s == CallEnded || s == CallFailed || s == CallRejected
}

// CallType is what kind of call it is.
type CallType string

// The call types.
const (
	TypeVoice     CallType = "voice"
	TypeVideo     CallType = "video"
	TypeFax       CallType = "fax"
	TypeEmergency CallType = "emergency"
)

// CallTypes lists every call type.
func CallTypes() []CallType { return []CallType{TypeVoice, TypeVideo, TypeFax, TypeEmergency} }

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
	MaxPriority      = 9   // the most urgent
	MaxMetadata      = 32  // pairs
	MaxMetadataKey   = 64  // bytes
	MaxMetadataValue = 512 // bytes
	MaxCapabilities  = 32
)

// CallRequest is a call initiation, as it is routed. From and To are
// normalised: E.164 with a plus ("+12025550123"), or a national short or
// emergency number as dialled ("112").
type CallRequest struct {
	TenantID  TenantID
	CallID    CallID
	From, To  string
	Type      CallType
	Direction Direction
	Priority  int
	Metadata  map[string]string
	At        time.Time // when the call is routed; time windows look at this
	Emergency bool      // it takes the emergency lane
	// Trunk is the id of the trunk that the call came in by; "" if it is not known.
	Trunk string
	// Capabilities is what the call offers: codecs and other tags, as ids,
	// compared byte for byte ("PCMU", "opus", "t38").
	Capabilities []string
}

// RecordingPreference says whether and how a call is to be recorded.
type RecordingPreference struct {
	Enabled bool         `json:"enabled"`
	Outputs []OutputSpec `json:"outputs,omitempty"` // empty: the platform's default
	// As in a RecordingSpec.
	PauseMode string    `json:"pause_mode,omitempty"`
	Trim      *TrimSpec `json:"trim,omitempty"`
	LevelLUFS float64   `json:"level_lufs,omitempty"`
}

// Call is one call and all that is known of it.
type Call struct {
	ID        CallID            `json:"id"`
	TenantID  TenantID          `json:"tenant_id"`
	State     CallState         `json:"state"`
	Type      CallType          `json:"type"`
	Direction Direction         `json:"direction,omitempty"`
	Priority  int               `json:"priority"`
	From      Party             `json:"from"`
	To        Party             `json:"to"`
	Emergency bool              `json:"emergency,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Trunk     string            `json:"trunk,omitempty"` // the one it came in by
	// Capabilities is what the call offers: codecs and other tags.
	Capabilities []string  `json:"capabilities,omitempty"`
	Decision     *Decision `json:"decision,omitempty"`
	// Attempt is the index in Decision.Destinations of the one being tried.
	Attempt int `json:"attempt"`
	// Recording is the preference the call was made with; nil: not recorded.
	Recording  *RecordingPreference `json:"recording,omitempty"`
	Cause      *Cause               `json:"cause,omitempty"` // why it ended or failed
	Host       string               `json:"host,omitempty"`  // the telephone server that carries it and holds its legs
	CreatedAt  time.Time            `json:"created_at"`
	RingingAt  time.Time            `json:"ringing_at,omitzero"`
	AnsweredAt time.Time            `json:"answered_at,omitzero"`
	EndedAt    time.Time            `json:"ended_at,omitzero"`
	// Recordings are the call's finished recordings, with their URLs.
	Recordings []CallRecording `json:"recordings,omitempty"`
}

// Party is one end of a call.
type Party struct {
	Number string `json:"number"`        // normalised, as it was routed
	Raw    string `json:"raw,omitempty"` // as it was given, when that differs
}

// CallRecording is what the call record knows of a recording.
type CallRecording struct {
	RecordingID RecordingID     `json:"recording_id"`
	JobID       JobID           `json:"job_id"`
	Status      RecordingStatus `json:"status"`
	Reason      string          `json:"reason,omitempty"`
	URL         string          `json:"url,omitempty"` // of the first output that can be listened to
	Outputs     []OutputResult  `json:"outputs,omitempty"`
	DurationMS  int64           `json:"duration_ms"`
	Defects     []Defect        `json:"defects,omitempty"`
	Analysis    *AnalysisResult `json:"analysis,omitempty"`
	Manifest    *ManifestResult `json:"manifest,omitempty"`
	FinishedAt  time.Time       `json:"finished_at"` // the database's clock
}

// Validate reports every fault of the preference at once, for a call of a number
// of legs that isn't known yet. Whether its outputs can be made is not asked.
func (p *RecordingPreference) Validate() error {
	spec := RecordingSpec{LevelLUFS: p.LevelLUFS}
	e := append(validatePauses(nil, p.PauseMode), spec.validateLevel()...)
	if p.Trim != nil {
		e.AddAll("trim", p.Trim.validate())
	}
	if len(p.Outputs) > 0 {
		e = append(e, ValidateOutputs(p.Outputs, 0)...)
	}
	return e.Err()
}

// Request is the call as the router sees it, at the time at.
func (c *Call) Request(at time.Time) CallRequest {
	return CallRequest{
		TenantID: c.TenantID, CallID: c.ID, From: c.From.Number, To: c.To.Number,
		Type: c.Type, Direction: c.Direction, Priority: c.Priority,
		Metadata: maps.Clone(c.Metadata), At: at, Emergency: c.Emergency,
		Trunk: c.Trunk, Capabilities: slices.Clone(c.Capabilities),
	}
}

// Validate reports every fault of the request at once, as [FieldErrors]. The
// numbers' form is checked where they are normalised.
func (r *CallRequest) Validate() error {
	var e FieldErrors
	checkID(&e, "tenant_id", string(r.TenantID))
	if r.CallID != "" {
		checkID(&e, "call_id", string(r.CallID))
	}
	if !slices.Contains(CallTypes(), r.Type) {
		e.Add("type", "%q is not one of voice, video, fax, emergency", clip(string(r.Type)))
	}
	switch r.Direction {
	case "", Inbound, Outbound, Internal:
	default:
		e.Add("direction", "%q is not one of inbound, outbound, internal", clip(string(r.Direction)))
	}
	if r.Priority < MinPriority || r.Priority > MaxPriority {
		e.Add("priority", "must be %d to %d, is %d", MinPriority, MaxPriority, r.Priority)
	}
	if r.Trunk != "" {
		checkID(&e, "trunk", r.Trunk)
	}
	if len(r.Capabilities) > MaxCapabilities {
		e.Add("capabilities", "has %d tags, at most %d are allowed", len(r.Capabilities), MaxCapabilities)
	}
	for i, c := range r.Capabilities {
		checkID(&e, "capabilities["+strconv.Itoa(i)+"]", c)
	}
	e = append(e, validateMetadata(r.Metadata)...)
	return e.Err()
}

func validateMetadata(m map[string]string) FieldErrors {
	var e FieldErrors
	if len(m) > MaxMetadata {
		e.Add("metadata", "has %d pairs, at most %d are allowed", len(m), MaxMetadata)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p := "metadata[" + strconv.Quote(clip(k)) + "]"
		if k == "" || len(k) > MaxMetadataKey {
			e.Add(p, "the key must be 1 to %d bytes", MaxMetadataKey)
		}
		if len(m[k]) > MaxMetadataValue {
			e.Add(p, "the value is longer than %d bytes", MaxMetadataValue)
		}
	}
	return e
}
