package callmodel

import "context"

// Role is what a principal may do.
type Role string

// The roles. Each includes those before it.
const (
	RoleReader   Role = "reader"   // read calls, recordings, decisions
	RoleCaller   Role = "caller"   // and create calls, post events
	RoleOperator Role = "operator" // and change rules, retry jobs
)

// Principal is who makes a request. The host's authentication puts one in the
// request's context; handlers read it and refuse requests without one.
type Principal struct {
	TenantID TenantID
	Subject  string // for the audit log: a key's id, a user's name
	Role     Role
}

// May reports whether p's role includes r.
func (p Principal) May(r Role) bool { return rank(p.Role) >= rank(r) && rank(r) > 0 }

func rank(r Role) int {
	switch r {
	case RoleReader:
		return 1
	case RoleCaller:
		return 2
	case RoleOperator:
		return 3
	default:
		return 0
	}
}

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
