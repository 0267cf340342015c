// Package users is the vocabulary of the people that a tenant's calls are from and to,
// and of the tenants themselves: their numbers, what they prefer, and how that changes.
//
//	PUT, PATCH, DELETE ──▶ a store: the document, its version, its history, a line of the
//	                       audit log and its place in the sequence of changes, all at once
//	                            │ Changes behind the last that was seen
//	                            ▼
//	                       a directory in memory of what calls ask for: [Facts], [Defaults]
//	                            │ by number
//	                            ▼
//	                       rules' conditions on user and callee, the defaults of new calls
//
// A [User] has numbers of three kinds. Its mobile and its extension are its own within
// its tenant. Its DIDs, the numbers by which strangers reach it, are nobody else's in
// any tenant: they lead from a call that comes in to the tenant that it is for.
//
// Nothing here is asked about an emergency call: whoever bars, diverts or silences calls
// doesn't do so with those.
package users
