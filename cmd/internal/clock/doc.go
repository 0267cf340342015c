// Package clock is the clock of the programs that telephone servers and clusters run, by
// which files are old, dates of others are held against, and pauses are named in metrics.
// Leases, ends of jobs and whatever else two machines must agree on are the database's.
//
// A build with the tag movedclock has a clock that a test sets forward and back while a
// program runs; no release has that tag.
package clock
