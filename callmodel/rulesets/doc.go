// Package rulesets is the vocabulary of versions of rules: a stored version, which
// one is active and which one is the canary, the changes from one to another, and
// their history.
//
//	Version ── Change: activate ──▶ State.Active ── rollback ──▶ State.Previous
//	        └─ Change: canary ────▶ State.Canary ── promote ───▶ State.Active
//	                                             └─ abort
package rulesets
