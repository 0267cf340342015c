package storetest

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/callmodel/users"
)

// Calls is what [CallStore] tests: the CallStore of package callservice, where
// the promises are written.
type Calls interface {
	CreateCall(ctx context.Context, n calls.NewCall) (replay *calls.StoredResponse, err error)
	Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*calls.StoredResponse, error)
	AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string, defaults []record.OutputSpec) (calls.Call, error)
	Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error)
	Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error)
	CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error)
}

// RuleSets is what [RuleSetStore] tests: the RuleSetStore of package callservice,
// where the promises are written.
type RuleSets interface {
	PutRuleSet(ctx context.Context, s rulesets.Version, actor string) error
	ChangeRuleSet(ctx context.Context, c rulesets.Change) (rulesets.State, error)
	RuleSetState(ctx context.Context, t callmodel.TenantID) (rulesets.State, error)
	Activations(ctx context.Context, t callmodel.TenantID, limit int) ([]rulesets.Activation, error)
	RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error)
	RuleSets(ctx context.Context, t callmodel.TenantID) ([]rulesets.Version, error)
}

// AuditLines is what [AuditLog] tests: the AuditLog of package callservice, where
// the promises are written.
type AuditLines interface {
	Audit(ctx context.Context, e callmodel.AuditEvent) error
	AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error)
	AuditAbout(ctx context.Context, t callmodel.TenantID, subjects []string, after int64, limit int) ([]callmodel.AuditEvent, error)
}

// OutboxEvents is what [Outbox] tests: the events to deliver. They are written by
// the transactions of what they tell about.
type OutboxEvents interface {
	// OutboxEvents lists events with an id greater than after, ascending, at most limit.
	OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error)
}

// JobLedger is what [Jobs] tests: a ledger of jobs, by those who use it.
type JobLedger interface {
	WorkersLedger
	DeskLedger
	FleetLedger
	AdoptLedger
	LegsLedger
	// Stats counts the jobs, by kind and state.
	Stats(ctx context.Context) (ledger.Stats, error)
}

// WorkersLedger is what workers call: the port worker.Ledger, which says what the
// methods promise.
type WorkersLedger interface {
	Claim(ctx context.Context, r ledger.Claim) ([]ledger.Lease, error)
	Extend(ctx context.Context, l ledger.Lease, ttl time.Duration) (ledger.Lease, error)
	Complete(ctx context.Context, l ledger.Lease, o ledger.Outcome) error
	Publish(ctx context.Context, l ledger.Lease, o ledger.Outcome, again time.Duration) error
	Fail(ctx context.Context, l ledger.Lease, f ledger.Failure) error
	Release(ctx context.Context, l ledger.Lease) error
}

// FleetLedger is what processes call to say that they are there, and operators to
// see who serves which queue.
type FleetLedger interface {
	// Present says that the process is there, for ledger.PresenceTTL. One that comes
	// again under its name takes the place of what was known of it.
	Present(ctx context.Context, p ledger.Presence) error
	// Gone says that it isn't any more.
	Gone(ctx context.Context, p ledger.Presence) error
	// Fleet lists those that are there, by role and name.
	Fleet(ctx context.Context) ([]ledger.Presence, error)
	// Queues lists the queues that jobs wait or run in, those first whose jobs have
	// waited longest.
	Queues(ctx context.Context, f ledger.QueueFilter) ([]ledger.QueueState, error)
	// Move puts jobs that wait or are set aside into another queue, with an audit line
	// each, and returns which it has moved. CodeNotFound moves none.
	Move(ctx context.Context, ids []callmodel.JobID, to, actor string) ([]callmodel.JobID, error)
}

// AdoptLedger is what those call who have finished recordings: the port Ledger of package
// adopt, which says what it promises.
type AdoptLedger interface {
	Adopt(ctx context.Context, r ledger.Request, o ledger.Outcome) (id callmodel.JobID, created bool, err error)
}

// DeskLedger is what those call who hand in jobs and look after them: the port
// recordinghttp.Ledger without the audit log.
type DeskLedger interface {
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	Quarantine(ctx context.Context, id callmodel.JobID, actor, reason string) error
}

// Users is what [UserStore] tests: the ports userhttp.Store and directory.Source, which
// say what the methods promise.
type Users interface {
	User(ctx context.Context, t callmodel.TenantID, id users.ID) (users.User, error)
	PutUser(ctx context.Context, u users.User, w users.Write) (stored users.User, created bool, err error)
	PutUsers(ctx context.Context, list []users.User, actor string) error
	DeleteUser(ctx context.Context, t callmodel.TenantID, id users.ID, w users.Write) error
	Users(ctx context.Context, f users.Filter) (users.Page[users.User], error)
	UserVersions(ctx context.Context, t callmodel.TenantID, id users.ID, before int64, limit int) ([]users.Version[users.User], error)
	Tenant(ctx context.Context, t callmodel.TenantID) (users.Tenant, error)
	PutTenant(ctx context.Context, t users.Tenant, w users.Write) (stored users.Tenant, created bool, err error)
	DeleteTenant(ctx context.Context, t callmodel.TenantID, w users.Write) error
	Tenants(ctx context.Context, cursor string, limit int) (users.Page[users.Tenant], error)
	TenantVersions(ctx context.Context, t callmodel.TenantID, before int64, limit int) ([]users.Version[users.Tenant], error)
	UserChanges(ctx context.Context, after int64, limit int) ([]users.Change, error)
}
