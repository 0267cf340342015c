// Package callhttp serves a callservice.Service over HTTP: each endpoint decodes
// a request, calls the service and encodes its answer.
//
//	                                                                     needs the scope
//	POST /v1/calls                      a call initiation: normalise, route, store  calls:write
//	GET  /v1/calls                      a tenant's calls, newest first              calls:read
//	GET  /v1/calls/{id}                 one call, with its recordings' URLs         calls:read
//	POST /v1/calls/{id}/events          ringing, answered, failed, ended            calls:write
//	                                    recording.paused, recording.resumed, held,
//	                                    retrieved, transferred
//	GET  /v1/calls/{id}/events                                                      calls:read
//	GET  /v1/calls/{id}/explanation     why it was routed as it was                 calls:read
//	GET  /v1/route                      decide and explain, store nothing           calls:read
//	PUT  /v1/rules                      check, store and activate a rule set        rules:write
//	GET  /v1/rules                      the versions, and which are in service      rules:read
//	GET  /v1/rules/history              which version was active when, and by whom  rules:read
//	GET  /v1/rules/items/{rule}         one rule of the active version              rules:read
//	PUT  /v1/rules/items/{rule}         add or change one rule, as a new version    rules:write
//	DELETE /v1/rules/items/{rule}       remove one, as a new version                rules:write
//	POST /v1/rules/edits                add, change, remove and move rules at once  rules:write
//	POST /v1/rules/rollback             go back to the version before               rules:write
//	POST /v1/rules/{hash}/activate      go to a version                             rules:write
//	POST /v1/rules/{hash}/canary        try it on some calls: {"percent": 5}        rules:write
//	POST /v1/rules/{hash}/promote       make the canary the active version          rules:write
//	POST /v1/rules/{hash}/abort         end the canary                              rules:write
//	GET  /v1/audit                      who did what                                audit:read
//
// The tools to work on rules (import, export, check, diff, simulate) are package
// rulehttp's: a server that mounts calls alone doesn't link them.
//
//	request ─▶ your authentication ─▶ callhttp ─▶ callservice ─▶ your stores
//	           (a callmodel.Principal             └▶ Run, beside it
//	            in the context)
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within
// its tenant. Another tenant's call looks like none. Errors are
// application/problem+json with every fault at once.
//
// A call with an Idempotency-Key gets the same bytes again for the same body,
// also when it was rejected, from every process on the same database. A call for
// which every destination is full is answered with 503 and no_capacity, and uses
// no key up. An emergency call's key is left out if it can't be honoured.
//
// The list of calls is searched by parameters, of which all have to hold:
//
//	state=answered            routed, ringing, answered, ended, failed, rejected
//	number=(202) 555-0123     either party's, normalised in the region (region=US)
//	direction=inbound         inbound, outbound, internal
//	trunk=t1                  that the call came in by
//	metadata=order=4711       a pair that it has, as in GET /v1/route; more than once for more
//	recording=pending         where one of its recordings stands, see below
//	idempotency_key=K         of the request that made it
//	since=, until=            RFC 3339: made at since or later, and before until
//
// A page is {"calls": […], "next": "…"}, newest first, at most limit (50; up to 500).
// "next" is the cursor of the next page and says alone that there is one: a search for
// what is rare may give short pages, and empty ones, so that none takes long. A cursor is
// a place in time: calls that come or change don't shift it, and it may be given with
// other parameters, to go on from there in another list. What was never a cursor is
// refused.
//
// With Accept: application/x-ndjson or text/csv the answer is every call of the search,
// newest first, in one stream: a call a line, or a record after the names of the columns
// (times in RFC 3339, talk_ms in milliseconds, metadata as key=value, a pair a line). It
// has no limit and is never cut: bound it by since and until. If it can't go on it is
// broken off, which clients see as an error of the transfer.
//
//	curl -H "Accept: text/csv" "$API/v1/calls?since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"
//
// A call shows its recordings from when it ended: "pending" while a job waits or runs,
// then "completed", "degraded", "absent" or "quarantined", as "state", with the "job_id"
// and, once there is audio, the "link" to it. "pending" may have a version already that
// another is to follow. "missing" is a call that was to be recorded, was answered and has
// ended, of which there is neither a recording nor a job, and "none" any other call
// without. A call with several recordings is found by the state of each.
//
// Every change of the rules answers with what is in service then, and with the
// active version as ETag. With If-Match it is made only if that version is still
// active; else the answer is 409.
//
//	curl -X PUT  $API/v1/rules --data-binary @rules.yaml     # checked, stored, active
//	curl -X POST $API/v1/rules/$HASH/canary -d '{"percent": 0.5}'
//	curl -X POST $API/v1/rules/$HASH/canary -d '{"percent": 20}'
//	curl -X POST $API/v1/rules/$HASH/promote                 # or abort
//	curl -X PUT  $API/v1/rules/items/paris --data-binary @paris.yaml -H "If-Match: \"$HASH\""
//	curl -X POST $API/v1/rules/rollback -H "If-Match: \"$HASH\""
//
// The event "ended" names what the call left behind: its "legs", and as "host" the
// telephone server on whose disk they are. The recording is made by a worker that is
// named for the queue of that host; without a host its queue is "default", whose legs
// all its workers must see.
//
//	curl -X POST $API/v1/calls/$ID/events -d '{"id": "9", "type": "ended", "host": "pbx1",
//	    "legs": [{"name": "agent", "segments": [{"uri": "2026/11/agent.wav"}]}]}'
//
// Legs that aren't in the directory of the tenant's, where callservice.Options.LegsBelow
// says that it has one, are refused with 422 and the path of each.
//
// An event is answered with the call as it is then. 202 says that it is accepted
// and stored later, because the database is away or the call itself isn't stored
// yet: it needs no telling again. The body is then the call as it will be, or its
// id alone if only the database knows more.
//
// An emergency call is recognised in a body that is broken elsewhere, before
// anything can refuse it. How it is treated, and what versions and canaries are,
// package callservice says.
package callhttp
