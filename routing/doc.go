// Package routing decides where a call goes: rules in, decisions out.
//
//	YAML or JSON ── Parse ──▶ RuleSet ── Compile ──▶ Router ── Route ───▶ Decision
//	                (all faults at once,             (immutable,└ Explain ▶ why
//	                 each with its line)              lock-free)
//
// A [Router] is pure: it holds its rules in memory and reads no clock, no network
// and no database. Any number of goroutines may use it. Rules change by compiling a
// new Router and putting it into a [Table].
//
// [CompileText] does both rule by rule, for sets of a million rules, and
// [CompileBinary] does it with what [CompileAndPack] kept of a set: see [Packed].
//
// The router stands on rooms that know nothing of it:
//
//	Parse   ── internal/rulefile    YAML or JSON to structs, with the line of every fault
//	Compile ── internal/prefix      the index: the longest prefix of a number
//	        ── calendar             times of the week, dates and recurrences in a time zone
//	        ── internal/predicate   the conditions of match.expr
//
// In this package, ruleset.go, match.go, tier.go, destination.go and rates.go say
// what a file may say. compile*.go, index.go and groups.go make a Router of it.
// route.go and conditions.go find the rule that wins, and choose.go orders its
// destinations; explain.go, losses.go and verdict.go put both into words.
//
// # How a set is written
//
// As one document in YAML or JSON, or in lines of JSON, which programs write easily and
// of which lists are long: the set without its rules on the first line, and each rule
// behind it.
//
//	{"destinations": {"london": {"uri": "sip:london.example.com"}}, "lists": {"vip": ["+4420*"]}}
//	{"id": "london", "match": {"to": {"list": "vip"}}, "route": {"to": "london"}}
//	{"id": "rest", "default": true, "route": {"to": "london"}}
//
// # What a rule asks
//
// Every condition that a rule's match gives must hold. A list holds if any of its
// values does. A list of one may be written as the value.
//
//	lists:                                   # number lists, for to.list and from.list
//	  vip: ["+12125550100", "611", "+4930*"] # numbers, and prefixes with a star
//	calendars:                               # times, for when: {calendar: office}
//	  office: {timezone: Europe/Berlin, weekly: ["mon-fri 08:00-18:00"], except: ["2026-12-24"]}
//	rules:
//	  - id: everything
//	    match:
//	      to:                                # any of these; or default: true beside match
//	        prefix: ["+1212", "611", "*21"] # a code may begin with a star or a hash
//	        exact: ["+12125550100"]
//	        list: [vip]
//	        service: [emergency]             # every emergency call, whatever its number
//	      from: {prefix: "+49", exact: "110", list: vip}  # or from: anonymous
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
//	      user:                              # the user that calls; see package users
//	        exists: true                     # false: nobody who is known
//	        id: [ann, bob]
//	        region: [DE, AT]
//	        recording: [always, never, on_demand]
//	        consent: [given, refused]
//	        dnd: false                       # do not disturb
//	        barred: true                     # it may not call this number
//	        barring: [premium, international] # it bars calls of one of these classes
//	        forwarding: [always, busy, no_answer, unreachable]
//	        metadata: {plan: [gold]}
//	      callee: {dnd: true}                # the user that is called; the same but for barred
//	      not: {tenant: [trial], from: {list: vip}, trunk: [b]}  # none of these; and to, type, direction, metadata, when
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
// Package calendar says how times behave when the clocks change. Recurrences are
// expanded when the set is compiled, to the end of 2099, and are closed after that.
// FREQ is DAILY or longer; the time of day is that of start.
//
// A written condition must ask for something: an empty list is a fault and doesn't
// mean everything. A written 0 is a fault, too, where leaving the field out means
// another value, as for weights and limits.
//
// An expr is a condition in the language of github.com/expr-lang/expr over the
// call's own fields: tenant, call_id, from ("" for a caller without a number that
// could be read), to, to_post_dial, to_params, type, direction, priority, emergency,
// trunk, metadata and capabilities; and of user and callee exists, id, region,
// recording, consent, dnd, barred, barring, forwarding and metadata, which are empty of
// nobody. It has no loops, no clock and no
// I/O, at most 1024 bytes and 100 nodes, and the functions len, lower, upper and
// trim. The patterns of matches look through one text and have at most 1000
// characters and operators, each counted as often as it may be repeated. If an expr
// fails for a call, by a division by zero for example, its rule loses; the
// explanation says so and [Router.ExprErrors] counts it. An expr is the only
// condition that allocates, and takes some 300 ns where others take ten.
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
// A whole number is longer than the same digits as a prefix. The entries of a list
// rank as if the rule had them itself. The service class of emergency calls is
// longer than any number: no other rule takes an emergency call away by its prefix.
//
// Two rules that are equal on all three and can match the same call are an error of
// the set. Types, directions, call priorities, tenants, callers, trunks, metadata,
// validity and weekly times can show that no call matches both; if they don't, the
// rules tie. A rule without a callee condition takes every callee and must say
// default: true; it ranks as a prefix of length 0.
//
// # Where the call goes
//
// A rule routes to tiers of destinations. All destinations of a tier are tried
// before those of the next. A tier is a list of targets, or a mapping that says how
// they are ordered:
//
//	route:
//	  - [{to: east, weight: 3}, {to: west}]               # by weight
//	  - {order: cost, assume_seconds: 60, require_rate: true, targets: [{to: a}, {to: b}]}
//	  - {order: cost, min_quality: 8, margin: {rates: retail, percent: 10}, targets: [{to: a}, {to: b}]}
//	  - {order: quality, explore_percent: 5, targets: [{to: c}, {to: d, weight: 2}]}
//	  - {order: priority, targets: [{to: e}, {to: f}]}    # as listed
//
// By weight, the order is drawn by weighted rendezvous hashing over the call's id.
// The same call always gets the same order. Over many calls, each destination comes
// first in proportion to its weight, and taking one away moves only its own calls.
// By cost, the cheapest comes first for a call of assume_seconds, computed exactly;
// ties stay as listed, and targets without a rate come last, or are left out with
// require_rate. Those below min_quality come behind the others that have a rate. A margin
// leaves out, in any order, what costs more than the price in the deck retail less ten
// percent of it; without a price no target is left. By quality, the best comes first by what package trunk has seen,
// and equals are drawn by weight.
//
// # How many calls
//
//	limits:                                  # of a tenant's calls, and of those that come in by a trunk
//	  tenants: {acme: {concurrent: 60, cps: 5}, "*": {concurrent: 10}}  # the star: each of all others
//	  trunks: {carrier-a: {concurrent: 240, cps: 20}}
//	rules:
//	  - {id: abroad, match: {to: {prefix: "+"}}, limits: {concurrent: 20}, route: [[{to: a}]]}
//
// A call for which its tenant, its inbound trunk or its rule has no room is refused, and no
// other rule is asked. Emergency calls are counted and never refused. Destinations have
// limits of their own. Package trunk counts; a Router knows the limits ([Router.Limits])
// and enforces none.
//
// # Whose numbers
//
//	tenant_numbers: {acme: ["+4930123*", "+498999990"], globex: ["+4930124*"]}
//
// In the set of the platform's own tenant this says whose a call is that comes in to a
// number at the platform's edge: the longest entry holds, and users' DIDs go before it.
//
// # Rules that refuse, and rules that rest
//
//	rules:
//	  - id: no-premium
//	    description: Barred by the works council, 2026-03
//	    match: {to: {prefix: "+4990"}, tenant: acme}
//	    reject: {sip: 403, q850: 21, text: "barred"}  # instead of a route
//	  - {id: new-carrier, enabled: false, match: {to: {prefix: "+49"}}, priority: 1, route: {to: a}}
//
// A rule with reject ends its calls with that cause: Route returns a [RejectError], and the
// decision has the rule and the cause. A list of callers or callees makes it a blacklist.
// It never takes an emergency call, nor one to a number that is dialled for help
// everywhere. A rule that is not enabled is checked, and takes no calls.
//
// # What destinations get
//
//	destinations:
//	  a:
//	    uri: "sip:a.example.com"
//	    strip: 2                 # digits of the callee's number, less its plus
//	    # or    strip_plus: true   the plus alone: 4930… instead of +4930…
//	    prepend: "00"            # or replace: "+4930100" for the whole number
//	    emergency: true          # emergency numbers are rewritten, too; else they are sent as dialled
//	    caller: {policy: pass, strip: 2, prepend: "0"}
//	    # or    {policy: withhold}, or {policy: replace, replace: ["+4930100", "+4930101"]}
//	    rates: carrier-a         # a deck below
//	    origin_rates: {"+49": carrier-a-home, anonymous: carrier-a-hidden}  # for calls of these callers
//	    limits: {concurrent: 120, cps: 10}
//	    description: Contract 4711
//	    attributes: {socket: "udp:192.0.2.1:5060"}   # for who sets the call up,
//	    headers: {X-Carrier-Account: "4711"}         # in the decision as they are
//	currency: EUR
//	rates:
//	  carrier-a:
//	    - {prefix: "+49", per_minute: 0.0123, connect: 0.01, first_seconds: 60, next_seconds: 1}
//	    - {prefix: "+49", per_minute: 0.0119, from: 2026-07-01T00:00:00Z}
//
// The decision gives each destination its number, the caller to present, and the
// expected cost with the prefix of the rate. [NewRateTable] says which of several
// rates holds.
//
// # When a destination fails
//
// The decision carries the policy by which the call goes on: that of the rule, else
// that of the set, else [calls.Cause.Retryable] decides. Files and JSON give spans of
// time in whole seconds; in Go they are of type time.Duration.
//
//	failover: {retry: ["sip:486", "q850:34"], final: ["sip:5xx"], max_attempts: 3, total_seconds: 60, attempt_seconds: 20}
//
// # What the moment decides
//
// [Router.RouteLive] leaves out full destinations, and those that are down unless
// nothing else is left. A [Live], such as a trunk.Group, knows their state; the
// decision says which were left out and why. A [Decider] is another service that
// decides in the place of the rules; package callservice asks it first.
//
// Digits to send after the answer, and parameters of a tel URI, are no part of a
// number. No destination's number has them; the decision has both beside it, and an
// expr may ask for them: to_params contains ";rn=+1202".
//
// Every call must have its time, At: without one, Route returns [ErrNoTime].
//
// # Emergency calls
//
// Limits, health, missing rates, margins and withheld callers don't hold an emergency call
// up, and no Decider is asked about it. Its number is sent as it was dialled,
// whatever a destination strips, prepends or sends in its place, unless that
// destination says emergency: true. Callers are rewritten as for all calls.
//
// [Router.RouteEmergency] is for services that have emergency destinations of their
// own: only rules that are for emergency calls take a call away from those. Such a
// rule asks for the service class emergency, for the type emergency and no other, or
// for the very number, like 112. A default rule and one for a shorter prefix are not.
// A call of the type emergency to a full number, like "+4930110", goes where its
// number leads: there any rule may take it.
//
// An emergency call without At is routed all
// the same: rules with when, valid_from or valid_until don't match it, and rates
// give it no costs, since nobody knows whether they hold. A rule for emergency calls
// should therefore have no times, or stand beside one that has none.
//
// A rule that asks for a user, by a condition or in an expr, takes no emergency call:
// what users prefer, bar or divert doesn't touch those.
//
// # Tests of a set
//
//	tests:
//	  - name: office hours
//	    at: "2026-03-02T10:00:00Z"
//	    call: {tenant: acme, from: "+4930123456", to: "+4990012345"}  # as calls are routed; voice unless it says more
//	    expect: {rule: no-premium, reject: {sip: 403}}
//	  - {name: abroad, at: "2026-03-02T10:00:00Z", call: {to: "+12125550100"}, expect: {first: a, number: "00112125550100"}}
//
// A test expects a rule, destinations, the first of them, the number that this is given,
// reject, or no_route: true. [Router.RunTests] runs them: `rules check` does, and a service
// before it puts a version in service. A set whose tests fail compiles, so that one that is
// in service isn't stopped by them.
//
// # What it costs
//
// A decision searches the ordered list of prefixes as a static B-tree and allocates
// nothing. The number of tenants and callers makes no difference: where a callee has
// many rules, a hash table leads to those of the call. See benchmarks/routing.
package routing
