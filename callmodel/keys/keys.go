package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Hash is the SHA-256 of a secret.
type Hash [sha256.Size]byte

// HashOf is the hash of a secret.
func HashOf(secret string) Hash { return sha256.Sum256([]byte(secret)) }

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String writes.
func ParseHash(s string) (h Hash, ok bool) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(h) {
		return h, false
	}
	return Hash(raw), true
}

// Prefix begins every secret, so that those that were published by mistake are found.
const Prefix = "swt_"

// NewSecret makes a secret: [Prefix] and 256 random bits.
func NewSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the process instead
	return Prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

// NewID makes the id of a key.
func NewID() string { return "key-" + strings.ToLower(rand.Text()[:16]) }

// Bounds of what a key may be.
const (
	MaxNameLen = 100
	MaxGrants  = 50
	// MaxGrace is the longest time for which a rotated secret goes on working.
	MaxGrace = 30 * 24 * time.Hour
	// DefaultGrace is that time where nobody says another.
	DefaultGrace = 24 * time.Hour
	// MaxActive is how many keys of a tenant are active at once.
	MaxActive = 1000
)

// Key is an API key as it may be shown: without its secret.
type Key struct {
	ID       string             `json:"id"`
	TenantID callmodel.TenantID `json:"tenant_id"`
	Name     string             `json:"name"` // one of the tenant's active keys has it
	// Grants are what was granted: scopes, and roles, which are sets of scopes.
	Grants    []string  `json:"grants"`
	CreatedAt time.Time `json:"created_at"` // the database's clock, as all times here
	CreatedBy string    `json:"created_by"`
	// ExpiresAt is when the key stops working. Zero: it doesn't.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// LastUsedAt is when it was used last, about: within some minutes. Zero: never.
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	RotatedAt  time.Time `json:"rotated_at,omitzero"`
	// OldUntil is until when the secret before the last rotation works.
	OldUntil  time.Time `json:"old_until,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RevokedBy string    `json:"revoked_by,omitempty"`
	// Version grows with every change but LastUsedAt's.
	Version int64 `json:"version"`
}

// Scopes are what the key's grants come to.
func (k *Key) Scopes() []callmodel.Scope {
	scopes, _ := callmodel.ParseGrants(k.Grants) // what isn't known any more grants nothing
	return scopes
}

// Active reports whether the key's newest secret works.
func (k *Key) Active(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// Tag is the key's version for an HTTP ETag and If-Match, without its quotes.
func (k *Key) Tag() string { return strconv.FormatInt(k.Version, 10) }

// New is a key to be kept.
type New struct {
	ID        string // of [NewID]
	TenantID  callmodel.TenantID
	Name      string
	Grants    []string
	ExpiresAt time.Time // zero: never
	Secret    Hash
	Actor     string
}

// Validate checks all of it at once. now is the clock that ExpiresAt is held against.
// The error is FieldErrors.
func (n *New) Validate(now time.Time) error {
	var faults callmodel.FieldErrors
	faults.CheckID("id", n.ID)
	faults.CheckID("tenant_id", string(n.TenantID))
	if n.Name == "" || len(n.Name) > MaxNameLen || strings.ContainsFunc(n.Name, unprintable) {
		faults.Add("name", "must be 1 to %d printable ASCII characters", MaxNameLen)
	}
	switch {
	case len(n.Grants) == 0:
		faults.Add("grants", "is empty; give scopes like %s or roles: %s", callmodel.ScopeCallsRead, strings.Join(callmodel.Roles(), ", "))
	case len(n.Grants) > MaxGrants:
		faults.Add("grants", "are more than %d", MaxGrants)
	default:
		if _, err := callmodel.ParseGrants(n.Grants); err != nil {
			faults.AddAll("", err)
		}
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		faults.Add("expires_at", "is over already")
	}
	if n.Secret == (Hash{}) {
		faults.Add("secret", "is missing")
	}
	return faults.Err()
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// Action is how a key is changed.
type Action string

// The actions.
const (
	Rotate Action = "rotate" // give it a new secret
	Revoke Action = "revoke" // end it, for good
)

// Change is a change of one key.
type Change struct {
	TenantID callmodel.TenantID
	ID       string
	Action   Action
	Secret   Hash          // of a rotation: the new one
	Grace    time.Duration // of a rotation: for how long the old secret works
	Expected string        // the Tag that the key must have; "": any
	Actor    string
}

// Validate checks the change. The error is FieldErrors.
func (c *Change) Validate() error {
	var faults callmodel.FieldErrors
	switch {
	case c.Action != Rotate && c.Action != Revoke:
		faults.Add("action", "%q is neither rotate nor revoke", c.Action)
	case c.Action == Rotate && c.Secret == (Hash{}):
		faults.Add("secret", "is missing")
	}
	if c.Grace < 0 || c.Grace > MaxGrace {
		faults.Add("grace_s", "must be from 0 to %d", int64(MaxGrace/time.Second))
	}
	return faults.Err()
}

// Filter selects keys of a list.
type Filter struct {
	After   string // an id: the list goes on behind it
	Limit   int    // 0: 100; at most 1000
	Revoked bool   // those that were revoked, too
}

// Stored is a key as those need it who recognise secrets.
type Stored struct {
	Key

	Secret Hash
	// Old is the secret before the last rotation, until Key.OldUntil; the zero Hash if
	// there is none.
	Old Hash
}

// Changes are the keys that have changed since a place in the order of changes.
type Changes struct {
	// Anew says that the place was never reached, as after a restore of the database:
	// what was known before is to be forgotten.
	Anew bool
	Keys []Stored
	// Through is the place that the list comes up to; give it to ask on.
	Through int64
	// More says that there are more behind it.
	More bool
}
