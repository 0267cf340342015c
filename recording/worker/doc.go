// Package worker runs the recording jobs of a ledger.
//
//	claim ──▶ heartbeat ┬─▶ process ─▶ complete     one transaction: done, URL
//	  ▲                 │      │
//	  │                 │      ├─ legs not there yet, bucket down ─▶ later, uncounted
//	  │                 │      ├─ error, panic, time-out ──────────▶ later, counted;
//	  │                 │      │                                     the third: quarantined
//	  │                 │      └─ can't ever succeed ──────────────▶ quarantined
//	  │                 └─ lease lost: stop, commit nothing
//	  └──── poll, or the doorbell (Ring)
//
// The ledger is the record; nothing that a worker remembers matters. Killed at
// any moment, its jobs are claimed again when their leases end, and give the
// same bytes under the same keys. A worker that slept past its lease loses at
// the commit, by its fencing token.
package worker
