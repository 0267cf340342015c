// Package calls measures lists of and searches among many calls of one tenant, and
// what it costs to store them so that they are found.
//
//	go test -run xxx -bench . -benchtime 20x ./benchmarks/calls
//
// CALLS says how many there are, a million by default. They take some minutes to make.
package calls
