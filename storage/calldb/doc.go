// Package calldb keeps calls, recording jobs, rule sets, the audit log and the
// outbox in SQLite or PostgreSQL. It implements the ports worker.Ledger and
// recordinghttp.Ledger, and the CallStore, RuleSetStore and AuditLog of package
// callservice, userhttp.Store and directory.Source, reporthttp.Store, and those of
// cmd's API keys, with one Go code for both databases.
//
// # Tables
//
//	calls             the call as JSON, with the columns that lists select by
//	  call_events     what moved it, in order; (call, event id) is unique
//	  call_recordings what became of its recordings, with their URLs
//	idempotency_keys  the first answer to each key
//	jobs              the ledger: kind, state, attempts, fencing token, lease, spec, result
//	rule_sets         every version; active_rule_sets: one for each tenant
//	  rule_set_parts  the text of a large one, compressed
//	directory         users and tenants, as JSON, each at its place in the sequence of changes
//	  directory_versions  what they were
//	  user_numbers    whose a number is
//	api_keys          hashed, each at its place in the sequence of changes
//	call_hours, recording_hours  sums for the reports; uncounted_calls: those that wait for it
//	defect_hours      recordings of calls by their defects, telephone server and its software
//	promise_hours     sums of what became of calls that were to be recorded; promises: those not known yet
//	audit, outbox     lines that are only ever added; audit_seals: what the lines were
//
// # Data flow
//
//	CreateCall ──▶ idempotency_keys, calls, audit
//	AppendEvent ─▶ calls, call_events, audit ── "ended" ──▶ jobs, audit
//	Claim ───────▶ jobs: token + 1, lease until now + ttl; whose turn it is: turns.go
//	Complete ────▶ jobs: done ─▶ call_recordings ─▶ outbox, audit
//	Publish ─────▶ jobs: queued, with its result ─▶ call_recordings ─▶ outbox, audit
//	Fail, expiry ▶ jobs: queued again, or quarantined ─▶ call_recordings ─▶ outbox, audit
//	CountReports ▶ uncounted_calls, calls ─▶ call_hours; call_recordings ─▶ recording_hours;
//	               calls ─▶ promises ─▶ jobs, call_recordings ─▶ promise_hours, defect_hours
//	SealAudit ───▶ audit ─▶ audit_seals
//	Forget ──────▶ what is old: calls with what is theirs, and jobs; or idempotency_keys; or outbox
//
// Each line is one transaction. The row is the commit point: a process that
// dies before the commit has changed nothing, and one that dies after it finds
// its work done. A job that is quarantined after it published a recording adds
// to the audit log alone: the recording on the call stays. Jobs of other kinds
// leave there what their outcome says, and nothing if it says nothing.
//
// # Rules
//
// All times come from the database's clock (microseconds since 1970 UTC in
// integers), except those that callers pass, so a machine with a wrong clock
// can neither steal a lease nor keep one. On SQLite the database's clock is
// its machine's.
//
// A program runs on the schema of the release before its own, and on every newer
// one that admits it: see CheckSchema.
//
// A job id is the row's number and a random part: ids sort in the order of
// creation, and knowing one does not tell the next.
//
// Ids of audit lines and outbox events are given out in transactions, and may
// be committed in another order. Readers wait for the open ones for a moment,
// so who reads on behind the last id misses nothing. Hence the rule for
// writers: lock rows first, add lines last.
//
// SQLite has one writer. Transactions that wait for it share one commit, each
// in a savepoint of its own; PostgreSQL groups commits by itself. Neither
// needs a goroutine: Open starts none.
package calldb
