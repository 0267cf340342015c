package storetest

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
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
}

// OutboxEvents is what [Outbox] tests: the events to deliver. They are written by
// the transactions of what they tell about.
type OutboxEvents interface {
	// OutboxEvents lists events with an id greater than after, ascending, at most limit.
	OutboxEvents(ctx context.Context, after int64, limit int) ([]callmodel.OutboxEvent, error)
}
