package callmodel

import (
	"errors"
	"time"
)

// JobState is where a recording job stands. See the package comment's drawing.
type JobState string

// The states of a job.
const (
	JobQueued      JobState = "queued"
	JobRunning     JobState = "running"
	JobDone        JobState = "done"
	JobQuarantined JobState = "quarantined"
)

// JobEvent moves a job.
type JobEvent string

// The events of a job.
const (
	JobClaimed      JobEvent = "claimed"        // a worker took a lease
	JobCompleted    JobEvent = "completed"      // its result is committed
	JobPublished    JobEvent = "published"      // a result is committed, and a later one may follow
	JobFailed       JobEvent = "failed"         // it will be tried again
	JobReleased     JobEvent = "released"       // given back unharmed: drain, or the lease expired
	JobQuarantine   JobEvent = "quarantine"     // set aside for a person
	JobRetried      JobEvent = "retried"        // a person put it back
	MaxJobAttempts           = 3                // counted attempts before quarantine
	DefaultLeaseTTL          = 30 * time.Second // a dead worker's job is taken over after this
	DefaultQueue             = "default"
)

// Next is the state after ev, or a [*TransitionError].
func (s JobState) Next(id JobID, ev JobEvent) (JobState, error) {
	switch {
	case s == JobQueued && ev == JobClaimed:
		return JobRunning, nil
	case s == JobRunning && ev == JobCompleted:
		return JobDone, nil
	case s == JobRunning && (ev == JobFailed || ev == JobReleased || ev == JobPublished):
		return JobQueued, nil
	case (s == JobRunning || s == JobQueued) && ev == JobQuarantine:
		return JobQuarantined, nil
	case s == JobQuarantined && ev == JobRetried:
		return JobQueued, nil
	}
	return s, &TransitionError{Subject: "job " + string(id), From: string(s), Event: string(ev)}
}

// Job is a row of the ledger.
type Job struct {
	ID       JobID         `json:"id"`
	Queue    string        `json:"queue"`    // a telephone server's host name, or "default"
	Priority int           `json:"priority"` // higher first; fresh calls before a backlog
	State    JobState      `json:"state"`
	Attempts int           `json:"attempts"` // counted attempts that failed
	Spec     RecordingSpec `json:"spec"`
	// Result is set once the job is done, and when a recording of it was
	// published before: see Published.
	Result *RecordingResult `json:"result,omitempty"`
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
func (j *Job) Published() *RecordingResult {
	if j.State == JobDone || j.Result == nil || !j.Result.Made() {
		return nil
	}
	return j.Result
}

// JobRequest is a job to put in the ledger.
type JobRequest struct {
	Spec     RecordingSpec
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

// ClaimRequest asks the ledger for work.
type ClaimRequest struct {
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
	var permanent *PermanentError
	var later *RetryAfterError
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

// JobFilter selects jobs to list.
type JobFilter struct {
	State    JobState // "" for any
	Queue    string   // "" for any
	TenantID TenantID // "" for any
	Limit    int      // 0 means 100; at most 1000
	After    JobID    // continue behind this one
}

// QueueStats is the state of the ledger, for metrics.
type QueueStats struct {
	Queued, Running, Done, Quarantined int64
	OldestQueued                       time.Duration // how long the oldest job that can run now has been able to; 0 if none
}
