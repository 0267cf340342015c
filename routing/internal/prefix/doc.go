// Package prefix finds the longest of many prefixes that a number begins with.
//
//	number ── KeyOf ──▶ key ── Longest ──▶ node ── Parent ──▶ node of a shorter prefix ──▶ …
//
// An [Index] is built once and searched by any number of goroutines. A search
// allocates nothing.
package prefix
