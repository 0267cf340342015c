package ledger

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// State is where a job stands. See the package comment's drawing.
type State string

// The states of a job.
const (
	Queued      State = "queued"
	Running     State = "running"
	Done        State = "done"
	Quarantined State = "quarantined"
)

// Event moves a job.
type Event string

// The events of a job.
const (
	Claimed         Event = "claimed"        // a worker took a lease
	Completed       Event = "completed"      // its result is committed
	Published       Event = "published"      // a result is committed, and a later one may follow
	Failed          Event = "failed"         // it will be tried again
	Released        Event = "released"       // given back unharmed: drain, or the lease expired
	Quarantine      Event = "quarantine"     // set aside for a person
	Retried         Event = "retried"        // a person put it back
	MaxAttempts           = 3                // counted attempts before quarantine; a crash counts that no other job can have caused
	DefaultLeaseTTL       = 30 * time.Second // a dead worker's job is taken over after this
	// FreshFor is for how long after it was enqueued a job is fresh, at most, and for
	// half of that at least. It bounds how long a fresh one waits for those of its own
	// tenant that came before it, for they become a part of the backlog meanwhile.
	FreshFor = 10 * time.Second
	// BacklogShare is of how many claimed jobs one is of the backlog, while there are
	// fresh ones, too.
	BacklogShare = 4
	DefaultQueue = "default"
)

// Next is the state after ev, or a [*TransitionError]. Of which jobs that are done
// more can come is the affair of their kind: the ledger refuses to retry the others.
func (s State) Next(id callmodel.JobID, ev Event) (State, error) {
	switch {
	case s == Queued && ev == Claimed:
		return Running, nil
	case s == Running && ev == Completed:
		return Done, nil
	case s == Running && (ev == Failed || ev == Released || ev == Published):
		return Queued, nil
	case (s == Running || s == Queued) && ev == Quarantine:
		return Quarantined, nil
	case (s == Quarantined || s == Done) && ev == Retried:
		return Queued, nil
	}
	return s, &callmodel.TransitionError{Subject: "job " + string(id), From: string(s), Event: string(ev)}
}

// Job is a row of the ledger. What is to be done, and what came of it, is JSON in
// the form of the job's kind: the ledger keeps it and doesn't look inside. Text
// that isn't JSON, of a row that somebody has damaged, is given as a JSON string,
// so that the one job can't be read by its worker and all others can.
type Job struct {
	ID       callmodel.JobID    `json:"id"`
	Kind     string             `json:"kind"` // who knows how to do it: record.Kind
	TenantID callmodel.TenantID `json:"tenant_id"`
	CallID   callmodel.CallID   `json:"call_id,omitempty"` // "" if it belongs to no call
	// Key makes the job idempotent: there is one job of a tenant, a kind and a key.
	Key      string `json:"key"`
	Queue    string `json:"queue"`    // a telephone server's host name, or "default"
	Priority int    `json:"priority"` // higher first, among the jobs of the tenant
	// Emergency says that it is the own recording of an emergency call, which comes
	// before all others. No request can ask for that.
	Emergency bool  `json:"emergency,omitempty"`
	State     State `json:"state"`
	Attempts  int   `json:"attempts"` // counted attempts that failed
	// Suspect says that a lease of the job expired, so that it may be what crashed
	// its worker: it is run with nothing beside it until a run of it ends.
	Suspect bool            `json:"suspect,omitempty"`
	Payload json.RawMessage `json:"spec"` // what to do; a recording's is a record.Spec
	// Result is set once the job is done, when a result of it was published
	// before, and when it was set aside with what is known of it.
	Result json.RawMessage `json:"result,omitempty"`
	// Published says that Result is in use already while the job isn't done: it is
	// that of an earlier attempt. See Outcome.
	Published bool `json:"published,omitempty"`
	// Retriable says of a job that is done, and no recording, that a person may put it
	// back. See Outcome.
	Retriable bool `json:"retriable,omitempty"`
	// LastError is why the last attempt failed, or the job was quarantined.
	LastError string `json:"last_error,omitempty"`
	// Reason is LastError for programs: "" for errors that have none.
	Reason Reason `json:"reason,omitempty"`
	Worker string `json:"worker,omitempty"` // who holds the lease, while running
	// Times are the database's.
	CreatedAt  time.Time `json:"created_at"`
	RunAt      time.Time `json:"run_at"`               // not claimed before
	LeaseUntil time.Time `json:"lease_until,omitzero"` // while running
	FinishedAt time.Time `json:"finished_at,omitzero"` // when done
}

// Reason is why an attempt failed, for programs. Kinds may have reasons of their
// own; a reason is at most MaxReason bytes long, what is longer is cut.
type Reason string

// The reasons of any kind of job.
const (
	// Unavailable: a service that the job needs was away, as a bucket may be.
	Unavailable Reason = "unavailable"
	// Undecodable: the payload, or a published result, isn't what the kind writes.
	Undecodable Reason = "undecodable"
	// Crashed: it was set aside, as its workers were lost with it as often as is borne. See
	// MaxAttempts.
	Crashed Reason = "crashed"
)

// Request is a job to put in the ledger. Kind and Key are needed, and valid ids;
// so is TenantID. record.NewJob makes that of a recording.
type Request struct {
	Kind     string
	TenantID callmodel.TenantID
	CallID   callmodel.CallID // "" if it belongs to no call
	Key      string
	Payload  json.RawMessage // at most MaxPayload bytes
	Queue    string          // "" means DefaultQueue
	Priority int             // among the tenant's jobs: higher first
	Actor    string          // who asks for it, for the audit log; "": nobody but the system
}

// Limits of a job.
const (
	MaxPayload = 16 << 20 // bytes of a payload
	MaxReason  = 64       // bytes of a reason
)

// Lease is a worker's right to run a job until it ends. Token is the fence: it
// grows with every claim of the job, and only the newest one may commit.
type Lease struct {
	Job    Job
	Token  int64
	Worker string
	TTL    time.Duration // how long it was granted for; the database keeps the end
	// Alone says that nothing runs beside the job in its process, so that a crash
	// is its own: if the lease expires, the attempt counts. Only a suspect's is. See
	// Claim.InFlight.
	Alone bool
}

// Claim asks the ledger for work.
type Claim struct {
	Worker string
	Kinds  []string      // nil: every kind; name those that there is a handler for
	Queues []string      // nil: every queue
	Limit  int           // at most so many jobs; 0 means 1
	TTL    time.Duration // 0 means DefaultLeaseTTL
	// InFlight is how many jobs run in the claimer's process already. With 0 a
	// suspect is leased to run alone (Lease.Alone). With more it is only kept for
	// the claimer, who lets them end, starts no others, and says by Ledger.Extend
	// of a lease whose Alone it has set that the suspect begins.
	InFlight int
	// NoSuspects leaves the suspects to others, or to a later claim.
	NoSuspects bool
	// LeaveExpired leaves jobs whose leases have ended to those who have them, who may
	// still extend and commit them: as for a moment after the ledger was silent for so
	// long that all leases have ended.
	LeaveExpired bool
}

// Failure says what becomes of a job whose attempt failed.
type Failure struct {
	Cause  string // for people and the audit
	Reason Reason // for programs, kept in Job.Reason
	// RetryIn is how long to wait, counted by the database's clock.
	RetryIn time.Duration
	// Uncounted attempts do not bring the job nearer to quarantine: the fault
	// is not the job's.
	Uncounted bool
	// Quarantine sets the job aside now.
	Quarantine bool
}

// FailureOf turns the error of an attempt into what becomes of the job: a
// [*callmodel.PermanentError] quarantines, a [*callmodel.RetryAfterError] waits
// without counting, with the reason Unavailable, anything else counts and waits
// for backoff.
func FailureOf(err error, backoff time.Duration) Failure {
	f := Failure{Cause: err.Error(), RetryIn: backoff}
	var permanent *callmodel.PermanentError
	var later *callmodel.RetryAfterError
	switch {
	case errors.As(err, &permanent):
		f.Quarantine = true
	case errors.As(err, &later):
		f.Uncounted, f.Reason = true, Unavailable
		if later.After > 0 {
			f.RetryIn = later.After
		}
	}
	return f
}

// Filter selects jobs to list.
type Filter struct {
	State    State              // "" for any
	Kind     string             // "" for any
	Queue    string             // "" for any
	TenantID callmodel.TenantID // "" for any
	CallID   callmodel.CallID   // that the job is about; "" for any
	// NoCall selects jobs that are about no call that is stored: of recordings that were
	// handed in by themselves, and of calls that were lost.
	NoCall bool
	// Status is what the job came to: "completed", "completed_degraded" or "absent" by
	// the result of one that is done, or "quarantined". "" for any. Kinds without such
	// words have none but "quarantined".
	Status string
	// Code is that of a defect in the job's result, the result's reason, or the
	// reason of the last failure: "leg_missing", "no_media", "unavailable". "" for any.
	Code         string
	Since, Until time.Time       // when it was enqueued: since, and before until; zero for any time
	Limit        int             // 0 means 100; at most 1000
	After        callmodel.JobID // continue behind this one
}

// Stats is the state of the ledger, for metrics.
type Stats struct {
	Queued, Running, Done, Quarantined int64
	OldestQueued                       time.Duration // how long the oldest job that can run now has been able to; 0 if none
	// ByKind is what of each kind there is in the ledger; nil for an empty one.
	ByKind map[string]Counts
}

// Counts is how many jobs of a kind stand where.
type Counts struct {
	Queued, Running, Done, Quarantined int64
}

// Add counts n jobs of that kind in that state.
func (s *Stats) Add(kind string, state State, n int64) {
	if s.ByKind == nil {
		s.ByKind = map[string]Counts{}
	}
	c := s.ByKind[kind]
	switch state {
	case Queued:
		s.Queued, c.Queued = s.Queued+n, c.Queued+n
	case Running:
		s.Running, c.Running = s.Running+n, c.Running+n
	case Done:
		s.Done, c.Done = s.Done+n, c.Done+n
	case Quarantined:
		s.Quarantined, c.Quarantined = s.Quarantined+n, c.Quarantined+n
	}
	s.ByKind[kind] = c
}
