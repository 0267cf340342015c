// Package journal keeps entries on a local disk until they are done: what was
// promised and is not stored yet survives the death of its process.
//
//	Append ─▶ write(2) ─▶ the caller answers
//	             └▶ Run: fsync, for all entries of some milliseconds at once
//	Done ───▶ noted; a segment whose entries are all done is removed
//	Pending ▶ what is not done, after a start: each entry as it was appended
//
// An entry that Append has taken survives kill -9 at once, and the death of the
// machine after Options.SyncEvery and one fsync. Every record has a checksum: a
// torn one at the end of a file, or a damaged one within it, costs only itself.
//
// Done is noted in the journal too, but isn't waited for: after a crash an entry
// may come again that was done already. Whoever stores entries must know each by
// an id of its own.
//
// A full or failing disk is an error of Append, which leaves nothing behind. The
// next Append tries again, in another file if it must.
package journal
