// Package routing decides where a call goes: rules in, decisions out.
//
//	YAML or JSON ── Parse ──▶ RuleSet ── Compile ──▶ Router ── Route ───▶ Decision
//	                (all faults at once,             (immutable,└ Explain ▶ why
//	                 each with its line)              lock-free)
//
// A [Router] is pure: it holds its rules in memory, reads no clock, no network
// and no database, and may be used by any number of goroutines. Rules change by
// compiling a new Router and swapping it in a [Live] or, with a set a tenant, in
// a [Table].
//
// # What a rule asks
//
// Every condition of a rule's match that is given must hold. A list holds if
// any of its values does, and a list of one may be written as the value.
//
//	lists:                                   # number lists, for to.list and from.list
//	  vip: ["+12125550100", "611", "+4930*"] # numbers, and prefixes with a star
//	rules:
//	  - id: everything
//	    match:
//	      to:                                # any of these; or default: true beside match
//	        prefix: ["+1212", "611"]
//	        exact: ["+12125550100"]
//	        list: [vip]
//	        service: [emergency]             # every emergency call, whatever its number
//	      from: {prefix: "+49", exact: "110", list: vip}
//	      tenant: [acme]
//	      type: [voice, video, fax, emergency]
//	      direction: [inbound, outbound, internal]
//	      call_priority: {min: 5, max: 9}
//	      trunk: [carrier-a]                 # the one that the call came in by
//	      metadata: {plan: [gold, platinum]} # each key has one of its values
//	      metadata_present: [site]           # each key is there
//	      metadata_absent: [trial]           # no key is there
//	      capabilities_any: [opus, G722]     # the call offers one of these
//	      capabilities_all: [srtp]           # and all of these
//	      valid_from: "2026-03-01T00:00:00Z" # instants; the end is not included
//	      valid_until: "2027-03-01T00:00:00Z"
//	      when:
//	        timezone: Europe/Berlin          # IANA; the wall clock is this zone's
//	        weekly: ["mon-fri 08:00-18:00", "fri 22:00-02:00"]
//	        rrule:                           # iCalendar, RFC 5545
//	          - {rule: "FREQ=MONTHLY;BYDAY=1SA", start: "2026-01-03 10:00", duration: 4h}
//	        except: ["2026-12-24..2026-12-26", "2026-12-31 12:00-24:00"]  # closed
//	        also: ["2026-12-25 09:00-12:00"]                              # open all the same
//	      expr: 'metadata["note"] contains "urgent" and priority >= 5'
//	    route: [[{to: a}]]
//
// Weekly times and dates follow the clock on the wall: an hour that daylight
// saving skips never comes, one that it repeats counts twice. Recurrences start
// on the wall and last as long as they last; they are worked out when the set is
// compiled, to the end of 2099, and closed after. FREQ is DAILY or longer, and
// the time of day is the start's.
//
// An expr is a condition in the language of github.com/expr-lang/expr over the
// call's own fields: tenant, call_id, from, to, type, direction, priority,
// emergency, trunk, metadata and capabilities. It has no loops, no clock and no
// I/O, at most 1024 bytes and 100 nodes, and the functions len, lower, upper and
// trim. One that fails for a call, by a division by zero say, makes its rule
// lose; the explanation says so and [Router.ExprErrors] counts it. It is the
// only condition that takes memory, and costs some 300 ns where others cost ten.
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
// A whole number is longer than the same digits as a prefix, the entries of a
// list rank as if they were written in the rule, and the service class of
// emergency calls is longer than any number: no other rule takes an emergency
// call away from it by its prefix.
//
// Two rules that are level on all three and can match the same call are an
// error of the set, not a matter of luck. Rules are told apart by types,
// directions, call priorities, tenants, callers, trunks, metadata, validity and
// weekly times; where those don't show that two can't meet, they tie. A rule
// without a callee condition catches everything and must say default: true; it
// ranks as a prefix of length 0.
//
// # Where the call goes
//
// A rule routes to tiers of weighted destinations. All destinations of a tier
// are tried before the next tier's. Their order within the tier is drawn by
// weighted rendezvous hashing over the call's id: the same call always gets
// the same order, over many calls each destination comes first in proportion
// to its weight, and taking one away moves only the calls it had.
//
// # What it costs
//
// A decision searches an ordered list of the prefixes as a static B-tree and
// allocates nothing; how many tenants and callers rules are for makes no
// difference, since callees with many find those of the call by hash. See
// benchmarks/routing.
package routing
