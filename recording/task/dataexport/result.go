package dataexport

import (
	"cmp"
	"path"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Exported is the result of an export job.
type Exported struct {
	// Status is "completed", "completed_degraded" if something is Missing, or "absent" if
	// there is no such call, or none of the number: the rest is empty then.
	Status record.Status `json:"status"`
	Reason string        `json:"reason,omitempty"` // why it is absent
	// AsOf is the time until which calls are in it, ExpiresAt when it is deleted, both by
	// the database's clock. ExpiresAt is zero where nobody deletes it.
	AsOf      time.Time `json:"as_of,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Index     Stored    `json:"index"` // the index of all parts
	Page      Stored    `json:"page"`  // the same, for people
	Parts     []Part    `json:"parts"`
	Bytes     int64     `json:"bytes"` // of all parts
	Counts    Counts    `json:"counts"`
	// Missing counts what couldn't be had, by its reason. What and where is in the parts'
	// indexes.
	Missing map[string]int64 `json:"missing,omitempty"`
}

// Objects are the keys of the export's files in the bucket.
func (e *Exported) Objects() []string {
	keys := make([]string, 0, 2*len(e.Parts)+2)
	for _, key := range []string{e.Index.Object, e.Page.Object} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	for i := range e.Parts {
		part := e.Parts[i].Object
		keys = append(keys, part, path.Join(path.Dir(part), noteName(i+1)))
	}
	return keys
}

// Stored is a file of an export in the bucket.
type Stored struct {
	URL    string `json:"url"`
	Object string `json:"object"` // its key in the bucket
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// Part is a zip of an export.
type Part struct {
	Stored

	Files   int64 `json:"files"`
	Missing int64 `json:"missing"`
}

// Counts is how much is in an export.
type Counts struct {
	Calls      int64 `json:"calls"`
	Recordings int64 `json:"recordings"`
	Objects    int64 `json:"objects"` // of the recordings and other jobs
	Jobs       int64 `json:"jobs"`
	Users      int64 `json:"users"`
	Rules      int64 `json:"rules"`
	AuditLines int64 `json:"audit_lines"`
	Deliveries int64 `json:"deliveries"`
	Files      int64 `json:"files"`
}

func (c *Counts) add(more *Counts) {
	c.Calls += more.Calls
	c.Recordings += more.Recordings
	c.Objects += more.Objects
	c.Jobs += more.Jobs
	c.Users += more.Users
	c.Rules += more.Rules
	c.AuditLines += more.AuditLines
	c.Deliveries += more.Deliveries
	c.Files += more.Files
}

// File is a line of a part's index.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`           // hex
	Object string `json:"object,omitempty"` // where it was in the bucket
}

// Why something is missing.
const (
	// MissingAbsent: there was nothing to record, and the detail says why.
	MissingAbsent = "absent"
	// MissingErased: the recording was deleted; the audit log says when and why.
	MissingErased = "erased"
	// MissingPending: a job that makes it waits or runs.
	MissingPending = "pending"
	// MissingQuarantined: it couldn't be made, and was set aside.
	MissingQuarantined = "quarantined"
	// MissingObject: the ledger names an object that isn't in the bucket: it was erased, or
	// lost.
	MissingObject = "not_in_the_bucket"
	// MissingElsewhere: it is in another bucket, which isn't open here.
	MissingElsewhere = "held_elsewhere"
	// MissingForeign: the ledger names an object outside of the tenant's part of the bucket.
	MissingForeign = "not_the_tenants"
	// MissingDamaged: the object isn't as it was stored. It is in the export as it is; of an
	// encrypted one what can be decrypted from its beginning is, if anything.
	MissingDamaged = "damaged"
	// MissingKey: the object is encrypted, and the program that makes the export has no key
	// for it.
	MissingKey = "key_missing"
	// MissingUnreadable: what the ledger says of a job can't be read.
	MissingUnreadable = "unreadable"
)

// Missing is something that couldn't be had.
type Missing struct {
	Why         string           `json:"why"`
	Detail      string           `json:"detail"`
	CallID      callmodel.CallID `json:"call_id,omitempty"`
	JobID       callmodel.JobID  `json:"job_id,omitempty"`
	RecordingID string           `json:"recording_id,omitempty"`
	Object      string           `json:"object,omitempty"`
	SHA256      string           `json:"sha256,omitempty"` // that it had when it was stored
}

// about is what every index says of the export.
type about struct {
	Format    string             `json:"format"`
	Export    string             `json:"export"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	Of        string             `json:"of"`
	CallID    callmodel.CallID   `json:"call_id,omitempty"`
	Number    string             `json:"number,omitempty"`
	Since     time.Time          `json:"since,omitzero"`
	Until     time.Time          `json:"until,omitzero"`
	AsOf      time.Time          `json:"as_of"`
	ExpiresAt time.Time          `json:"expires_at,omitzero"`
	Notes     []string           `json:"notes"`
}

// format names the form of the indexes.
const format = "switchtape-export/1"

// partIndex is the index.json of a part.
type partIndex struct {
	about

	Part    int       `json:"part"`
	Files   []File    `json:"files"`
	Missing []Missing `json:"missing"`
}

// wholeIndex is the index.json of an export.
type wholeIndex struct {
	about

	Parts   []Part           `json:"parts"`
	Bytes   int64            `json:"bytes"`
	Counts  Counts           `json:"counts"`
	Missing map[string]int64 `json:"missing"`
}

// notes are what a reader must know of what the export has and hasn't.
func notes(of string) []string {
	all := []string{
		"Secrets of keys, webhooks and share links are not in the export, nor are the legs on telephone servers, nor what a bucket that keeps versions has of objects that were deleted.",
		"What the ledger names and couldn't be had is listed as missing, with the reason.",
	}
	if of == OfNumber {
		all = append(all,
			"Calls have other parties: their numbers are in the call records, and their voices in the recordings. Whether they may be handed on must be decided by a person (GDPR, article 15(4)).",
			"Calls of a party who withheld the number can't be found by it; recordings that belong to no stored call have no number.")
	}
	if of == OfTenant {
		all = append(all, "Reports and metrics are counted from what is in the export, and are not in it.")
	}
	return all
}

// note is what is kept beside a part: that it is there, and where the next one begins. The
// sums are of all parts so far.
type note struct {
	Part    Part             `json:"part"`
	Counts  Counts           `json:"counts"`
	Missing map[string]int64 `json:"missing"`
	Next    place            `json:"next"`
}

// exported is the result of an export with these parts.
func exported(a *about, parts []Part, last *note) Exported {
	e := Exported{
		Status: record.StatusCompleted, AsOf: a.AsOf, ExpiresAt: a.ExpiresAt,
		Parts: parts, Counts: last.Counts, Missing: last.Missing,
	}
	for i := range parts {
		e.Bytes += parts[i].Bytes
	}
	if len(e.Missing) > 0 {
		e.Status = record.StatusCompletedDegraded
	}
	return e
}

// File is a file of the export by its name for people: "index.json", "index.html" or
// "part-0001.zip"; nil for none.
func (e *Exported) File(name string) *Stored {
	switch name {
	case indexName:
		return orNil(&e.Index)
	case pageName:
		return orNil(&e.Page)
	}
	for i := range e.Parts {
		if name == PartName(i+1) {
			return &e.Parts[i].Stored
		}
	}
	return nil
}

func orNil(s *Stored) *Stored {
	if cmp.Or(s.Object, s.URL) == "" {
		return nil
	}
	return s
}

// Names are the names for people of its files.
func (e *Exported) Names() []string {
	var names []string
	for _, name := range []string{pageName, indexName} {
		if e.File(name) != nil {
			names = append(names, name)
		}
	}
	for i := range e.Parts {
		names = append(names, PartName(i+1))
	}
	return names
}
