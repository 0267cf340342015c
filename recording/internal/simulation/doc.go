// Package simulation runs Switchtape's own code of the ledger, the worker, the bucket, the
// intake, the publisher and the deletion of legs against each other, in virtual time and
// with faults, and holds what comes of it against rules after every step. It has tests
// alone.
//
//	seed ─▶ calls, processes, faults ─▶ scheduler ─▶ one port's call at a time ─▶ rules
//	                                        ▲                  │
//	                                        └─ kill, stop, late effect, clock jump ◀─ seed
//
// What is real: the SQL of storage/calldb on SQLite, the worker with its leases, heartbeats
// and notes of finished recordings, the Processor with small WAV files, storage.Store over
// a bucket that takes uploads in parts, the intake, the publisher, and package lifecycle.
// What is simulated is below their ports: the bucket's driver, the disk of the legs, the
// broker, and SQLite's clock, which is a function that is registered in its place. Time is
// that of testing/synctest.
//
// A step is a call of a port that had its turn, without claims that found nothing. Which
// call comes next, how long it takes and what happens to it depends on the seed and the
// call's own name (who calls what for the how-manieth time) and on nothing else. So a seed
// is one run, and a fault can be left out without changing the others: that is how a
// failure is made smaller, call by call and fault by fault.
//
// The faults: a call fails before or after its effect, is slow, is never answered with or
// without effect, or has its effect minutes after its caller has given up; the process is
// killed before or after a call, stopped for some minutes, or told to end; the database's
// clock jumps forwards and backwards; the database, the bucket, the disk of the legs or the
// broker answers nobody for minutes; legs come late, never, grow, vanish, or crash whoever
// reads them; messages come twice, out of order, or can't be read; a person retries jobs
// and sets some aside.
//
// The rules are those of FAILURES and of the ports' comments:
//
//   - one job for each message, and none is lost; a message is in the ledger before it is
//     acknowledged; a good one doesn't become a dead letter
//   - the state machine of jobs; the newest lease alone ends a job, and once
//   - an attempt counts once, only what ran alone is guilty, attempts are limited; nobody
//     is set aside for a fault of something else
//   - an object is there, and is the ledger's by its hash, before its URL is on a call, and
//     is never changed; there is one URL for each output
//   - one event for each outcome, in its transaction; events are sent in their order
//   - what is on a call is never made less; a job that is done stays so
//   - legs are never deleted early
//   - when the faults are over everything settles: every job has one of four outcomes, the
//     legs of complete recordings are gone, all events are sent, no upload and no file is
//     left
//
// TestBugsAreFound puts these bugs back, at ports, and has them found:
//
//  1. the fence is ignored: a lost lease commits, too
//  2. an attempt is counted twice
//  3. leases never end
//  4. a retry forgets what was published
//  5. a message that comes again resets its job
//  6. the event is told outside of the transaction
//  7. the job is committed before the upload
//  8. legs are deleted before the recording is committed
//  9. whether a key is free is asked before the upload, and not at its end
//  10. an object that is there already is taken for ours
//  11. a message is acknowledged before it is in the ledger
//
// An ordinary test makes 10,000 steps, and looks for the bugs with seeds that are known to
// find them. SWITCHTAPE_LONG_TESTS=1 makes a million, and looks for the bugs from the first
// seed on. SWITCHTAPE_SIMULATION_STEPS makes another number of steps, and
// SWITCHTAPE_SIMULATION_SEED begins with another seed.
package simulation
