// Package worker runs the jobs of a ledger: recordings, and the kinds of Options.Kinds.
//
// Claim, heartbeat, the fence of the lease, time-out, abandonment, suspects that run
// alone, drain, retries and quarantine are the same for all kinds. For a recording they
// look like this; a job of another kind has its function in the place of process and
// waits for what that says, and none of the rest is about it:
//
//	claim ──▶ heartbeat ┬─▶ process ─▶ complete     one transaction: done, URL
//	  ▲                 │      │
//	  │                 │      ├─ a leg is missing or still being written, and
//	  │                 │      │  the wait for it is over ──────────▶ publish: URL
//	  │                 │      │                      now, followed until it is whole
//	  │                 │      ├─ legs not there yet ──────────────▶ later, uncounted
//	  │                 │      ├─ the place of the legs is away ───▶ later, uncounted; alarm
//	  │                 │      ├─ the bucket is away ──────────────▶ later, uncounted; alarm,
//	  │                 │      │                                     and only one job probes it
//	  │                 │      ├─ error, panic, time-out ──────────▶ later, counted;
//	  │                 │      │                                     the third: quarantined
//	  │                 │      └─ can't ever succeed ──────────────▶ quarantined
//	  │                 └─ lease lost: stop, commit nothing
//	  └──── poll, or the doorbell (Ring, Options.Doorbell)
//
// A published job is run again, at growing pauses, until its legs are there and grow
// no more or Options.FollowGrowing is over. Whenever one has come or is whole, the
// next version takes the place of the one before on the call, beside it in the
// bucket. One that would hold less doesn't: the recording on a call is never made
// less by what happens later, be it that legs are deleted, that attempts fail, or
// that the job is quarantined.
//
// A job of which no leg has come is published as absent, and followed alike. In the
// queue that names no host it waits instead, with the reason legs_missing, and is
// absent at the end alone: its legs may be on another worker's disk. Only a worker that is
// named for a job's queue says that a leg is missing, as it sees the queue's legs:
// see Options.Queues. To others the legs are away, as they are to all while their
// directory or bucket can't be looked into.
//
// A bucket is away after one error that is sure (it is missing, full, or forbids, or
// the spool can't be written), or after three in a row that may pass (it is throttled,
// unreachable, or refuses). It is probed after Options.ProbePause, at growing pauses
// and never before the time that it asks for, with Options.Probe and then with one
// job; the first recording that is stored ends it. Jobs of other kinds go on meanwhile. If it takes others, the job that it
// forbids or refuses is at fault: that counts. See Worker.BucketsAway and Worker.Ready.
// With Options.Backup recordings go there meanwhile, are published, and are moved home
// when the bucket is back.
//
// Nothing that hangs holds the worker: an attempt that doesn't return when its time
// is over is abandoned, its lease no longer renewed, its place given to another job.
// See Options.LetGo, Worker.Abandoned and Worker.Stuck.
//
// The ledger is the record; nothing that a worker remembers matters. Killed at
// any moment, its jobs are claimed again when their leases end, and give the
// same bytes under the same keys. A worker that slept past its lease loses at
// the commit, by its fencing token.
package worker
