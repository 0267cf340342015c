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
//	GET  /v1/audit                      who did what
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within
// its tenant. Errors are application/problem+json with every fault at once.
//
// # The emergency lane
//
// A call to an emergency number is recognised before anything can refuse it.
// It takes no place in the normal lane's bounded queue, is not validated beyond
// its number, goes to the configured destinations when no rule takes it, and is
// answered whether or not it could be stored: what could not be is kept and
// stored later by [Handler.Run].
package callhttp
