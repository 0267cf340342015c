package rulesets

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Version is a version of a tenant's rules.
type Version struct {
	TenantID  callmodel.TenantID `json:"tenant_id"`
	Hash      string             `json:"hash"`   // content hash; the version's name
	Format    string             `json:"format"` // "yaml" or "json"
	Body      []byte             `json:"body"`
	CreatedAt time.Time          `json:"created_at"`
	CreatedBy string             `json:"created_by"`
	Active    bool               `json:"active"`
}

// Action is a change of which versions of a tenant's rules are in service.
//
//	            activate              canary
//	(none) ──────────────▶ active A ─────────▶ active A, canary B
//	                         │  ▲                │      │
//	         rollback, or    │  └──── abort ─────┘      │ promote: active B
//	         activate B ◀────┘                          ▼
//
// Activate and rollback end a canary; what changes nothing ends nothing.
type Action string

// The actions. Each may be repeated: the second time it changes nothing.
const (
	// ActionActivate makes the version the active one.
	ActionActivate Action = "activate"
	// ActionRollback goes back to the version that was active before the
	// active one was activated. Once more, and it goes back further: rollbacks
	// are not gone back to.
	ActionRollback Action = "rollback"
	// ActionCanary puts the version in service for a share of the calls. While
	// the version is the canary, it changes the share.
	ActionCanary Action = "canary"
	// ActionPromote makes the canary the active version.
	ActionPromote Action = "promote"
	// ActionAbort ends the canary.
	ActionAbort Action = "abort"
)

// Change asks for an action.
type Change struct {
	TenantID callmodel.TenantID
	Action   Action
	// Hash is the version, for activate and canary. For promote and abort it is
	// the canary that is meant, "" whichever it is. Rollback has none.
	Hash string
	// Share is the canary's, 1 to [AllCalls].
	Share Share
	// Expected is the hash that must be the active version's, so that a change
	// that somebody else made meanwhile is not undone unseen. "": any.
	Expected string
	Actor    string
}

// Validate reports what no store can make sense of, as [FieldErrors].
func (c *Change) Validate() error {
	var e callmodel.FieldErrors
	if !callmodel.ValidID(string(c.TenantID)) {
		e.Add("tenant_id", "is not a valid id")
	}
	switch c.Action {
	case ActionActivate, ActionRollback, ActionPromote, ActionAbort:
		if c.Share != 0 {
			e.Add("percent", "goes with a canary only")
		}
	case ActionCanary:
		if c.Share < 1 || c.Share > AllCalls {
			e.Add("percent", "must be 0.01 to 100, is %s; abort ends a canary", c.Share)
		}
	default:
		e.Add("action", "%q is not one of activate, rollback, canary, promote, abort", c.Action)
	}
	if c.Action == ActionRollback && c.Hash != "" {
		e.Add("hash", "is not given with a rollback; activate goes to a certain version")
	}
	return e.Err()
}

// Activation is an entry of the history of a tenant's active versions.
type Activation struct {
	ID       int64     `json:"id"`   // counts up from 1 for each tenant
	Hash     string    `json:"hash"` // the version that was active from then on
	Replaced string    `json:"replaced,omitempty"`
	Action   Action    `json:"action"` // activate, rollback or promote
	At       time.Time `json:"at"`     // the database's clock
	Actor    string    `json:"actor,omitempty"`
	// Back is the entry that a rollback goes back to, 0 if there is none.
	Back int64 `json:"back,omitempty"`
}

// Canary is a version that a share of the calls is decided by.
type Canary struct {
	Hash  string `json:"hash"`
	Share Share  `json:"percent"`
	// Salt makes each canary draw calls of its own. It stays when the share
	// changes: a call that saw the canary at 1 % sees it at 5 %.
	Salt      string    `json:"salt"`
	StartedAt time.Time `json:"started_at"` // the database's clock
	Actor     string    `json:"actor,omitempty"`
}

// State is which versions of a tenant's rules are in service.
type State struct {
	// Active is the newest entry of the history, nil before the first.
	Active *Activation `json:"active,omitempty"`
	// Previous is the version that a rollback goes back to, "" if there is none.
	Previous string  `json:"previous,omitempty"`
	Canary   *Canary `json:"canary,omitempty"`
}

// ActiveHash is the active version's, "" if there is none.
func (s State) ActiveHash() string {
	if s.Active == nil {
		return ""
	}
	return s.Active.Hash
}

// CanaryHash is the canary's, "" if there is none.
func (s State) CanaryHash() string {
	if s.Canary == nil {
		return ""
	}
	return s.Canary.Hash
}

// Share is a share of calls in hundredths of a percent. JSON and people see
// percent: 0.01 to 100.
type Share int

// AllCalls is every call.
const AllCalls Share = 100_00

var errShare = errors.New("is not a share; give percent, 0.01 to 100, with at most two decimals")

// ParseShare reads percent: "5", "0.01". At most two decimals, no exponents.
func ParseShare(s string) (Share, error) {
	a, err := callmodel.ParseAmount(s)
	const step = callmodel.AmountUnit / 100
	if err != nil || a%step != 0 || a < 0 || a > 100*callmodel.AmountUnit {
		return 0, errShare
	}
	return Share(a / step), nil
}

// String is the share in percent: "0.01".
func (s Share) String() string { return (callmodel.Amount(s) * (callmodel.AmountUnit / 100)).String() }

// MarshalJSON writes percent as a number.
func (s Share) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads percent, as a number or as a string that holds one.
func (s *Share) UnmarshalJSON(b []byte) error {
	text := string(bytes.TrimSpace(b))
	if quoted, err := strconv.Unquote(text); err == nil {
		text = quoted
	}
	v, err := ParseShare(text)
	if err == nil {
		*s = v
	}
	return err
}
