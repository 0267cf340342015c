package callmodel

import (
	"context"
	"slices"
)

// Scope is one kind of action that a principal may be allowed.
type Scope string

// The scopes. None includes another: a principal that creates calls and looks at
// them has both.
const (
	ScopeCallsRead       Scope = "calls:read"       // calls, their events and explanations; dry runs
	ScopeCallsWrite      Scope = "calls:write"      // create calls, post their events
	ScopeRecordingsRead  Scope = "recordings:read"  // recording jobs and the audio
	ScopeRecordingsWrite Scope = "recordings:write" // submit recordings
	ScopeJobsWrite       Scope = "jobs:write"       // retry, move and quarantine recording jobs
	ScopeRulesRead       Scope = "rules:read"       // the versions of the rules and their history
	ScopeRulesWrite      Scope = "rules:write"      // change the rules, and the tools for that
	ScopeAuditRead       Scope = "audit:read"       // the audit log
	ScopeUsersRead       Scope = "users:read"       // users, their preferences and history
	ScopeUsersWrite      Scope = "users:write"      // change users
	ScopeTenantsRead     Scope = "tenants:read"     // the tenant's profile and defaults, and their history
	ScopeTenantsWrite    Scope = "tenants:write"    // change the tenant's profile and defaults
	ScopeKeysRead        Scope = "keys:read"        // API keys, without their secrets
	ScopeKeysWrite       Scope = "keys:write"       // make, rotate and revoke API keys that may do no more than one's own
	ScopeHoldsRead       Scope = "holds:read"       // legal holds
	ScopeHoldsWrite      Scope = "holds:write"      // place and lift legal holds
	ScopeRecordingsErase Scope = "recordings:erase" // delete and redact recordings that are made
	ScopeExportsRead     Scope = "exports:read"     // exports of data, and what is in them
	ScopeExportsWrite    Scope = "exports:write"    // export data: calls, recordings, users and the audit log
	ScopeSharesRead      Scope = "shares:read"      // share links, without their tokens
	ScopeSharesWrite     Scope = "shares:write"     // make and revoke share links of recordings that one may hear
	ScopeWebhooksRead    Scope = "webhooks:read"    // webhooks, without their secrets, and their deliveries
	ScopeWebhooksWrite   Scope = "webhooks:write"   // make, change and delete webhooks, and replay deliveries

	// ScopeTenantsEvery is what the scopes of users and tenants allow, of every tenant
	// and not only of the principal's own. It is the platform's: no list has it.
	ScopeTenantsEvery Scope = "tenants:every"
)

// Scopes lists every scope within one tenant: all but [ScopeTenantsEvery].
func Scopes() []Scope {
	return []Scope{
		ScopeCallsRead, ScopeCallsWrite, ScopeRecordingsRead, ScopeRecordingsWrite,
		ScopeJobsWrite, ScopeRulesRead, ScopeRulesWrite, ScopeAuditRead,
		ScopeUsersRead, ScopeUsersWrite, ScopeTenantsRead, ScopeTenantsWrite, ScopeKeysRead, ScopeKeysWrite,
		ScopeWebhooksRead, ScopeWebhooksWrite, ScopeHoldsRead, ScopeHoldsWrite, ScopeRecordingsErase,
		ScopeExportsRead, ScopeExportsWrite, ScopeSharesRead, ScopeSharesWrite,
	}
}

// Principal is who makes a request. The host's authentication puts one in the
// request's context; handlers read it and refuse requests without one.
type Principal struct {
	TenantID TenantID
	Subject  string // for the audit log: a key's id, a user's name
	// Scopes are what it may do; none: nothing. They are shared by every request
	// of the principal and must not be changed.
	Scopes []Scope
}

// Allows reports whether s is among p's scopes. It allocates nothing.
func (p Principal) Allows(s Scope) bool { return slices.Contains(p.Scopes, s) }

type principalKey struct{}

// WithPrincipal puts p in the context.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom gets the principal that the host's authentication put there.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
