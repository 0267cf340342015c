// Package callmodel is what the vocabularies of a voice platform share: ids,
// errors with codes, amounts of money, the principal of a request, the audit
// log's lines, and JSON that is read strictly and says durations in the unit of
// their name. The vocabularies are packages of their own:
//
//	calls     calls, their events and states, routing decisions, causes
//	record    what recording to make, and what came of it
//	ledger    jobs: their states, leases and fates
//	users     users and tenants: their numbers and preferences, and versions of them
//	keys      API keys: what they grant, how long they work
//	seals     what makes the audit log's lines hold together
//	reports   sums over calls and recordings, hour by hour
//	retention legal holds, whose rule ends a recording's time, what is left of it
//	rulesets  versions of a tenant's rules, and which are in service
//	e164      the syntax of numbers, the world's emergency numbers
//	problem   errors and principals of HTTP handlers
//
// All of them but e164/normalize and the handler reports/reporthttp import only the
// standard library and do no I/O, so every other package may import them.
package callmodel
