// Package reconcile compares what should be of recordings with what there is: calls that
// should be recorded, the ledger's jobs, the entries of calls with their URLs, the outbox,
// the objects in the bucket with all their versions, and the legs on disk.
//
//	calls ────────────────▶ those without a job
//	jobs, by age ─┬───────▶ those whose entry or event isn't there, or that wait too long
//	              ├─ keys of their objects ─▶ sorted runs ─┐
//	              │              bucket, by key ───────────┴▶ merged: missing, unknown, other bytes
//	              └─ their legs ────────────▶ sorted runs ─┐
//	                             directory, by path ───────┴▶ merged: unclaimed, gone
//
// A ledger isn't ordered by the keys of objects, so these are sorted first, in files of a
// directory, as databases do it: nothing is asked object by object, and the memory that it
// takes doesn't depend on how many there are. While it goes on calls are recorded: what
// looks like a mismatch is looked at again, in the ledger and in the bucket, before it is
// one.
//
// The directory keeps how far it has come, and what was found. A run that was stopped, or
// whose process was killed, is gone on with by the next one.
//
// [Kinds] lists the mismatches with their remedies. A repair never deletes anything, and
// may be repeated.
package reconcile
