// Package ledger measures the job ledger: jobs from claim to completion, with
// a processor that does nothing, and calls from creation to hang-up.
//
//	go test -bench . -benchtime 20000x ./benchmarks/ledger
//
// SQLite runs with synchronous=FULL and PostgreSQL with fsync, as in service.
package ledger
