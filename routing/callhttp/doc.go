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
//	GET  /v1/rules                      the versions
//	POST /v1/rules/{hash}/activate      go back, or forward, to a version
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
