// Package crashtest kills whole services of calls and recordings under load, and holds that
// nothing was lost, nothing is there twice, and nothing is left lying about.
//
//	callers ─▶ 2 APIs ─┐                 ┌─▶ PostgreSQL ═▶ synchronous standby
//	messages ─▶ NATS ──┼─▶ lines ────────┼─▶ bucket, and another region's: its backup
//	       3 workers ──┘   (toxiproxy)   └─▶ NATS: events
//
// All are real: processes of our own programs that are started again when they end, servers
// of PostgreSQL and of S3 (versitygw), a NATS server, and legs in a directory. By the seed,
// while calls end, processes are killed with -9, or stand still for longer than a lease;
// their clocks are set forward and back; lines are cut, slow, or silent; servers answer 503
// with Retry-After; the disk on which recordings wait is full; NATS is restarted and
// messages are delivered again; the database is restarted, in good order and not, and its
// standby takes over. Some legs are missing, empty, no audio, FIFOs or directories.
//
// When the faults are over and the backlog is done, two days pass by the programs' clocks
// (see clock), so that whatever is swept by its age is swept. Then
//
//   - every call and every message has one job, which is completed, completed_degraded,
//     absent or quarantined, as its legs allow: none whose legs are good was set aside;
//   - every object has the hash that its job says, and so the bytes that another recording
//     of the same legs has;
//   - every call has one URL and one event, whatever was delivered twice;
//   - there is no other object but earlier versions of recordings whose leg came late, no
//     temporary file, no upload that has begun and not ended,
//     and nothing in the backup;
//   - a leg is gone only if its recording was done, read back, and an hour old by the
//     database's clock;
//   - switchtape verify, with hashes, finds nothing, and no message is a dead letter;
//   - no program has ended by itself but for want of its database, as it started.
//
// The seed gives the jobs, and the faults and their order; what they meet, chance does.
//
//	SWITCHTAPE_CRASH=2m SWITCHTAPE_CRASH_SEED=7 go test -v -run '^TestCrash$' ./cmd/internal/crashtest
//
// or .ci/crash-test 2m 7. SWITCHTAPE_CRASH_KILLS and SWITCHTAPE_CRASH_JOBS say how many
// there are at least; by themselves they are those of 300 kills and 5,000 jobs in ten minutes.
package crashtest
