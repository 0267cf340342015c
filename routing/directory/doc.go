// Package directory keeps users and tenants in memory, as calls ask for them: a million
// users, found by their numbers without a lock, a wait or an allocation.
//
//	Source ── Run: changes behind the last one ──▶ Directory ── Find, DID, Defaults ──▶ calls
//
// Run loads everything at its start and follows what changes then. Until it has loaded,
// and while the source is away, calls are decided by what is known: nobody waits for it.
// [Directory.State] says how much that is and how old.
package directory
