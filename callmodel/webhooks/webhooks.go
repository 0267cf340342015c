package webhooks

import (
	"crypto/rand"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// State is whether an endpoint is told anything.
type State string

// The states of an endpoint.
const (
	Enabled  State = "enabled"
	Disabled State = "disabled" // what happens meanwhile it isn't told later
)

// Why an endpoint is disabled.
const (
	ReasonOperator = "operator" // somebody did it
	ReasonGone     = "gone"     // it answered 410
)

// Form is what a delivery's body looks like.
type Form string

// The forms.
const (
	// FormStandard is JSON with type, timestamp and data, as Standard Webhooks has it.
	FormStandard Form = "standard"
	// FormCallback is application/x-www-form-urlencoded with the fields of hosted
	// platforms' recording callbacks, as CallSid. It has events of recordings alone.
	FormCallback Form = "callback"
)

// callbackEvents begin the types that there is a callback of.
const callbackEvents = "recording."

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	Waiting   DeliveryState = "waiting"   // for its first try, or the next
	Delivered DeliveryState = "delivered" // an answer with 2xx has come
	Failed    DeliveryState = "failed"    // no try is left
)

// What the audit log says was done with an endpoint.
const (
	AuditCreated  = "webhook.created"
	AuditChanged  = "webhook.changed"
	AuditRotated  = "webhook.secret_rotated"
	AuditDisabled = "webhook.disabled"
	AuditEnabled  = "webhook.enabled"
	AuditDeleted  = "webhook.deleted"
	AuditReplayed = "webhook.replayed"
)

// Bounds of what is kept.
const (
	MaxEndpoints   = 32 // of a tenant, beside those of its settings
	MaxURL         = 2048
	MaxEvents      = 32
	MaxDescription = 256
	MaxError       = 512 // bytes of what is kept of why a try failed
	// MaxGrace is the longest time for which a rotated secret goes on signing.
	MaxGrace = 30 * 24 * time.Hour
	// DefaultGrace is that time where nobody says another.
	DefaultGrace = 24 * time.Hour
	// MaxReplay is how many deliveries are replayed at once.
	MaxReplay = 1000
)

// Endpoint is who is told, as it may be shown: without its secret.
type Endpoint struct {
	ID       string             `json:"id"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	URL      string             `json:"url"`
	// Events are the types that it wants, like "recording.completed", or "recording.*"
	// for all that begin so. Empty: all.
	Events      []string `json:"events,omitempty"`
	Form        Form     `json:"form"`
	Description string   `json:"description,omitempty"`
	State       State    `json:"state"`
	// StateReason is why it is disabled: ReasonOperator or ReasonGone.
	StateReason string    `json:"state_reason,omitempty"`
	CreatedAt   time.Time `json:"created_at"` // the database's clock, as all times here
	CreatedBy   string    `json:"created_by"`
	RotatedAt   time.Time `json:"rotated_at,omitzero"`
	// OldUntil is until when deliveries are signed with the secret before, too.
	OldUntil time.Time `json:"old_until,omitzero"`
	// Settings says that it is one of the tenant's settings, users.Defaults.Webhooks: where
	// it goes and what it is told are changed there.
	Settings bool `json:"settings,omitempty"`
	// Version grows with every change but of Health.
	Version int64  `json:"version"`
	Health  Health `json:"health"`
}

// Health is how a receiver does.
type Health struct {
	LastSuccessAt time.Time `json:"last_success_at,omitzero"` // within a second
	// FailingSince is when the failures began that go on. Zero: the last try succeeded.
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastStatus   int       `json:"last_status,omitempty"` // of the last try that failed; 0: there was no answer
	LastError    string    `json:"last_error,omitempty"`  // of the last try that failed
	// Waiting is how many deliveries wait, counted up to WaitingAtMost.
	Waiting int64 `json:"waiting"`
}

// WaitingAtMost is up to where the deliveries that wait are counted.
const WaitingAtMost = 100_000

// Tag is the endpoint's version for an HTTP ETag and If-Match, without its quotes.
func (e *Endpoint) Tag() string { return strconv.FormatInt(e.Version, 10) }

// Wants reports whether the endpoint is to be told of events of the type.
func (e *Endpoint) Wants(event string) bool {
	if e.Form == FormCallback && !strings.HasPrefix(event, callbackEvents) {
		return false
	}
	return len(e.Events) == 0 || slices.ContainsFunc(e.Events, func(s string) bool {
		all, ok := strings.CutSuffix(s, "*")
		return s == event || ok && strings.HasPrefix(event, all)
	})
}

// Stored is an endpoint as the one needs it who signs.
type Stored struct {
	Endpoint

	Secret Secret `json:"-"`
	// Old is the secret before the last rotation, until OldUntil; "" if there is none.
	Old Secret `json:"-"`
}

// NewID makes the id of an endpoint.
func NewID() string { return "wh-" + strings.ToLower(rand.Text()[:16]) }

// New is an endpoint to be kept.
type New struct {
	ID          string // of [NewID]
	TenantID    callmodel.TenantID
	URL         string
	Events      []string
	Form        Form // "" means FormStandard
	Description string
	Secret      Secret
	Actor       string
}

// Validate checks all of it at once and fills in the form. The error is FieldErrors.
func (n *New) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("id", n.ID)
	e.CheckID("tenant_id", string(n.TenantID))
	if n.Form == "" {
		n.Form = FormStandard
	}
	checkURL(&e, n.URL)
	checkEvents(&e, n.Events)
	checkForm(&e, n.Form)
	checkDescription(&e, n.Description)
	if _, err := n.Secret.Key(); err != nil {
		e.AddAll("", err)
	}
	return e.Err()
}

func checkURL(e *callmodel.FieldErrors, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || len(s) > MaxURL || strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s):
		e.Add("url", "is not an https or http URL of at most %d bytes", MaxURL)
	case u.User != nil:
		e.Add("url", "holds a name or a password; receivers know us by the signature")
	case u.Fragment != "":
		e.Add("url", "has a fragment, which isn't sent; leave out what is behind \"#\"")
	}
}

func checkEvents(e *callmodel.FieldErrors, events []string) {
	if len(events) > MaxEvents {
		e.Add("events", "has %d types, at most %d are allowed", len(events), MaxEvents)
	}
	for i, s := range events {
		at := "events[" + strconv.Itoa(i) + "]"
		name := strings.TrimSuffix(s, "*")
		if name == s && !callmodel.ValidID(s) || name != s && name != "" && (!strings.HasSuffix(name, ".") || !callmodel.ValidID(strings.TrimSuffix(name, "."))) {
			e.Add(at, "%q is not a type of event; give one like \"recording.completed\", \"recording.*\" or \"*\"", text.Clip(s))
		}
		if slices.Contains(events[:min(i, MaxEvents)], s) {
			e.Add(at, "%q is given twice", text.Clip(s))
		}
	}
}

func checkForm(e *callmodel.FieldErrors, f Form) {
	if f != FormStandard && f != FormCallback {
		e.Add("form", "%q is not one of %s, %s", text.Clip(string(f)), FormStandard, FormCallback)
	}
}

func checkDescription(e *callmodel.FieldErrors, s string) {
	if len(s) > MaxDescription || !text.Plain(s) {
		e.Add("description", "must be at most %d bytes of UTF-8 without control characters", MaxDescription)
	}
}

// Change is a change of one endpoint. What is nil stays.
type Change struct {
	TenantID    callmodel.TenantID
	ID          string
	URL         *string
	Events      *[]string
	Form        *Form
	Description *string
	State       *State
	// Secret is the new one of a rotation; "": the secret stays.
	Secret Secret
	Grace  time.Duration // of a rotation: for how long the old secret signs, too
	// Delete ends it for good: nothing that waits is delivered.
	Delete   bool
	Expected string // the Tag that it must have; "": any
	Actor    string
}

// Validate checks the change. The error is FieldErrors.
func (c *Change) Validate() error {
	var e callmodel.FieldErrors
	if c.URL != nil {
		checkURL(&e, *c.URL)
	}
	if c.Events != nil {
		checkEvents(&e, *c.Events)
	}
	if c.Form != nil {
		checkForm(&e, *c.Form)
	}
	if c.Description != nil {
		checkDescription(&e, *c.Description)
	}
	if c.State != nil && *c.State != Enabled && *c.State != Disabled {
		e.Add("state", "%q is not one of %s, %s", text.Clip(string(*c.State)), Enabled, Disabled)
	}
	if c.Secret != "" {
		if _, err := c.Secret.Key(); err != nil {
			e.AddAll("", err)
		}
	}
	if c.Grace < 0 || c.Grace > MaxGrace {
		e.Add("grace_s", "must be from 0 to %d", int64(MaxGrace/time.Second))
	}
	return e.Err()
}

// Filter selects endpoints of a list.
type Filter struct {
	After string // an id: the list goes on behind it
	Limit int    // 0: 100; at most 1000
}
