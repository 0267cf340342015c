package rulesets

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
)

// Store keeps the versions of each tenant's rules.
//
// Every implementation passes storetest.RuleSetStore.
type Store interface {
	// PutRuleSet stores a version; the same hash again changes nothing.
	PutRuleSet(ctx context.Context, s Version, actor string) error
	// ActivateRuleSet is ChangeRuleSet with RuleSetActivate, whatever is active.
	ActivateRuleSet(ctx context.Context, t callmodel.TenantID, hash, actor string) error
	// ChangeRuleSet changes which versions are in service, its line of history
	// and its audit line with it, in one transaction, and returns what is in
	// service now. A change that was made already, by this caller or another,
	// changes nothing and leaves no line. ErrNotFound if the version isn't
	// stored; CodeConflict if another version is active than was expected, if
	// there is none to go back to, or no canary, or another one.
	//
	// A rollback with an expected version is repeated safely: when the newest
	// change is a rollback from it, it was made already.
	ChangeRuleSet(ctx context.Context, c Change) (State, error)
	// RuleSetState is which versions are in service, without their bodies; the
	// zero value for a tenant that has none.
	RuleSetState(ctx context.Context, t callmodel.TenantID) (State, error)
	// Activations is the history of the active version, newest first, at most
	// limit entries; limit 0 means 50, and at most 1000 are returned.
	Activations(ctx context.Context, t callmodel.TenantID, limit int) ([]Activation, error)
	// ActiveRuleSet is the tenant's active version; ErrNotFound if it has none.
	ActiveRuleSet(ctx context.Context, t callmodel.TenantID) (Version, error)
	// RuleSet is one version; ErrNotFound.
	RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (Version, error)
	// RuleSets lists the tenant's versions without their bodies, newest first.
	RuleSets(ctx context.Context, t callmodel.TenantID) ([]Version, error)
}
