// Package ledger measures the job ledger: jobs from claim to completion, with
// a processor that does nothing, and calls from creation to hang-up.
//
//	go test -bench . -benchtime 20000x ./benchmarks/ledger
//
// BenchmarkFleet is 300 workers on one PostgreSQL. On two cores for all of it, with
// LEDGER_IDLE=30s: 603 connections, 4.7 % of a core at the database while idle and 60 % at 81
// jobs a second, which begin 43 ms after they were enqueued, 99 % of them within 83 ms.
//
// BenchmarkLedgerWithDone is a ledger in which 300,000 jobs are done.
//
// SQLite runs with synchronous=FULL and PostgreSQL with fsync, as in service.
package ledger
