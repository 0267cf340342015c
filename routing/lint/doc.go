// Package lint finds what the author of a rule set can't have meant: rules that no
// call reaches, times that no rule covers, destinations that nothing uses. It needs
// no calls and no clock, and reports only what it can prove.
//
//	rule file ── CheckFile ──▶ faults and ties (errors) ─┐
//	                  └─ Check ──▶ findings ─────────────┴─▶ Report
//
// # What is proven
//
// A rule is reported as unreachable only if it can route no call: its times are over,
// or the rules that rank before it, one or several together, take every call that it
// could match. A call may have any tenant, type, direction, priority, emergency flag,
// caller, trunk, metadata, capabilities and time. Its callee is a normalised number:
// E.164 of 7 to 15 digits, a short code of 2 to 6, a code that begins with a star or a
// hash, or, for rules that take every
// callee, any text.
//
// A rule counts as reachable if nothing proves the contrary. An expression excludes no
// call, and takes no call but those of the same expression. Of rules with
// capabilities, callers or times with exceptions, lint sees only what each takes
// alone, not what several take together.
//
// # Codes
//
//	error    invalid              a field is wrong
//	error    conflict             two rules are level in rank and can match the same call
//	error    test-failed          a test of the set gives something else than it expects
//	warning  shadowed             one rule before it takes all its calls
//	warning  duplicate            that rule has the same conditions, too
//	warning  unreachable          several rules before it take all its calls together
//	warning  never-open           its times are over, or contradict each other
//	warning  time-gap             minutes of the week in which calls to a callee reach no rule
//	warning  prefix-hole          a prefix that is left out among its siblings, and reaches no rule
//	warning  unused-destination   no rule uses it, or only rules that no call reaches
//	warning  unused-list, unused-calendar, unused-rates
//	warning  no-rate              a tier by cost has a target without any rate for the rule's callees
//	warning  expired-rate         no rate of a prefix is in force any more
//	warning  weight-limit         a target's limit keeps its tier from ever meeting the weights
//	warning  tier-unreached       its failover ends every call before a tier is tried
//	warning  two-zones            a callee's rules have times in several time zones
//	warning  shadowed-condition   a rule for all emergency calls takes those that a condition names
//	warning  no-effect            an empty text, or a floor of quality, that looks as if it did something
//	warning  unreached-limit      a limit that others keep calls from, or that is of no call
//	warning  no-margin            a margin leaves every target of a tier out, by the decks
//	warning  test-of-nothing      a test expects a rule that is not enabled, or what the set doesn't have
//	warning  emergency-refused    emergency calls reach no rule
//	warning  emergency-rewritten  a destination could change the digits of an emergency number
//	info     tiny-share           a target gets less than one call in a thousand
//	info     catch-all            a rule takes every call that no other takes
//	info     no-catch-all         calls that no rule matches are refused
//	info     no-emergency         no rule is for emergency calls
//	info     unnamed-limit        a tenant's or a trunk's limit, and nothing else in the set names it
//	info     tenant-number        a tenant's number within another's, or to which no rule takes calls
//	info     bounded              a part of the set was too large to be looked through
package lint
