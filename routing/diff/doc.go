// Package diff puts recorded calls to two rule sets and tells what changes:
// which calls, from what to what, and how load and cost shift among
// destinations.
//
//	calls ──▶ before.Route ─┐
//	      └─▶ after.Route ──┴─ the same? ──▶ groups, examples, load ──▶ Report
//
// The rules decide by themselves: no destination is full or down. Load is counted at
// the destination that is tried first. The number of goroutines that count doesn't
// change the report.
package diff
