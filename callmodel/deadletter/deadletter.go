// Package deadletter is the vocabulary of messages from a broker that could not be
// taken: what they were, why, and what became of them.
//
//	message ──▶ waiting ──┬─ replay, through the same check ──▶ replayed
//	                      └─ a person lets it go ─────────────▶ discarded
//
// A letter is kept when it is settled, so that the same message, which a broker may
// deliver again, doesn't come back to the desk. *calldb.DB and *memdb.Store keep
// letters; storetest.DeadLetters is what they promise.
package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
)

// State is where a letter stands.
type State string

// The states of a letter.
const (
	Waiting   State = "waiting"   // for a person
	Replayed  State = "replayed"  // it is a job now
	Discarded State = "discarded" // a person let it go
)

// What the audit log says was done with a letter.
const (
	AuditKept      = "dead_letter.kept"
	AuditReplayed  = "dead_letter.replayed"
	AuditDiscarded = "dead_letter.discarded"
)

// Bounds of what is kept of a message, in bytes. What is longer is cut.
const (
	MaxBody   = 1 << 20
	MaxReason = 4096
	MaxSource = 1024
	MaxID     = 255
)

// ID names a letter. The store makes it.
type ID string

// Letter is a message that could not be taken.
type Letter struct {
	ID ID `json:"id"`
	// TenantID is whose message it is; "" where nobody vouches for that.
	TenantID callmodel.TenantID `json:"tenant_id,omitempty"`
	// Source is the subscription that it came by: its URL without credentials.
	Source string `json:"source"`
	// MessageID is the broker's or the sender's name of the message; "" if it has none.
	MessageID string `json:"message_id,omitempty"`
	Kind      string `json:"kind"` // of the job that it asks for
	// Code and Reason say why it could not be taken.
	Code   callmodel.Code `json:"code"`
	Reason string         `json:"reason"`
	// Text is the message, where it is UTF-8 text, else Base64 is.
	Text   string `json:"text,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
	// Bytes is how long the message was. Of one that was longer than MaxBody only its
	// beginning is kept, and it can't be replayed.
	Bytes int   `json:"bytes"`
	State State `json:"state"`
	// Times are the database's.
	At        time.Time       `json:"at"`
	SettledAt time.Time       `json:"settled_at,omitzero"`
	SettledBy string          `json:"settled_by,omitempty"`
	JobID     callmodel.JobID `json:"job_id,omitempty"` // that it was replayed as
}

// SetBody keeps the message, or its beginning.
func (l *Letter) SetBody(body []byte) {
	l.Bytes = len(body)
	body = body[:min(len(body), MaxBody)]
	l.Text, l.Base64 = "", nil
	if utf8.Valid(body) {
		l.Text = string(body)
		return
	}
	l.Base64 = append([]byte(nil), body...)
}

// Body is the message, or its beginning if it was Cut.
func (l *Letter) Body() []byte {
	if l.Base64 != nil {
		return l.Base64
	}
	return []byte(l.Text)
}

// Cut reports whether only the beginning of the message is kept.
func (l *Letter) Cut() bool { return l.Bytes > MaxBody }

// New is a message to keep as a letter. Source, Fingerprint and Code are needed.
type New struct {
	TenantID callmodel.TenantID
	Source   string
	// Fingerprint makes it one letter however often it is delivered: see Fingerprint.
	Fingerprint string
	MessageID   string
	Kind        string
	Code        callmodel.Code
	Reason      string
	Body        []byte
}

// Fingerprint tells a message from the others of its subscription, in hex: by its id,
// if it has one, and what it says.
func Fingerprint(id string, body []byte) string {
	h := sha256.New()
	// The length keeps an id's end from being taken for the body's beginning.
	h.Write([]byte(strconv.Itoa(len(id)) + ":" + id))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// Settle is what becomes of a letter that waits.
type Settle struct {
	ID ID
	// TenantID confines it to that tenant's letters; "" is any, and those of nobody.
	TenantID callmodel.TenantID
	State    State           // Replayed or Discarded
	JobID    callmodel.JobID // of a replayed one
	Actor    string
}

// Filter selects letters to list.
type Filter struct {
	TenantID callmodel.TenantID // "" for every tenant's, and those of nobody
	State    State              // "" for any
	Source   string             // "" for any
	After    ID                 // continue behind this one
	Limit    int                // 0 means 100; at most 1000
}

// ErrNotKept: letters can't be kept there yet. It carries CodeUnavailable.
var ErrNotKept error = &callmodel.Error{
	Code: callmodel.CodeUnavailable, Message: "the database keeps no dead letters yet: run \"switchtape migrate up\"",
}

// Detail is what an audit line says of the letter.
func (l *Letter) Detail() map[string]string {
	d := map[string]string{"source": l.Source, "kind": l.Kind, "code": string(l.Code)}
	for name, text := range map[string]string{"message_id": l.MessageID, "job_id": string(l.JobID)} {
		if text != "" {
			d[name] = text
		}
	}
	return d
}

// Page is a part of a list.
type Page struct {
	Letters []Letter `json:"letters"`
	Next    ID       `json:"next,omitempty"` // the "after" of the next page
}
