// Package dialimport turns the routing tables of other systems into rule sets:
// OpenSIPS' and Kamailio's drouting and dispatcher, Kamailio's lcr, FreeSWITCH's
// mod_lcr, and rate decks in CSV. It also writes a rule set as CSV, and reads that back.
//
//	SQL dumps, CSV ── Import ──▶ RuleSet, which compiles
//	                     └─────▶ Report: every row that did not come over as it was
//	RuleSet ── Export ──▶ CSV, YAML or JSON, and a Report of what they can't hold
//
// # What is promised
//
// Nothing is dropped in silence. A row that a rule set can't express is skipped, and
// one that it can nearly express is approximated. The report lists both with file,
// line, id and reason. Apart from those, the rule set decides as the source did. What
// would make a price another fails the import, until [Options.Accept] names it. An
// option that the format has no use for is an error.
//
// # drouting
//
// The tables dr_rules, dr_gateways, dr_carriers (dr_gw_lists) and dr_groups,
// of OpenSIPS 1.x to 3.x and of Kamailio. Both pick the rule of the longest
// prefix, then of the highest priority, then the first by ruleid; rules that
// are level here are given priorities that say so. Groups become tenants
// ([Options.Groups]), lists of callers (dr_groups), or a condition on the call's
// metadata: dr_group.
//
// # lcr
//
// The tables lcr_rule, lcr_rule_target and lcr_gw. A call takes the gateways of
// every rule that matches, those of longer prefixes first, so every rule here
// has the tiers of the shorter prefixes behind its own. Kamailio draws by
// weight times a random number, which prefers large weights: with weights of 1
// and 2 the first is tried first by a quarter of the calls. The weights here
// are chosen so that the same shares come first. Which gateway comes second is off by
// some points then; the report says by how many.
//
// # dispatcher, and mod_lcr of FreeSWITCH
//
// The table dispatcher of both systems, and Kamailio's file dispatcher.list: a set
// becomes a rule for every callee, for the tenant of [Options.Groups] or the calls whose
// metadata ds_set names it. The algorithm is the script's, and so an option.
//
// The tables lcr, carriers and carrier_gateway: a call takes the carriers of the longest
// digits, the cheapest first, and then those of shorter ones. Gateways that are in
// FreeSWITCH's own configuration need their URIs, [Options.Destinations].
//
// # Rate decks
//
// Any CSV whose header can be recognised or is mapped by [Options.Columns]. The
// rows of a deck are the rule set's rates; destinations that are given with
// [Options.Destinations] are routed to by cost. Codes in a column of North American
// area codes and exchanges, NPANXX, are of +1; [Options.Country] says it of others.
// Patterns of first digits, "^93.*", are prefixes.
package dialimport
