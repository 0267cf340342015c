// Package userhttp serves users and tenants over HTTP, as JSON.
//
//	GET /v1/users                  a page of the tenant's users, or the one with ?number=
//	POST /v1/users                 users in lines of JSON, each stored as it is there
//	GET, PUT, PATCH, DELETE /v1/users/{id}
//	GET /v1/users/{id}/versions    what it was, who changed it, and when
//	GET /v1/tenants                the tenant, or all
//	GET, PUT, PATCH, DELETE /v1/tenants/{id}
//	GET /v1/tenants/{id}/versions
//
// Every document has an ETag, which is its version. A change names in If-Match which
// version it is of: 428 without it, 412 if another is there. A PUT without one makes
// what isn't there yet. PATCH is a merge patch (RFC 7396). Numbers may be given as
// people write them and are kept in E.164.
//
// Everything is within the principal's own tenant. With the scope tenants:every beside
// the others, users are another tenant's by ?tenant=, and tenants are all.
//
// The handler owns no listener and no authentication: it reads the request's
// [callmodel.Principal]. openapi.yaml is its contract.
package userhttp
