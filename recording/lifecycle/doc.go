// Package lifecycle ends what recordings leave behind: the legs on the disks of telephone
// servers, once their recording is safe.
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
package lifecycle
