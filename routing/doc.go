// Package routing decides where a call goes: rules in, decisions out.
//
//	YAML or JSON ── Parse ──▶ RuleSet ── Compile ──▶ Router ── Route ───▶ Decision
//	                (all faults at once,             (immutable,└ Explain ▶ why
//	                 each with its line)              lock-free)
//
// A [Router] is pure: it holds its rules in memory, reads no clock, no network
// and no database, and may be used by any number of goroutines. Rules change by
// compiling a new Router and swapping it in a [Table].
//
// # Which rule wins
//
// A rule is a candidate when every condition it states holds. Among the
// candidates the first in this order wins:
//
//	prefix-first (the default)        priority-first
//	1. longest callee prefix          1. highest priority
//	2. highest priority               2. longest callee prefix
//	3. longest caller prefix          3. longest caller prefix
//
// Two rules that are level on all three and can match the same call are an
// error of the set, not a matter of luck. A rule without a callee condition
// catches everything and must say default: true; it ranks as a prefix of
// length 0.
//
// # Where the call goes
//
// A rule routes to tiers of weighted destinations. All destinations of a tier
// are tried before the next tier's. Their order within the tier is drawn by
// weighted rendezvous hashing over the call's id: the same call always gets
// the same order, over many calls each destination comes first in proportion
// to its weight, and taking one away moves only the calls it had.
package routing
