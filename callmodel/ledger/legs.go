package ledger

import "time"

// LegsDue asks for recordings that are done, and whose legs nobody has deleted yet.
type LegsDue struct {
	Queues []string // of their jobs; empty: any
	// By is the kind of the jobs that delete legs: there is one of a recording's own key
	// where they are being deleted, or were.
	By string
	// Keep is how long ago, by the database's clock, the recordings were done at least.
	Keep time.Duration
	// After is the place of the page before; 0: the beginning.
	After int64
}

// LegsFound is a page of what [LegsDue] asks for, in the order in which the jobs were
// enqueued. It may be empty, and there may be more.
type LegsFound struct {
	Jobs []Job
	Next int64 // the After of the next page
	// Open says that there are others here whose time hasn't come: they wait, run, or were
	// done too late.
	Open bool
	// End says that there can't be any behind.
	End bool
}
