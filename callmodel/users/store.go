package users

import (
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Precondition is what must be so of a document for it to be written: a version that it
// must have, or one of the constants.
type Precondition int64

// The preconditions that name no version.
const (
	Always    Precondition = 0  // whatever is there
	IfAbsent  Precondition = -1 // nothing is there
	IfPresent Precondition = -2 // something is there
)

// Check reports whether a document of that version, 0 for none, may be written: nil, or
// a CodePrecondition error that says what is there.
func (p Precondition) Check(version int64) error {
	switch {
	case p == Always, p == IfAbsent && version == 0, p == IfPresent && version > 0, p > 0 && int64(p) == version:
		return nil
	case version == 0:
		return callmodel.Errorf(callmodel.CodePrecondition, "there is nothing to replace: somebody has deleted it, or it was never there")
	case p == IfAbsent:
		return callmodel.Errorf(callmodel.CodePrecondition, "it is there already, in version %d", version)
	}
	return callmodel.Errorf(callmodel.CodePrecondition, "the version %d was to be replaced, and %d is there: somebody changed it meanwhile; read it and decide again",
		int64(p), version)
}

// Write says who writes, and on what condition.
type Write struct {
	Actor string // for the history and the audit log
	If    Precondition
}

// Filter selects users of one tenant, by id.
type Filter struct {
	TenantID callmodel.TenantID
	// Number is one of the user's, as it is stored: E.164 or the extension. "": any.
	Number string
	Limit  int // 0 means 50; at most 500
	// After is the cursor of the page before, "" for the first page. It is a place in
	// the order of ids: what is written meanwhile doesn't shift it.
	After string
}

// Page is a page of documents.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the next page; "" at the end
}

// Version is a document as it was at one time.
type Version[T any] struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"` // the database's clock
	Actor   string    `json:"actor,omitempty"`
	Deleted bool      `json:"deleted,omitempty"`
	// Document is nil in a version that is a deletion.
	Document *T `json:"document,omitempty"`
}

// Change is what became of a document.
type Change struct {
	// Seq is its place among the changes of all tenants. Each document is at that of its
	// last change alone.
	Seq int64
	// One of both is set: as it is now, or, of one that was deleted, with its ids and
	// version alone.
	User    *User
	Tenant  *Tenant
	Deleted bool
}

// ETag is the version as an entity tag of HTTP (RFC 9110 section 8.8.3): "\"7\"".
func (r Revision) ETag() string { return strconv.Quote(strconv.FormatInt(r.Version, 10)) }
