package retention

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// HoldScope is what a legal hold is on.
type HoldScope string

// The scopes of holds.
const (
	HoldRecording HoldScope = "recording" // one recording, by its id
	HoldCall      HoldScope = "call"      // a call, and all recordings with its id
	// HoldUser is on all calls that a user makes or takes: those that have its id, and those
	// from or to a number that the user has or had, of a party whom no user was known for, as
	// of calls before the user was stored.
	HoldUser   HoldScope = "user"
	HoldNumber HoldScope = "number" // all calls from or to a number
	HoldTenant HoldScope = "tenant" // all of the tenant's
)

// HoldScopes lists every scope.
func HoldScopes() []HoldScope {
	return []HoldScope{HoldRecording, HoldCall, HoldUser, HoldNumber, HoldTenant}
}

// MaxReason bounds the reasons of holds and deletions, in bytes.
const MaxReason = 1024

// HoldID names a hold within its tenant. Those that were placed later sort behind.
type HoldID string

// Hold keeps recordings from being deleted, whatever else says that they should be, until
// it is lifted. It stays in the list then.
type Hold struct {
	ID       HoldID             `json:"id"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	Scope    HoldScope          `json:"scope"`
	// Subject is what it is on: an id, or a number in E.164 with a plus, or an
	// extension or a short number of 2 to 6 digits. "" of a tenant.
	Subject  string    `json:"subject,omitempty"`
	Reason   string    `json:"reason"`
	PlacedAt time.Time `json:"placed_at"` // the database's clock
	PlacedBy string    `json:"placed_by"`
	// Of one that was lifted.
	LiftedAt   time.Time `json:"lifted_at,omitzero"`
	LiftedBy   string    `json:"lifted_by,omitempty"`
	LiftReason string    `json:"lift_reason,omitempty"`
	// Warning says, of one that is placed now, that the ledger knows nothing that it is on,
	// or that this was deleted. It isn't kept.
	Warning string `json:"warning,omitempty"`
}

// maxShort is how many digits an extension or a short number has at most.
const maxShort = 6

// Validate reports every fault of a hold to place, as [callmodel.FieldErrors].
func (h *Hold) Validate() error {
	var e callmodel.FieldErrors
	switch h.Scope {
	case HoldRecording, HoldCall, HoldUser:
		e.CheckID("subject", h.Subject)
	case HoldNumber:
		// A longer one without a plus is national: as calls have it in E.164 it would hold nothing.
		if short := e164.Digits(h.Subject) && len(h.Subject) >= 2 && len(h.Subject) <= maxShort && h.Subject[0] != '0'; !short && !e164.Valid(h.Subject) {
			e.Add("subject", "is not a number in E.164 with a plus, as +442079460123, nor an extension or a short number of 2 to %d digits", maxShort)
		}
	case HoldTenant:
		if h.Subject != "" {
			e.Add("subject", "goes with no hold on the tenant, which is on all of the tenant's calls and recordings: leave it out, or choose the scope of what it names")
		}
	default:
		e.Add("scope", "is not one of recording, call, user, number, tenant")
	}
	CheckReason(&e, "reason", h.Reason)
	return e.Err()
}

// CheckReason adds the fault of a reason that the audit log can't keep.
func CheckReason(e *callmodel.FieldErrors, path, reason string) {
	switch {
	case strings.TrimSpace(reason) == "" || len(reason) > MaxReason:
		e.Add(path, "must be 1 to %d bytes; say why, for the audit log", MaxReason)
	case !text.Plain(reason):
		e.Add(path, "holds control characters, or such that change the direction of text, or is not UTF-8")
	}
}

// Lifted reports whether it holds nothing any more.
func (h *Hold) Lifted() bool { return !h.LiftedAt.IsZero() }

// On is what it is on, in words: "call c1".
func (h *Hold) On() string {
	if h.Scope == HoldTenant {
		return "the tenant"
	}
	return string(h.Scope) + " " + h.Subject
}

// Lift ends a hold.
type Lift struct {
	TenantID callmodel.TenantID
	ID       HoldID
	Actor    string
	Reason   string
}

// Validate reports every fault, as [callmodel.FieldErrors].
func (l *Lift) Validate() error {
	var e callmodel.FieldErrors
	CheckReason(&e, "reason", l.Reason)
	return e.Err()
}

// HoldFilter selects holds of one tenant, those placed first first.
type HoldFilter struct {
	TenantID callmodel.TenantID
	Scope    HoldScope // "" for any
	Subject  string    // "" for any
	Lifted   bool      // those that were lifted, too
	Limit    int       // 0 means 100; at most 1000
	After    HoldID    // continue behind this one
}

// Validate reports every fault, as [callmodel.FieldErrors].
func (f *HoldFilter) Validate() error {
	var e callmodel.FieldErrors
	if f.Scope != "" && !slices.Contains(HoldScopes(), f.Scope) {
		e.Add("scope", "is not one of recording, call, user, number, tenant")
	}
	return e.Err()
}

// HeldError says that something may not be deleted, as a hold is on it. Its code is
// CodeConflict.
type HeldError struct {
	Hold Hold
	// Unsure says that the call isn't stored any more, so that it can't be told whether it
	// is one of those that the hold is on. It is held all the same.
	Unsure bool
}

func (e *HeldError) Error() string {
	s := fmt.Sprintf("legal hold %s on %s, placed by %s at %s: %s", e.Hold.ID, e.Hold.On(), e.Hold.PlacedBy, e.Hold.PlacedAt.UTC().Format(time.RFC3339), e.Hold.Reason)
	if e.Unsure {
		s += " (the call isn't stored any more, so that it can't be told whether it is one of those)"
	}
	return s
}

// Unwrap gives it its code.
func (e *HeldError) Unwrap() error {
	return callmodel.Errorf(callmodel.CodeConflict, "it is held")
}

// The audited actions of holds. Their subject is the hold's id.
const (
	AuditHoldPlaced = "hold.placed"
	AuditHoldLifted = "hold.lifted"
)

// Recording names what is to be deleted.
type Recording struct {
	TenantID    callmodel.TenantID
	CallID      callmodel.CallID
	RecordingID callmodel.RecordingID // "" for the call alone
}
