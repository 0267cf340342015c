// Package routing measures the router on rule sets that are built like rate
// decks, beside what people use in its place.
//
//	go test -run '^$' -bench . ./benchmarks/routing
//
// SWITCHTAPE_LONG_BENCH=1 adds the sets of ten million rules. See the README.
package routing
