// Package lifecycle ends recordings and what they leave behind: the legs on the disks of
// telephone servers, once their recording is safe, and recordings themselves, whole or in
// part, when they are to be gone.
//
// # Legs
//
//	Sweep: recordings that are done for Keep, by the database's clock
//	  │     the files of their legs are those that were recorded (SHA-256), and as old
//	  ▼
//	a job of [KindDeleteLegs] in the ledger: which files, of which size, time and hash
//	  │
//	  ▼     still done, still kept for Keep, not held, no leg that another job waits for?
//	the recording's objects are read back: size and SHA-256
//	  │
//	  ▼     asked once more
//	each file is removed that is still the one in the job ─▶ the job is done, audited
//
// The ledger's job is the decision: a process that is killed after it leaves the job to be
// run again, by itself or another that has the legs, and a file that is gone already is
// gone. Nothing is removed before the recording's job is done, which is when its URL is
// committed.
//
// Legs are kept whose recording isn't complete: more may come of them. So are those of
// recordings that were adopted, which are their own only leg.
//
// # Recordings
//
//	a job of retention.KindErase ─▶ not running, not held? ─▶ all that there is is listed:
//	  │   objects, older versions, copies in the backup bucket, what was made of it, legs
//	  ▼
//	one transaction: its URL is gone, and the list is kept ─▶ the deletion has begun
//	  │
//	  ▼   not held? before each part
//	the objects are deleted, version by version, until the buckets list none ─▶ the legs
//	  │
//	  ▼
//	one transaction: done, an audit line and an event that say what was where
//
// A job of retention.KindRedact does the same with what a recording was before: first it
// makes the recording again without the ranges that are redacted, and the transaction puts
// that in its place. See stored.Redactor for what it is made of. The rule that a shorter
// recording never takes a longer one's place isn't for redactions.
//
// Each step may be repeated: an attempt that was killed is repeated to its end. Nothing is
// deleted before the transaction, so that one that never gets so far has changed nothing,
// and what a redaction has made until then is met by the next attempt.
//
// A hold that is placed when a deletion has begun stops it at its next part. A bucket that
// refuses, for a lock of its own, has the job wait, and the job's error says until when.
package lifecycle
