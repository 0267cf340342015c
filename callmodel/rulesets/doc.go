// Package rulesets is the vocabulary of the versions of a tenant's rules: which
// there are, which are in service, and how that changes. The rules themselves are
// the affair of package routing.
package rulesets
