package callmodel

import (
	"context"
	"time"
)

// JobQueue is the ledger of recording jobs. Its rows are the truth: a broker's
// message only rings the doorbell. All times are the database's, so that a
// machine with a wrong clock can neither steal nor keep a lease.
//
// Every implementation passes storetest.JobQueue.
type JobQueue interface {
	// Enqueue puts a job in the ledger. It is idempotent on (tenant,
	// recording id): the id of the first one is returned and created is false.
	// An invalid spec is refused with [FieldErrors].
	Enqueue(ctx context.Context, r JobRequest) (id JobID, created bool, err error)
	// Claim leases the most urgent jobs that may run now, highest priority
	// first, then oldest. Jobs whose lease ended are claimed too. None: an
	// empty slice. A job whose lease expired counts as a failed attempt;
	// one that reaches MaxJobAttempts is quarantined instead of claimed.
	Claim(ctx context.Context, r ClaimRequest) ([]Lease, error)
	// Extend prolongs the lease by ttl from now. ErrLeaseLost if it is not the
	// newest or has been given up. An expired lease that nobody took over may
	// still be extended, and committed.
	Extend(ctx context.Context, l Lease, ttl time.Duration) (Lease, error)
	// Complete commits the result: the job done, the recording on its call,
	// the outbox event and the audit line, in one transaction. ErrLeaseLost if
	// the lease is not the newest; completing twice under the same lease with
	// the same token is a no-op.
	//
	// A result without outputs doesn't take the place of a published one: the
	// job is done with that one, or, if the result is quarantined, set aside
	// with it.
	Complete(ctx context.Context, l Lease, r RecordingResult) error
	// Publish commits a recording as Complete does, in one transaction, while
	// the job isn't done: it is put back, uncounted, to be claimed again after
	// again has passed, and keeps r in Job.Result. What is published or
	// completed later takes r's place on the call. ErrLeaseLost if the lease is
	// not the newest; publishing twice with the same token is a no-op, whatever
	// has become of the job meanwhile. A result without outputs is refused with
	// [FieldErrors].
	//
	// From then on r stays on the call, with its URL, until another recording
	// takes its place: a job that is quarantined keeps it, and tells nobody but
	// the audit log.
	Publish(ctx context.Context, l Lease, r RecordingResult, again time.Duration) error
	// Fail ends the attempt. See Failure for the job's fate.
	Fail(ctx context.Context, l Lease, f Failure) error
	// Release gives the job back unharmed, to be claimed at once.
	Release(ctx context.Context, l Lease) error

	// Job reads one job; ErrNotFound.
	Job(ctx context.Context, id JobID) (Job, error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f JobFilter) ([]Job, error)
	// Retry puts a quarantined job back in the queue, its attempts reset and what
	// it has published kept.
	Retry(ctx context.Context, id JobID, actor string) error
	// Quarantine sets a queued or running job aside by hand; the worker of a
	// running one meets ErrLeaseLost.
	Quarantine(ctx context.Context, id JobID, actor, reason string) error
	// Stats counts the ledger.
	Stats(ctx context.Context) (QueueStats, error)
}

// NewCall is a call to store, with the answer to its idempotency key.
type NewCall struct {
	Call  Call
	Actor string
	// IdempotencyKey is the caller's; "" for none.
	IdempotencyKey string
	RequestSHA256  string // hex, of the request's body
	StatusCode     int    // of the response
	Response       []byte // the response's body, given again to the same key
}

// StoredResponse is the first answer to an idempotency key.
type StoredResponse struct {
	StatusCode int
	Body       []byte
}

// CallFilter selects a tenant's calls, newest first.
type CallFilter struct {
	State  CallState // "" for any
	Number string    // either party's; "" for any
	Limit  int       // 0 means 50; at most 500
	// Before is the cursor of the page before; "" for the first page.
	Before string
}

// CallPage is a page of calls.
type CallPage struct {
	Calls []Call
	Next  string // the cursor of the next page; "" at the end
}

// CallStore keeps calls. Every method sees one tenant's data only; another
// tenant's is ErrNotFound, just like none.
//
// Every implementation passes storetest.CallStore.
type CallStore interface {
	// CreateCall stores the call, its audit line and its idempotent answer in
	// one transaction. When the key was used before with the same request, it
	// stores nothing and returns the first answer; with another request,
	// ErrIdempotencyMismatch. A call id that exists is a CodeConflict error.
	CreateCall(ctx context.Context, n NewCall) (replay *StoredResponse, err error)
	// Replay returns the answer to a key used before, ErrIdempotencyMismatch,
	// or nil if the key is new.
	Replay(ctx context.Context, t TenantID, key, requestSHA256 string) (*StoredResponse, error)
	// AppendEvent moves the call by ev (see Call.Apply) and stores the call,
	// the event, the audit line and the recording job in one transaction. An
	// event id that the call has seen changes nothing and returns the call.
	AppendEvent(ctx context.Context, t TenantID, id CallID, ev CallEvent, actor string, defaults []OutputSpec) (Call, error)
	Call(ctx context.Context, t TenantID, id CallID) (Call, error)
	Calls(ctx context.Context, t TenantID, f CallFilter) (CallPage, error)
	// CallEvents lists the call's events in the order they were applied.
	CallEvents(ctx context.Context, t TenantID, id CallID) ([]CallEvent, error)
}

// RuleSetStore keeps the versions of each tenant's rules.
//
// Every implementation passes storetest.RuleSetStore.
type RuleSetStore interface {
	// PutRuleSet stores a version; the same hash again changes nothing.
	PutRuleSet(ctx context.Context, s StoredRuleSet, actor string) error
	// ActivateRuleSet is ChangeRuleSet with RuleSetActivate, whatever is active.
	ActivateRuleSet(ctx context.Context, t TenantID, hash, actor string) error
	// ChangeRuleSet changes which versions are in service, its line of history
	// and its audit line with it, in one transaction, and returns what is in
	// service now. A change that was made already, by this caller or another,
	// changes nothing and leaves no line. ErrNotFound if the version isn't
	// stored; CodeConflict if another version is active than was expected, if
	// there is none to go back to, or no canary, or another one.
	//
	// A rollback with an expected version is repeated safely: when the newest
	// change is a rollback from it, it was made already.
	ChangeRuleSet(ctx context.Context, c RuleSetChange) (RuleSetState, error)
	// RuleSetState is which versions are in service, without their bodies; the
	// zero value for a tenant that has none.
	RuleSetState(ctx context.Context, t TenantID) (RuleSetState, error)
	// Activations is the history of the active version, newest first, at most
	// limit entries; limit 0 means 50, and at most 1000 are returned.
	Activations(ctx context.Context, t TenantID, limit int) ([]Activation, error)
	// ActiveRuleSet is the tenant's active version; ErrNotFound if it has none.
	ActiveRuleSet(ctx context.Context, t TenantID) (StoredRuleSet, error)
	// RuleSet is one version; ErrNotFound.
	RuleSet(ctx context.Context, t TenantID, hash string) (StoredRuleSet, error)
	// RuleSets lists the tenant's versions without their bodies, newest first.
	RuleSets(ctx context.Context, t TenantID) ([]StoredRuleSet, error)
}

// AuditLog is the record of who did what.
//
// Every implementation passes storetest.AuditLog.
type AuditLog interface {
	// Audit appends e; its ID and At are set by the store.
	Audit(ctx context.Context, e AuditEvent) error
	// AuditEvents lists a tenant's events with an id greater than after, ascending, at most limit.
	AuditEvents(ctx context.Context, t TenantID, after int64, limit int) ([]AuditEvent, error)
}

// Outbox holds the events to deliver. They are written by the transactions of
// what they tell about.
type Outbox interface {
	// OutboxEvents lists events with an id greater than after, ascending, at most limit.
	OutboxEvents(ctx context.Context, after int64, limit int) ([]OutboxEvent, error)
}
