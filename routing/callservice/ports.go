package callservice

import (
	"context"
	"encoding"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
)

// Stores are what the service keeps its data in. *calldb.DB and memdb's Store
// are such stores.
type Stores interface {
	CallStore
	RuleSetStore
	AuditLog
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
	CreateCall(ctx context.Context, n calls.NewCall) (replay *calls.StoredResponse, err error)
	// Replay returns the answer to a key used before, ErrIdempotencyMismatch,
	// or nil if the key is new.
	Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*calls.StoredResponse, error)
	// AppendEvent moves the call by ev (see calls.Call.Apply) and stores the
	// call, the event, the audit line and the recording job in one transaction.
	// A recording that somebody has submitted under the call's id doesn't take the
	// job's place: the call's own is made under another id then. An event id that
	// the call has seen changes nothing and returns the call.
	AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string, defaults []record.OutputSpec) (calls.Call, error)
	// Call is one call with its recordings; ErrNotFound.
	Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error)
	// Calls is a page of the tenant's calls, newest first.
	Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error)
	// CallEvents lists the call's events in the order they were applied.
	CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error)
}

// RuleSetStore keeps the versions of each tenant's rules.
//
// Every implementation passes storetest.RuleSetStore.
type RuleSetStore interface {
	// PutRuleSet stores a version; the same hash again changes nothing.
	PutRuleSet(ctx context.Context, s rulesets.Version, actor string) error
	// ChangeRuleSet changes which versions are in service, its line of history
	// and its audit line with it, in one transaction, and returns what is in
	// service now. A change that was made already, by this caller or another,
	// changes nothing and leaves no line. ErrNotFound if the version isn't
	// stored; CodeConflict if another version is active than was expected, if
	// there is none to go back to, or no canary, or another one.
	//
	// A rollback with an expected version is repeated safely: when the newest
	// change is a rollback from it, it was made already.
	ChangeRuleSet(ctx context.Context, c rulesets.Change) (rulesets.State, error)
	// RuleSetState is which versions are in service, without their bodies; the
	// zero value for a tenant that has none.
	RuleSetState(ctx context.Context, t callmodel.TenantID) (rulesets.State, error)
	// Activations is the history of the active version, newest first, at most
	// limit entries; limit 0 means 50, and at most 1000 are returned.
	Activations(ctx context.Context, t callmodel.TenantID, limit int) ([]rulesets.Activation, error)
	// RuleSet is one version; ErrNotFound.
	RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error)
	// RuleSets lists the tenant's versions without their bodies, newest first.
	RuleSets(ctx context.Context, t callmodel.TenantID) ([]rulesets.Version, error)
}

// AuditLog is the record of who did what.
//
// Every implementation passes storetest.AuditLog.
type AuditLog interface {
	// Audit appends e; its ID and At are set by the store.
	Audit(ctx context.Context, e callmodel.AuditEvent) error
	// AuditEvents lists a tenant's events with an id greater than after, ascending, at most limit.
	AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error)
	// AuditAbout is AuditEvents of the lines whose subject is one of those given, at most 100,
	// but for what every call and job leaves by itself (call.created, call.rejected, call.event,
	// job.enqueued, job.completed, job.published): of a call and its jobs what somebody did with them.
	AuditAbout(ctx context.Context, t callmodel.TenantID, subjects []string, after int64, limit int) ([]callmodel.AuditEvent, error)
}

// RulesSnapshot keeps the rule sets in service where they can be had without the
// stores. *snapshot.Dir is one. The methods that save are called one at a time,
// by Run alone.
type RulesSnapshot interface {
	// HasRules reports whether the version is kept.
	HasRules(t callmodel.TenantID, hash string) bool
	// Rules is a version that is kept, compiled.
	Rules(t callmodel.TenantID, hash string) (*routing.Router, error)
	// SaveRules keeps a version under its hash, in the binary form that it gives:
	// see [routing.Packed].
	SaveRules(t callmodel.TenantID, hash string, rs encoding.BinaryMarshaler) error
	// SaveState keeps which versions of a tenant are in service. They are kept
	// before it is called.
	SaveState(s snapshot.State) error
	// SaveWithout keeps which tenants have no rules of their own.
	SaveWithout(tenants []callmodel.TenantID) error
	// Load is everything that is kept. The error names what can't be used; what
	// can is returned all the same.
	Load() (tenants []snapshot.Tenant, without []callmodel.TenantID, err error)
}

// SettingsService is another service that says how calls are recorded. *settings.Client
// is one.
type SettingsService interface {
	// Settings returns what the service says of the call: the zero value if that is
	// nothing, and with a Fallback what it said of another call of the kind. After an
	// error, a [*routing.FallbackError] if possible, the call is recorded as it would be
	// without the service. Settings must return in time for the call, which waits. It is
	// never called for emergency calls.
	Settings(ctx context.Context, q *SettingsQuestion) (SettingsAnswer, error)
}
