// Package callhttp is the call handling service as an http.Handler that any
// server can mount.
//
//	POST /v1/calls                      a call initiation: normalise, route, store
//	GET  /v1/calls                      a tenant's calls, newest first
//	GET  /v1/calls/{id}                 one call, with its recordings' URLs
//	POST /v1/calls/{id}/events          ringing, answered, failed, ended
//	GET  /v1/calls/{id}/events
//	GET  /v1/calls/{id}/explanation     why it was routed as it was
//	GET  /v1/route                      decide and explain, store nothing
//	PUT  /v1/rules                      check, store and activate a rule set
//	GET  /v1/rules                      the versions, and which are in service
//	GET  /v1/rules/history              which version was active when, and who saw to it
//	POST /v1/rules/rollback             go back to the version before
//	POST /v1/rules/{hash}/activate      go to a version
//	POST /v1/rules/{hash}/canary        try it on a share of the calls: {"percent": 5}
//	POST /v1/rules/{hash}/promote       make the canary the active version
//	POST /v1/rules/{hash}/abort         end the canary
//	GET  /v1/rules/{hash}               a version: ?format=json, yaml, or csv in a ZIP archive
//	POST /v1/rules/import               tables of other systems as a rule set, and what can't be said
//	POST /v1/rules/check                what is wrong with a rule set, and what its author can't have meant
//	POST /v1/rules/diff                 which of some calls two sets route differently
//	POST /v1/rules/simulate             some calls through a set, against its destinations' limits
//	GET  /v1/audit                      who did what
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within
// its tenant. Another tenant's call looks like none. Errors are
// application/problem+json with every fault at once.
//
// A call with an Idempotency-Key gets the same bytes again for the same body,
// also when it was rejected, from every process on the same database.
//
// # Who decides
//
// With Options.Decider, another service is asked first, and the rules when it
// has no answer; the decision's source and fallback say so. Either way the
// limits of the rule set's destinations hold: a place is reserved with the
// decision, held with the stored call, moved by its events and given back at
// its end. A call for which every destination is full is answered with 503 and
// no_capacity, and is not stored, so that its Idempotency-Key may be used again.
//
// Limits and health are this process's own. With several processes set
// Options.Trunks.Share to their number. Events may be told to any of them: one
// that hears nothing of a call looks it up in the store after half a minute.
//
// # Versions of the rules
//
// A version's name is the hash of its content. One is active, and beside it one
// may be the canary, which decides a share of the calls, by 0.01 %: always the
// same calls, by their id, and more of them when the share grows. The decision
// names the version and says whether it was the canary; an explanation is by the
// version that decided. Emergency calls go by the active version always, and so
// do calls without an id in GET /v1/route.
//
//	curl -X PUT  $API/v1/rules --data-binary @rules.yaml     # checked, stored, active
//	curl -X POST $API/v1/rules/$HASH/canary -d '{"percent": 0.5}'
//	curl -X POST $API/v1/rules/$HASH/canary -d '{"percent": 20}'
//	curl -X POST $API/v1/rules/$HASH/promote                 # or abort
//	curl -X POST $API/v1/rules/rollback -H "If-Match: \"$HASH\""
//
// Every change answers with what is in service then, and with the active
// version as ETag. With If-Match it is made only if that version is still
// active; else the answer is 409, so that nobody undoes another's change unseen.
// A change that is made already changes nothing and succeeds: with If-Match
// every one of them may be sent again after a lost answer. A rollback without
// one may not: each goes further back. Rollbacks are not gone back to. Activating
// another version and rolling back end a canary.
//
// A version that doesn't parse, or doesn't compile, is never put in service: the
// one that is there stays. A reload is one pointer: no call waits for it, and each
// is decided by one version as a whole.
//
// Options.Snapshot keeps what is in service in a directory. With
// [Handler.LoadSnapshot] a service routes by it at once when its database is not
// to be had; Run takes up what the database has as soon as it answers. Calls that
// are not emergencies are still stored before they are answered, so they get 503
// until then; GET /v1/route answers.
//
// # The emergency lane
//
// A call to an emergency number, or of the type "emergency", is recognised
// before anything can refuse it, even in a body that is broken elsewhere. It
// takes no place in the normal lane's bounded queue. What is wrong in it is left
// out. It goes to the configured destinations when no rule takes it, and is
// answered whether or not it could be stored:
//
//	body ─▶ emergency? ─ yes ─▶ route in memory ─▶ store, 50 ms ─▶ 201
//	              │                                    └ too late ─▶ Run stores it
//	              └ no ─▶ lane ─▶ key ─▶ check ─▶ route ─▶ store ─▶ 201 or 404
//
// It has no regard for an Idempotency-Key: to look one up is to wait for the
// database. An id of the caller's own that is taken is replaced; the answer
// says by which.
package callhttp
