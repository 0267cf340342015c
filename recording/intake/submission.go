package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
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
	// Defaults says what a recording of that call has whose request leaves out
	// started_at or outputs; the call may be none that is stored. Nil: a request must say
	// them.
	Defaults func(ctx context.Context, t callmodel.TenantID, call callmodel.CallID) (Defaults, error)
	// Tracer names the request's span in the jobs of recordings. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Now is the clock by which a recording begins of whose beginning nobody says
	// anything. Nil means time.Now.
	Now func() time.Time
}

// Submission is a recording that is asked for: a spec, and where it is to wait. Make one
// by Door.Recording and decode it by callmodel.DecodeJSON, which has every fault of it
// reported at once.
type Submission struct {
	record.Spec

	Queue    string `json:"queue"`
	Priority int    `json:"priority"`

	tenant   callmodel.TenantID // whose it is, whatever it says
	checks   *Checks
	defaults func(callmodel.CallID) (Defaults, error) // nil: there are none
	dir      string                                   // that the legs are confined to
	given    given
	trace    string // the traceparent of the request
}

// spec is the recording that is asked for, always of the tenant that was vouched for and
// of its own legs.
func (s *Submission) spec() record.Spec {
	spec := s.Spec
	spec.TenantID, spec.LegsBelow, spec.Traceparent = s.tenant, s.dir, s.trace
	return spec
}

// Asked is the job that makes it. actor is who asks for it.
func (s *Submission) Asked(actor string) (Asked, error) {
	job, err := record.NewJob(s.spec(), s.Queue, s.Priority)
	job.Actor = actor
	return Asked{Request: job, given: s.given}, err
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
	if s.Traceparent != "" {
		faults.Add("traceparent", "is for the service to say; send it as a header")
	}
	if s.SettingsFrom != (origin.Settings{}) {
		faults.Add("settings_from", "is of recordings that a call's end asks for; leave it out")
	}
	if err := s.fill(); err != nil {
		return err
	}
	spec := s.spec()
	err := spec.Validate()
	if err == nil && s.checks.Check != nil {
		err = s.checks.Check(spec)
	}
	var more callmodel.FieldErrors
	if err != nil && !errors.As(err, &more) {
		return err
	}
	faults = append(faults, slices.DeleteFunc(more, s.defaulted)...)
	faults.AddAll("", record.ValidateRelative(spec.Legs))
	return faults.Err()
}
