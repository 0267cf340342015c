// Package lint reads a rule set for what its author can't have meant: rules
// that no call reaches, times that nobody covers, destinations that nothing
// uses. It asks no call and no clock; it never says what it can't prove.
//
//	rule file ── CheckFile ──▶ faults and ties (errors) ─┐
//	                  └─ Check ──▶ findings ─────────────┴─▶ Report
//
// # What is proven
//
// A rule is reported as unreachable only if no call can be routed by it: its
// times are over, or the rules that rank before it, one or several together,
// take every call that it could match. Of a call everything may differ:
// tenant, type, direction, priority, emergency flag, caller, trunk, metadata,
// capabilities and time. Its callee is a number as calls are normalised: E.164
// of 7 to 15 digits, a short code of 2 to 6, or, for rules that take every
// callee, anything at all.
//
// What can't be decided counts as reachable: an expression excludes nothing and
// takes nothing but what the same expression takes; of capabilities, callers
// and times with exceptions only what one rule takes alone is seen, not what
// several do together.
//
// # Codes
//
//	error    invalid              a field is wrong
//	error    conflict             two rules are level in rank and can match the same call
//	warning  shadowed             one rule before it takes all its calls
//	warning  duplicate            that rule has the same conditions, too
//	warning  unreachable          several rules before it take all its calls together
//	warning  never-open           its times are over, or contradict each other
//	warning  time-gap             minutes of the week in which calls to a callee reach no rule
//	warning  prefix-hole          a prefix that is left out among its siblings, and reaches no rule
//	warning  unused-destination   no rule uses it, or only rules that no call reaches
//	warning  unused-list, unused-rates
//	warning  no-rate              a tier by cost has a target without any rate for the rule's callees
//	warning  expired-rate         no rate of a prefix is in force any more
//	warning  weight-limit         a target's limit keeps its tier from ever meeting the weights
//	info     tiny-share           a target gets less than one call in a thousand
//	info     catch-all            a rule takes every call that no other takes
//	info     no-catch-all         calls that no rule matches are refused
//	info     no-emergency         no rule is for emergency calls
//	info     bounded              a part of the set was too large to be looked through
package lint
