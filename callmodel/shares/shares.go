// Package shares is the vocabulary of share links: who made one, of what part of a
// recording, until when, and how often it was opened.
//
//	New ─▶ open ──┬─ its time is over ──────────▶ expired
//	              ├─ somebody revokes it ───────▶ revoked
//	              └─ it was opened often enough ─▶ used_up
//
// Whoever has the token may listen: it is shown once, and kept as a hash. An opening is
// the requests of one client for a share that follow each other within [Gap]: players
// ask for a recording in ranges. The first of them is noted in the audit log, and counted;
// the others are neither. *calldb.DB and *memdb.Store keep shares; storetest.Shares is
// what they promise.
package shares

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// What the audit log says of a share.
const (
	AuditCreated = "share.created"
	AuditRevoked = "share.revoked"
	AuditOpened  = "share.opened"
)

// Bounds of a share.
const (
	MaxLife        = 365 * 24 * time.Hour
	MinLife        = time.Minute
	MaxOpenings    = 1_000_000
	MaxDescription = 256
	// MaxOpen is how many shares of a recording may be open at once.
	MaxOpen = 100
	// Gap is for how long after a request the next one of the same client is of the same
	// opening.
	Gap = 10 * time.Minute
	// KeepEnded is for how long a share is known after it has expired. Then it is forgotten,
	// with who has opened it, some at a time as others are made; the audit log stays.
	KeepEnded = 90 * 24 * time.Hour
	// ForgetAtOnce is how many are forgotten when one is made.
	ForgetAtOnce = 20
	// SeenWithin is how exactly it is known when a client asked last.
	SeenWithin = time.Minute
)

// State is whether a share can be opened.
type State string

// The states of a share.
const (
	Open    State = "open"
	Revoked State = "revoked"
	Expired State = "expired"
	UsedUp  State = "used_up"
)

// Share is a share as it may be shown: without its token.
type Share struct {
	ID          string                `json:"id"`
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	JobID       callmodel.JobID       `json:"job_id"` // that made the recording
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	// Output and Codec name what is heard among the recording's outputs.
	Output string `json:"output,omitempty"`
	Codec  string `json:"codec"`
	// From and To are the part of the recording that is shared, from its beginning. To 0:
	// to its end.
	From        time.Duration `json:"from_ms"`
	To          time.Duration `json:"to_ms"`
	Description string        `json:"description,omitempty"`
	State       State         `json:"state"`
	ExpiresAt   time.Time     `json:"expires_at"` // the database's clock, as all times here
	// MaxOpenings is how often it can be opened; 0: as often as anybody likes.
	MaxOpenings  int64     `json:"max_openings,omitempty"`
	Openings     int64     `json:"openings"`
	LastOpenedAt time.Time `json:"last_opened_at,omitzero"`
	CreatedAt    time.Time `json:"created_at"`
	CreatedBy    string    `json:"created_by"`
	RevokedAt    time.Time `json:"revoked_at,omitzero"`
	RevokedBy    string    `json:"revoked_by,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (s Share) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Share) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, s) }

// Whole reports whether it is the whole recording.
func (s *Share) Whole() bool { return s.From == 0 && s.To == 0 }

// At is the share with its state at that time.
func (s Share) At(now time.Time) Share {
	switch {
	case !s.RevokedAt.IsZero():
		s.State = Revoked
	case !now.Before(s.ExpiresAt):
		s.State = Expired
	case s.MaxOpenings > 0 && s.Openings >= s.MaxOpenings:
		s.State = UsedUp
	default:
		s.State = Open
	}
	return s
}

// NewID makes the id of a share.
func NewID() string { return "sh-" + strings.ToLower(rand.Text()[:16]) }

// Token is what opens a share: 256 random bits. It shows itself to nobody who prints, logs
// or encodes it: see Reveal.
type Token string

// tokenBytes is how many random bytes a token has.
const tokenBytes = 32

// NewToken makes a token.
func NewToken() Token {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails: it ends the process instead
	return Token(base64.RawURLEncoding.EncodeToString(raw[:]))
}

// Reveal is the token's text, for the one answer that shows it.
func (t Token) Reveal() string { return string(t) }

// String hides the token.
func (t Token) String() string { return "…" }

// GoString hides the token.
func (t Token) GoString() string { return "…" }

// LogValue hides the token.
func (t Token) LogValue() slog.Value { return slog.StringValue("…") }

// MarshalText hides the token.
func (t Token) MarshalText() ([]byte, error) { return []byte("…"), nil }

// Hash is what is kept of the token: its SHA-256, in hex. Tokens are random, so that a
// hash needs no salt and can't be turned back. "" for what has not the form of a token.
func (t Token) Hash() string {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(t))
	if err != nil || len(raw) != tokenBytes {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// New is a share to be kept.
type New struct {
	Share // without what the store sets: the state, the openings and the times but ExpiresAt's

	// Hash is that of its token.
	Hash string
	// Life is for how long it can be opened; ExpiresAt is set by it.
	Life  time.Duration
	Actor string
}

// Validate checks all of it at once. The error is FieldErrors.
func (n *New) Validate() error {
	var e callmodel.FieldErrors
	e.CheckID("id", n.ID)
	e.CheckID("tenant_id", string(n.TenantID))
	e.CheckID("job_id", string(n.JobID))
	if len(n.Hash) != 2*sha256.Size {
		e.Add("token", "is no token")
	}
	if n.From < 0 || n.To < 0 || n.To > 0 && n.To <= n.From {
		e.Add("to_ms", "must be behind from_ms, and neither may be negative")
	}
	if n.Life < MinLife || n.Life > MaxLife {
		e.Add("expires_in_s", "must be %d to %d, a year", MinLife/time.Second, MaxLife/time.Second)
	}
	if n.MaxOpenings < 0 || n.MaxOpenings > MaxOpenings {
		e.Add("max_openings", "must be 1 to %d; leave it out for any number", MaxOpenings)
	}
	if len(n.Description) > MaxDescription {
		e.Add("description", "is longer than %d bytes", MaxDescription)
	}
	if !text.Plain(n.Description) {
		e.Add("description", "holds control characters, or such that change the direction of text, or is not UTF-8")
	}
	return e.Err()
}

// Filter selects shares of one tenant, by id.
type Filter struct {
	JobID callmodel.JobID // of the recording that this job made; "" for any
	Limit int             // 0 means 100; at most 1000
	After string          // an id: the list goes on behind it
}

// Opening is a request for a share's audio.
type Opening struct {
	Hash string // of the token
	// Client tells apart those who ask, as they present themselves; at most 64 bytes are
	// kept, so that it is a hash.
	Client string
	// Detail is what the audit log is told of it: from where.
	Detail map[string]string
}

// Opened is a share that was opened.
type Opened struct {
	Share

	// Fresh says that an opening began, rather than that one goes on.
	Fresh bool
}

// EndedError says that a share can't be opened any more.
type EndedError struct {
	ID    string
	State State // Revoked, Expired or UsedUp
}

func (e *EndedError) Error() string {
	return "the share " + e.ID + " can't be opened any more: it is " + string(e.State)
}
