// Package reports is the vocabulary of reports: what became of calls and of their
// recordings, hour by hour, as sums by trunk, destination, cause and the like.
//
// A call is in them once it has ended, failed or was rejected, in the hour in which it
// was made; a recording as it is now, in the hour in which its version was finished.
// Both are counted some seconds afterwards, each once: a report says how many are known
// to wait for that.
//
// The promise is about each call that is to be recorded, from its end on: see [PromiseOf]
// and [Promise].
package reports
