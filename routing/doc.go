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
// A rule routes to tiers of destinations. All destinations of a tier are tried
// before the next tier's. A tier is a list of targets, or a mapping that says
// how they are ordered:
//
//	route:
//	  - [{to: east, weight: 3}, {to: west}]               # by weight
//	  - {order: cost, assume_seconds: 60, require_rate: true, targets: [{to: a}, {to: b}]}
//	  - {order: quality, explore_percent: 5, targets: [{to: c}, {to: d, weight: 2}]}
//	  - {order: priority, targets: [{to: e}, {to: f}]}    # as listed
//
// By weight, the order is drawn by weighted rendezvous hashing over the call's
// id: the same call always gets the same order, over many calls each destination
// comes first in proportion to its weight, and taking one away moves only the
// calls it had. By cost, it is that of the expected costs of a call of
// assume_seconds, exactly; ties stay as listed, and targets without a rate come
// last, or are left out with require_rate. By quality, it is that of what
// package trunk has seen, by weight among equals.
//
// # What destinations get
//
//	destinations:
//	  a:
//	    uri: "sip:a.example.com"
//	    strip: 2                 # digits of the callee's number, less its plus
//	    prepend: "00"            # or replace: "+4930100" for the whole number
//	    caller: {policy: pass, strip: 2, prepend: "0"}
//	    # or    {policy: withhold}, or {policy: replace, replace: ["+4930100", "+4930101"]}
//	    rates: carrier-a         # a deck below
//	    limits: {concurrent: 120, cps: 10}
//	currency: EUR
//	rates:
//	  carrier-a:
//	    - {prefix: "+49", per_minute: 0.0123, connect: 0.01, first_seconds: 60, next_seconds: 1}
//	    - {prefix: "+49", per_minute: 0.0119, from: 2026-07-01T00:00:00Z}
//
// The decision gives each destination its number, the caller to present, and
// the expected cost with the rate's prefix. Which of several rates holds is
// said at [NewRateTable].
//
// # When a destination fails
//
// The decision carries the policy by which the call goes on: that of the rule,
// else of the set, else [callmodel.Cause.Retryable].
//
//	failover: {retry: ["sip:486", "q850:34"], final: ["sip:5xx"], max_attempts: 3, total_seconds: 60, attempt_seconds: 20}
//
// # What the moment has to say
//
// [Router.RouteLive] leaves full destinations out, and those that are down
// unless nothing else is left. A [Live], such as a trunk.Group, tells it which
// they are; the decision says which were left out and why. A [Decider] is
// another service that decides in the rules' place; callhttp asks it first.
//
// Emergency calls have no regard for limits, health, missing rates or withheld
// callers, and no Decider is asked about them.
package routing
