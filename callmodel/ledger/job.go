package ledger

import (
	"errors"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// State is where a recording job stands. See the package comment's drawing.
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
	MaxAttempts           = 3                // counted attempts before quarantine
	DefaultLeaseTTL       = 30 * time.Second // a dead worker's job is taken over after this
	DefaultQueue          = "default"
)

// Next is the state after ev, or a [*TransitionError].
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
	case s == Quarantined && ev == Retried:
		return Queued, nil
	}
	return s, &callmodel.TransitionError{Subject: "job " + string(id), From: string(s), Event: string(ev)}
}

// Job is a row of the ledger.
type Job struct {
	ID       callmodel.JobID `json:"id"`
	Queue    string          `json:"queue"`    // a telephone server's host name, or "default"
	Priority int             `json:"priority"` // higher first; fresh calls before a backlog
	State    State           `json:"state"`
	Attempts int             `json:"attempts"` // counted attempts that failed
	Spec     record.Spec     `json:"spec"`
	// Result is set once the job is done, and when a recording of it was
	// published before: see Published.
	Result *record.Result `json:"result,omitempty"`
	// LastError is why the last attempt failed, or the job was quarantined.
	LastError string `json:"last_error,omitempty"`
	Worker    string `json:"worker,omitempty"` // who holds the lease, while running
	// Times are the database's.
	CreatedAt  time.Time `json:"created_at"`
	RunAt      time.Time `json:"run_at"`               // not claimed before
	LeaseUntil time.Time `json:"lease_until,omitzero"` // while running
	FinishedAt time.Time `json:"finished_at,omitzero"` // when done
}

// Published is the recording that is on the call already while the job isn't
// done: that of an earlier attempt. Nil if there is none.
func (j *Job) Published() *record.Result {
	if j.State == Done || j.Result == nil || !j.Result.Made() {
		return nil
	}
	return j.Result
}

// Request is a job to put in the ledger.
type Request struct {
	Spec     record.Spec
	Queue    string // "" means DefaultQueue
	Priority int
}

// Lease is a worker's right to run a job until it ends. Token is the fence: it
// grows with every claim of the job, and only the newest one may commit.
type Lease struct {
	Job    Job
	Token  int64
	Worker string
	TTL    time.Duration // how long it was granted for; the database keeps the end
}

// Claim asks the ledger for work.
type Claim struct {
	Worker string
	Queues []string      // nil: every queue
	Limit  int           // at most so many jobs; 0 means 1
	TTL    time.Duration // 0 means DefaultLeaseTTL
}

// Failure says what becomes of a job whose attempt failed.
type Failure struct {
	Cause string // for people and the audit
	// RetryIn is how long to wait, counted by the database's clock.
	RetryIn time.Duration
	// Uncounted attempts do not bring the job nearer to quarantine: the fault
	// is not the job's.
	Uncounted bool
	// Quarantine sets the job aside now.
	Quarantine bool
}

// FailureOf turns the error of an attempt into its fate: a [*PermanentError]
// quarantines, a [*RetryAfterError] waits without counting, anything else
// counts and waits for backoff.
func FailureOf(err error, backoff time.Duration) Failure {
	f := Failure{Cause: err.Error(), RetryIn: backoff}
	var permanent *callmodel.PermanentError
	var later *callmodel.RetryAfterError
	switch {
	case errors.As(err, &permanent):
		f.Quarantine = true
	case errors.As(err, &later):
		f.Uncounted = true
		if later.After > 0 {
			f.RetryIn = later.After
		}
	}
	return f
}

// Filter selects jobs to list.
type Filter struct {
	State    State              // "" for any
	Queue    string             // "" for any
	TenantID callmodel.TenantID // "" for any
	Limit    int                // 0 means 100; at most 1000
	After    callmodel.JobID    // continue behind this one
}

// Stats is the state of the ledger, for metrics.
type Stats struct {
	Queued, Running, Done, Quarantined int64
	OldestQueued                       time.Duration // how long the oldest job that can run now has been able to; 0 if none
}
