package callmodel

import (
	"slices"
	"strconv"
	"strings"
)

// The roles: named sets of scopes. Each of the first three includes those before it.
const (
	RoleReader   = "reader"
	RoleCaller   = "caller"
	RoleOperator = "operator"
	// RoleCompliance reads, and decides what is kept: legal holds, deletion and redaction.
	// No operator lifts a hold, and nobody with this role alone changes calls or rules.
	RoleCompliance = "compliance"
)

// Roles lists every role.
func Roles() []string {
	return []string{RoleReader, RoleCaller, RoleOperator, RoleCompliance}
}

// RoleScopes is what a role may do; nil for a name that is no role's.
func RoleScopes(role string) []Scope {
	reader := []Scope{ScopeCallsRead, ScopeRecordingsRead, ScopeRulesRead}
	switch role {
	case RoleReader:
		return reader
	case RoleCaller:
		return append(reader, ScopeCallsWrite, ScopeRecordingsWrite)
	case RoleOperator:
		return slices.DeleteFunc(Scopes(), func(s Scope) bool { return s == ScopeHoldsWrite || s == ScopeRecordingsErase })
	case RoleCompliance:
		return append(reader, ScopeAuditRead, ScopeUsersRead, ScopeTenantsRead, ScopeHoldsRead, ScopeHoldsWrite, ScopeRecordingsErase,
			ScopeExportsRead, ScopeExportsWrite, ScopeSharesRead, ScopeSharesWrite)
	default:
		return nil
	}
}

// ParseGrants reads a list of roles and scopes. Each scope is in the result once. The
// error is FieldErrors with a path like grants[1] for every name that is neither; the
// scopes of the others are returned all the same.
func ParseGrants(grants []string) ([]Scope, error) {
	var scopes []Scope
	var faults FieldErrors
	for i, name := range grants {
		set := RoleScopes(name)
		if slices.Contains(Scopes(), Scope(name)) || Scope(name) == ScopeTenantsEvery {
			set = []Scope{Scope(name)}
		}
		if set == nil {
			faults.Add("grants["+strconv.Itoa(i)+"]", "%q is neither a role (%s) nor a scope like %s", name, strings.Join(Roles(), ", "), ScopeCallsRead)
		}
		for _, s := range set {
			if !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes, faults.Err()
}
