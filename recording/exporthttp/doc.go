// Package exporthttp serves exports of a tenant's data over HTTP: see package dataexport
// for what is in them.
//
//	                                                        needs the scope
//	GET  /v1/exports                     the tenant's, oldest first  exports:read
//	POST /v1/exports                     export something    exports:write
//	GET  /v1/exports/{id}                one, and its files  exports:read
//	GET  /v1/exports/{id}/files/{name}   a file of it        exports:read
//
// An export is a job that a worker does. The scopes are of their own, and no other scope's
// part, since an export has what calls:read, recordings:read, users:read, rules:read and
// audit:read show one by one.
//
// Whoever fetches a file is noted in the audit log, once a file: requests for its ranges
// that follow each other within ten minutes are one. Who can't be noted gets nothing.
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within its
// tenant: another tenant's export looks like none.
package exporthttp
