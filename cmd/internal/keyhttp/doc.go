// Package keyhttp serves the API keys of a database over HTTP.
//
//	                                                               needs the scope
//	GET    /v1/keys               the tenant's keys, by id          keys:read
//	POST   /v1/keys               make one; shows its secret        keys:write
//	GET    /v1/keys/{id}          one                               keys:read
//	POST   /v1/keys/{id}/rotate   give it a new secret, and show it keys:write
//	DELETE /v1/keys/{id}          revoke it                         keys:write
//
// A secret is shown once. Who makes or rotates a key must have every scope that the key
// has: nobody gives away more than they may do themselves. A key's version is its ETag;
// with If-Match it is changed only if it still has that version, else the answer is 409.
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within its
// tenant: another tenant's key looks like none.
package keyhttp
