// Package worker runs the recording jobs of a ledger.
//
//	claim ──▶ heartbeat ┬─▶ process ─▶ complete     one transaction: done, URL
//	  ▲                 │      │
//	  │                 │      ├─ a leg is still being written, and the wait
//	  │                 │      │  for it is over ───────────────────▶ publish: URL
//	  │                 │      │                      now, followed until it is whole
//	  │                 │      ├─ legs not there yet, bucket down ─▶ later, uncounted
//	  │                 │      ├─ the place of the legs is away ───▶ later, uncounted; alarm
//	  │                 │      ├─ error, panic, time-out ──────────▶ later, counted;
//	  │                 │      │                                     the third: quarantined
//	  │                 │      └─ can't ever succeed ──────────────▶ quarantined
//	  │                 └─ lease lost: stop, commit nothing
//	  └──── poll, or the doorbell (Ring, Options.Doorbell)
//
// A published job is run again, at growing pauses, until its legs grow no more or
// Options.FollowGrowing is over; then the next version takes the first one's place
// on the call, beside it in the bucket. One that would hold less doesn't: the
// recording on a call is never made less by what happens later, be it that legs
// are deleted, that attempts fail, or that the job is quarantined.
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
