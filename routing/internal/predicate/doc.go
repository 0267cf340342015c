// Package predicate compiles the conditions of match.expr, in the language of
// github.com/expr-lang/expr, within bounds of size and time.
//
//	source ── Cache.Get ──▶ Predicate ── Holds(call) ──▶ true, false or the call's error
package predicate
