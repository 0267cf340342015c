// Package analysis holds the benchmarks of recording/analysis. x-realtime is
// how many seconds of the call are done in a second; cpu-s/h is the processor
// time, user and system, for an hour of it.
//
//	go test -bench Analysis -run '^$' -count 5 ./benchmarks/analysis
package analysis
