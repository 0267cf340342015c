// Package reconcile measures the comparison of ledger and bucket, switchtape verify, over
// millions of objects: how long it takes, and what memory and disk.
//
//	RECONCILE_OBJECTS=10000000 go test -run xxx -bench Vast -benchtime 1x -timeout 1h ./benchmarks/reconcile
//	RECONCILE_JOBS=100000 go test -run xxx -bench Ledger -benchtime 1x -timeout 1h ./benchmarks/reconcile
package reconcile
