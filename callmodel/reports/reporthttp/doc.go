// Package reporthttp serves reports as JSON and CSV: what became of calls and of their
// recordings. It is an http.Handler to be mounted beside others; the host puts a
// callmodel.Principal into the request's context. The contract is [OpenAPI].
package reporthttp
