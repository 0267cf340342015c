package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
)

// MaxBody bounds a recording that is asked for, in bytes: a spec may name 32 legs of
// 1000 files.
const MaxBody = 8 << 20

// Checks are what a recording must pass at whichever door it comes in, beside what
// callmodel checks. The zero value works.
type Checks struct {
	// Check refuses specs that no worker can do, as FieldErrors; the Check of a
	// recording.Processor fits. Nil: only what callmodel checks.
	Check func(record.Spec) error
	// LegsBelow says in which directory of the place of the legs, or below it, a
	// tenant's legs are on a host, the job's queue ("" for none): a recording of
	// others is refused, and so are links out of it when they are opened. "" is the
	// whole place. Nil: the whole place, for all; so tenants can have each other's legs
	// recorded for themselves.
	LegsBelow func(t callmodel.TenantID, host string) (dir string, err error)
}

// Submission is a recording that is asked for: a spec, and where it is to wait. Make one
// by Checks.Submission and decode it by callmodel.DecodeJSON, which has every fault of
// it reported at once.
type Submission struct {
	record.Spec

	Queue    string `json:"queue"`
	Priority int    `json:"priority"`

	tenant callmodel.TenantID // whose it is, whatever it says
	checks *Checks
	dir    string // that the legs are confined to
}

// Submission is one of the tenant's to decode into.
func (c *Checks) Submission(t callmodel.TenantID) *Submission {
	return &Submission{tenant: t, checks: c}
}

// Asked is the recording that is asked for, always of the tenant that was vouched for
// and of its own legs.
func (s *Submission) Asked() record.Spec {
	spec := s.Spec
	spec.TenantID, spec.LegsBelow = s.tenant, s.dir
	return spec
}

// Job is the job that makes it. actor is who asks for it.
func (s *Submission) Job(actor string) (ledger.Request, error) {
	job, err := record.NewJob(s.Asked(), s.Queue, s.Priority)
	job.Actor = actor
	return job, err
}

// Validate reports every fault at once. callmodel.DecodeJSON calls it.
func (s *Submission) Validate() error {
	var faults callmodel.FieldErrors
	if s.TenantID != "" && s.TenantID != s.tenant {
		faults.Add("tenant_id", "is not the tenant of the credentials; leave it out")
	}
	if s.Queue != "" && !callmodel.ValidID(s.Queue) {
		faults.Add("queue", "must be 1 to %d letters, digits, '.', '_' or '-'", callmodel.MaxIDLen)
	}
	if s.Priority < calls.MinPriority || s.Priority > calls.MaxPriority {
		faults.Add("priority", "must be %d to %d, is %d", calls.MinPriority, calls.MaxPriority, s.Priority)
	}
	if s.checks.LegsBelow != nil {
		var err error
		if s.dir, err = s.checks.LegsBelow(s.tenant, s.Queue); err != nil {
			return err
		}
	}
	if s.LegsBelow != "" && s.LegsBelow != s.dir {
		faults.Add("legs_below", "is for the service to say; leave it out")
	}
	if s.SettingsFrom != (origin.Settings{}) {
		faults.Add("settings_from", "is of recordings that a call's end asks for; leave it out")
	}
	spec := s.Asked()
	err := spec.Validate()
	if err == nil && s.checks.Check != nil {
		err = s.checks.Check(spec)
	}
	var more callmodel.FieldErrors
	if err != nil && !errors.As(err, &more) {
		return err
	}
	faults = append(faults, more...)
	faults.AddAll("", record.ValidateRelative(spec.Legs))
	return faults.Err()
}

// Ledger is where jobs go. *calldb.DB and *memdb.Store are ledgers: every one passes
// storetest.Jobs. A call returns soon after its context ends.
type Ledger interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant, kind, key):
	// the id of the first one is returned and created is false. An invalid request
	// is refused with FieldErrors.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
}

// Enqueue puts the job in the ledger. One whose key is another's already is refused with
// CodeConflict: it would not be done, and nobody would notice.
func Enqueue(ctx context.Context, l Ledger, r *ledger.Request) (id callmodel.JobID, created bool, err error) {
	if id, created, err = l.Enqueue(ctx, *r); err != nil || created {
		return id, created, err
	}
	have, err := l.Job(ctx, id)
	if err != nil {
		return "", false, err
	}
	if r.Kind == record.Kind {
		err = sameRecording(&have, r)
	} else if !sameJSON(have.Payload, r.Payload) {
		err = callmodel.Errorf(callmodel.CodeConflict, "the key %s is that of job %s, which is to do something else; give a key of its own", r.Key, id)
	}
	if err != nil {
		return "", false, err
	}
	return id, false, nil
}

// sameRecording refuses a recording whose id is another's already.
func sameRecording(have *ledger.Job, r *ledger.Request) error {
	var want record.Spec
	if err := want.UnmarshalJSON(r.Payload); err != nil {
		return err
	}
	spec, err := record.SpecOf(have)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s: %w; give another recording_id", want.RecordingID, err)
	}
	spec.LegsBelow, spec.SettingsFrom = want.LegsBelow, want.SettingsFrom // the service's own
	haveJSON, err := json.Marshal(&spec)
	if err != nil {
		return err
	}
	if !bytes.Equal(haveJSON, r.Payload) {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s is made of another spec by job %s; give a recording_id of its own", want.RecordingID, have.ID)
	}
	return nil
}

// sameJSON reports whether two texts are the same JSON.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
