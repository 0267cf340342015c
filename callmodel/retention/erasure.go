package retention

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// The kinds of the jobs that delete. Their result is an [Erasure].
const (
	KindErase  = "erase-recording"
	KindRedact = "redact-recording"
)

// KindDeleteLegs is the kind of the jobs that delete the legs of recordings which stay.
const KindDeleteLegs = "delete-legs"

// The reasons of recordings that are absent for what this package is about: see
// record.Result.
const (
	ReasonErased    = "erased"     // it was there, and was deleted
	ReasonNoConsent = "no_consent" // a party said that it may not be recorded
)

// Object is an object in a bucket, or an older version of one.
type Object struct {
	Bucket  string `json:"bucket"` // its URL, without a query
	Key     string `json:"key"`
	Version string `json:"version,omitempty"` // the bucket's own name of the version; "" in one without versions
	// Bytes is the size as the bucket has it: of an encrypted object that of what is encrypted.
	Bytes int64 `json:"bytes"`
	// SHA256 is that of those bytes, in hex, by reading them before they were deleted. "": they
	// weren't read, and NotRead says why. Neither the object's metadata nor the ledger is
	// believed for it.
	SHA256  string `json:"sha256,omitempty"`
	NotRead string `json:"not_read,omitempty"`
	// Encrypted says that the bytes are encrypted, by their beginning.
	Encrypted bool `json:"encrypted,omitempty"`
	// Ledger is what the ledger says of the object that it names by the key: of the plaintext,
	// if it is encrypted. It is only with the Current one; nil if the ledger names none.
	Ledger   *Named    `json:"ledger,omitempty"`
	StoredAt time.Time `json:"stored_at,omitzero"` // the bucket's clock
	// Current says that it was what a reader of the key got.
	Current bool `json:"current,omitempty"`
	// Mark says that it was the mark of a deletion, which has no bytes.
	Mark bool `json:"mark,omitempty"`
}

// Named is what the ledger says of an object.
type Named struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"` // hex
}

// Leg is a party's audio as it was recorded, by its name in the recording: what its files
// are called isn't kept.
type Leg struct {
	Name   string `json:"name"`
	Files  int    `json:"files"`
	SHA256 string `json:"sha256,omitempty"` // hex, of all files in order; "" if nothing was read of it
	// End is what became of the files: LegDeleted, LegGone if they were gone already, or
	// LegShared.
	End string `json:"end,omitempty"`
	// URIs are the files, below the directory Below of the place of the legs, while the
	// deletion has begun and isn't done: their names may tell of people.
	URIs  []string `json:"uris,omitempty"`
	Below string   `json:"below,omitempty"`
}

// What became of a leg's files.
const (
	LegDeleted = "deleted"
	LegGone    = "gone"
	LegShared  = "shared" // another recording of the call has it as well: it goes with that
)

// State is how far a deletion is.
type State string

// The states of a deletion.
const (
	Begun State = "begun" // it is decided, the URL is gone, and bytes may still be there
	Done  State = "done"  // nothing is left
)

// Erasure is what is left of a recording, or of an older version of it, that was deleted:
// what was where, and when it was gone, for whom and why.
type Erasure struct {
	TenantID    callmodel.TenantID    `json:"tenant_id"`
	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	// JobID is the job that has made the recording, ByJob the one that deletes.
	JobID callmodel.JobID `json:"job_id"`
	ByJob callmodel.JobID `json:"by_job"`
	// Kind is that of the job that deletes: the recording is gone, or, of one that was
	// redacted, what it was before.
	Kind    string    `json:"kind"`
	State   State     `json:"state"`
	Reason  string    `json:"reason"`
	Actor   string    `json:"actor"`    // who asked for it
	BegunAt time.Time `json:"begun_at"` // the database's clock, as DoneAt is
	DoneAt  time.Time `json:"done_at,omitzero"`
	Objects []Object  `json:"objects"`
	Legs    []Leg     `json:"legs"`
	// Prefix is what the keys of the recording's objects begin with; Keys are those that
	// the ledger has named.
	Prefix string   `json:"prefix,omitempty"`
	Keys   []string `json:"keys,omitempty"`
}

// LockedError says that a bucket's own lock keeps an object: Amazon's Object Lock, a
// retention policy of Google's or Azure's immutability. Its code is CodeConflict.
type LockedError struct {
	Object Object
	// Until is when the lock ends; zero if it has no end, as a hold of the bucket's.
	Until time.Time
}

func (e *LockedError) Error() string {
	s := fmt.Sprintf("%s in %s is locked there", e.Object.Key, e.Object.Bucket)
	if e.Object.Version != "" {
		s = fmt.Sprintf("version %s of %s", e.Object.Version, s)
	}
	if e.Until.IsZero() {
		return s + ", until somebody lifts the bucket's own hold"
	}
	return s + " until " + e.Until.UTC().Format(time.RFC3339)
}

// Unwrap gives it its code.
func (e *LockedError) Unwrap() error { return callmodel.Errorf(callmodel.CodeConflict, "it is locked") }

// ErasedError says that a recording was deleted. Its code is CodeGone.
type ErasedError struct{ Erasure Erasure }

func (e *ErasedError) Error() string {
	at, how := e.Erasure.DoneAt, "was deleted"
	if e.Erasure.State == Begun {
		at, how = e.Erasure.BegunAt, "is being deleted since"
	}
	return fmt.Sprintf("recording %s %s %s: %s", e.Erasure.RecordingID, how, at.UTC().Format(time.RFC3339), e.Erasure.Reason)
}

// Unwrap gives it its code.
func (e *ErasedError) Unwrap() error { return callmodel.Errorf(callmodel.CodeGone, "it is gone") }

// The audited actions of deletions. Their subject is the job that made the recording.
const (
	AuditEraseBegun = "recording.erase_begun" // its URL is gone
	AuditErased     = "recording.erased"      // nothing is left; the line says what was where
	AuditRedacted   = "recording.redacted"    // what it was before a redaction is gone
)

// Begin has a ledger begin a deletion: from then on the recording's URL is gone, or is that
// of the version that takes its place.
type Begin struct {
	// Erasure names the recording by JobID and TenantID, and says ByJob, Kind, Reason, Actor
	// and what there is to delete. The ledger sets the rest.
	Erasure Erasure
	// Result and Spec are a record.Result and a record.Spec as JSON, of the version that takes
	// the place of the one that is deleted. Nil: the recording is deleted.
	Result, Spec []byte
	// Derived are jobs of other kinds, as "kind/key", that have made something of what is
	// deleted, which is deleted with it: their results name nothing any more.
	Derived []string
}

// Keep reports whether the recording stays, in another version.
func (b *Begin) Keep() bool { return b.Result != nil }
