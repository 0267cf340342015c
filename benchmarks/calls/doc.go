// Package calls measures lists of and searches among many calls of one tenant, in the store
// and as pages of the console.
//
//	go test -run xxx -bench . -benchtime 20x ./benchmarks/calls
//
// CALLS says how many there are, a million by default. They take some minutes to make.
package calls
