// Package webhookhttp serves a tenant's webhooks over HTTP.
//
//	                                                            needs the scope
//	GET    /v1/webhooks                  the tenant's, by id     webhooks:read
//	POST   /v1/webhooks                  make one, show its secret  webhooks:write
//	GET    /v1/webhooks/{id}             one, and how it does    webhooks:read
//	PUT    /v1/webhooks/{id}             change it               webhooks:write
//	DELETE /v1/webhooks/{id}             delete it               webhooks:write
//	POST   /v1/webhooks/{id}/rotate      a new secret, shown     webhooks:write
//	GET    /v1/webhooks/{id}/deliveries  what became of each     webhooks:read
//	POST   /v1/webhooks/{id}/replay      deliver some again      webhooks:write
//
// A secret is shown once, when it is made or given. A webhook's version is its ETag; with
// If-Match it is changed only if it still has that version, else the answer is 409.
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within its
// tenant: another tenant's webhook looks like none.
package webhookhttp
