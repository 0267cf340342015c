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
// on the wall and last as long as they last: a start that is skipped is later by
// what was skipped, of one that is repeated the first counts (RFC 5545 section
// 3.3.5). They are worked out when the set is compiled, to the end of 2099, and
// closed after. FREQ is DAILY or longer, and the time of day is the start's.
//
// A condition that is written asks for something: an empty list is a fault, not
// everything. So is a written 0 where leaving it out means another value, as of
// weights and limits.
//
// An expr is a condition in the language of github.com/expr-lang/expr over the
// call's own fields: tenant, call_id, from, to, type, direction, priority,
// emergency, trunk, metadata and capabilities. It has no loops, no clock and no
// I/O, at most 1024 bytes and 100 nodes, and the functions len, lower, upper and
// trim. The patterns of matches look through one text and have at most 1000
// characters and operators, each counted as often as it may be repeated. An expr
// that fails for a call, by a division by zero say, makes its rule lose; the
// explanation says so and [Router.ExprErrors] counts it. It is the only
// condition that takes memory, and costs some 300 ns where others cost ten.
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
// else of the set, else [calls.Cause.Retryable].
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
//
// # What it costs
//
// A decision searches an ordered list of the prefixes as a static B-tree and
// allocates nothing; how many tenants and callers rules are for makes no
// difference, since callees with many find those of the call by hash. See
// benchmarks/routing.
package routing
