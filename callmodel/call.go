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

// Cause is why a destination, or the call, came to its end. Give either.
type Cause struct {
	Q850 int    `json:"q850,omitzero"` // ITU-T Q.850 cause value, 1 to 127
	SIP  int    `json:"sip,omitzero"`  // SIP status code, 300 to 699
	Text string `json:"text,omitempty"`
}

// Retryable reports whether another destination may succeed where this cause
// ended an attempt. The called party's own answers (busy, declined, no such
// number) are final; the network's troubles are not.
// Values: ITU-T Q.850 (2018) table 1; RFC 3261 section 21.
func (c Cause) Retryable() bool {
	if c.SIP != 0 {
		switch c.SIP {
		case 404, 410, 484, 485, 486, 487, 600, 603, 604, 606, 607:
			return false
		}
		return c.SIP >= 400
	}
	switch c.Q850 {
	case 1, 16, 17, 19, 21, 22, 28, 31:
		return false
	}
	return true
}

// CallEventType is what happened to a call.
type CallEventType string

// The call events.
const (
	EventRinging  CallEventType = "ringing"
	EventAnswered CallEventType = "answered"
	EventFailed   CallEventType = "failed" // the destination being tried failed, with a cause
	EventEnded    CallEventType = "ended"  // hang-up
)

// CallEvent is something that happened to a call, told by the telephone server.
type CallEvent struct {
	// ID makes the event idempotent within its call: the second event with the
	// same id changes nothing.
	ID    string        `json:"id"`
	Type  CallEventType `json:"type"`
	At    time.Time     `json:"at,omitzero"` // zero: when it was received
	Cause *Cause        `json:"cause,omitempty"`
	// Legs are the files that the call left behind, with "ended".
	Legs []LegSpec `json:"legs,omitempty"`
	// Host is the telephone server that holds the legs; its worker gets the job.
	Host string `json:"host,omitempty"`
	// What the telephone server knows of the recording, with "ended"; as in a
	// RecordingSpec. With LegsSpanCall the legs last until At.
	Redactions   []Redaction `json:"redactions,omitempty"`
	Pauses       []Pause     `json:"pauses,omitempty"`
	LegsSpanCall bool        `json:"legs_span_call,omitempty"`
}

// Validate reports every fault of the event at once, as [FieldErrors].
func (ev *CallEvent) Validate() error {
	var e FieldErrors
	checkID(&e, "id", ev.ID)
	switch ev.Type {
	case EventRinging, EventAnswered, EventEnded:
	case EventFailed:
		if ev.Cause == nil || ev.Cause.Q850 == 0 && ev.Cause.SIP == 0 {
			e.Add("cause", "a failed event needs a cause: q850 or sip")
		}
	default:
		e.Add("type", "%q is not one of ringing, answered, failed, ended", clip(string(ev.Type)))
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
	e = append(e, ev.validateRecording()...)
	if ev.Host != "" {
		checkID(&e, "host", ev.Host)
	}
	return e.Err()
}

// validateRecording checks what the event says of the recording.
func (ev *CallEvent) validateRecording() FieldErrors {
	var e FieldErrors
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"legs", len(ev.Legs) > 0}, {"redactions", len(ev.Redactions) > 0}, {"pauses", len(ev.Pauses) > 0}, {"legs_span_call", ev.LegsSpanCall},
	} {
		if f.given && ev.Type != EventEnded {
			e.Add(f.name, "only an ended event has %s", f.name)
		}
	}
	if len(ev.Legs) > 0 {
		e = append(e, validateLegs(ev.Legs)...)
	}
	e = append(e, validateRedactions(ev.Redactions, ev.Legs)...)
	return append(e, validatePauses(ev.Pauses, "")...)
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

// Effects is what else has to be committed together with a moved call.
type Effects struct {
	// Recording is the job to enqueue, nil for none.
	Recording *JobRequest
}

// Apply moves the call by ev and says what must be stored with it. ev.At must
// be set. The call is unchanged when it returns an error: a [*TransitionError]
// for an illegal move, [FieldErrors] for an event that contradicts the call.
func (c *Call) Apply(ev CallEvent, defaults []OutputSpec) (Effects, error) {
	illegal := &TransitionError{Subject: "call " + string(c.ID), From: string(c.State), Event: string(ev.Type)}
	switch ev.Type {
	case EventRinging:
		if c.State != CallRouted {
			return Effects{}, illegal
		}
		c.State, c.RingingAt = CallRinging, ev.At
	case EventAnswered:
		if c.State != CallRouted && c.State != CallRinging {
			return Effects{}, illegal
		}
		c.State, c.AnsweredAt = CallAnswered, ev.At
	case EventFailed:
		if c.State != CallRouted && c.State != CallRinging {
			return Effects{}, illegal
		}
		c.fail(ev)
	case EventEnded:
		if c.State.Final() {
			return Effects{}, illegal
		}
		return c.end(ev, defaults)
	default:
		return Effects{}, illegal
	}
	return Effects{}, nil
}

// fail tries the next destination, if the decision's policy allows it and there is one.
func (c *Call) fail(ev CallEvent) {
	if d := c.Decision; d != nil && ev.Cause != nil && c.Attempt+1 < len(d.Destinations) &&
		d.Failover.Retryable(*ev.Cause) && d.Failover.Allows(c.Attempt+1, ev.At.Sub(c.CreatedAt)) {
		c.Attempt++
		c.State, c.RingingAt = CallRouted, time.Time{}
		return
	}
	c.State, c.Cause, c.EndedAt = CallFailed, ev.Cause, ev.At
}

func (c *Call) end(ev CallEvent, defaults []OutputSpec) (Effects, error) {
	if last := c.lastMoved(); ev.At.Before(last) {
		return Effects{}, FieldErrors{{Path: "at", Message: "is before the call's last event at " + last.Format(time.RFC3339Nano)}}
	}
	moved := *c
	moved.State, moved.Cause, moved.EndedAt = CallEnded, ev.Cause, ev.At
	if ev.Host != "" {
		moved.Host = ev.Host
	}
	var fx Effects
	if moved.Recording != nil && moved.Recording.Enabled && (!moved.AnsweredAt.IsZero() || len(ev.Legs) > 0) {
		job, err := moved.recordingJob(&ev, defaults)
		if err != nil {
			return Effects{}, err
		}
		fx.Recording = job
	}
	*c = moved
	return fx, nil
}

func (c *Call) lastMoved() time.Time {
	last := c.AnsweredAt
	if last.IsZero() {
		last = c.RingingAt
	}
	return last
}

// recordingJob is the job that records the call. The timeline starts when the
// media does: at the answer, or at ringing or creation for a call that was
// never answered but left legs all the same. An answered call that named no
// legs gets a job too, which ends as absent: nothing is dropped in silence.
func (c *Call) recordingJob(ev *CallEvent, defaults []OutputSpec) (*JobRequest, error) {
	legs := ev.Legs
	outputs := c.Recording.Outputs
	if len(outputs) == 0 {
		outputs = defaults
	}
	start := c.AnsweredAt
	if start.IsZero() {
		start = c.CreatedAt
	}
	if len(legs) == 0 {
		legs = []LegSpec{{Name: "unknown", Segments: []SegmentSpec{{URI: "no-leg-was-named/" + string(c.ID)}}}}
	}
	outputs = slices.Clone(outputs)
	for i := range outputs {
		outputs[i] = outputs[i].forLegs(len(legs))
	}
	spec := RecordingSpec{
		TenantID: c.TenantID, CallID: c.ID, RecordingID: RecordingID(c.ID),
		StartedAt: start, EndedAt: c.EndedAt,
		Legs: slices.Clone(legs), Outputs: outputs,
		Redactions: ev.Redactions, Pauses: ev.Pauses, PauseMode: c.Recording.PauseMode,
		Trim: c.Recording.Trim, LevelLUFS: c.Recording.LevelLUFS,
	}
	if ev.LegsSpanCall {
		spec.LegsSpanCall, spec.Span = true, Millis(c.EndedAt.Sub(start))
	}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	return &JobRequest{Spec: spec, Queue: c.Host, Priority: c.Priority}, nil
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
