// Package ledger is the vocabulary of the job ledger: jobs, the leases that workers
// take on them, and what becomes of those that fail.
//
//	          ┌─ published: its recording is on the call, a later ┐
//	          │  version may follow                               │
//	          ├───── released, failed (retry), lease expired ─────┤
//	          ▼                                                   │
//	new ──▶ queued ─────────────── claimed ───────────────────▶ running
//	          ▲ │                                                 │  │
//	          │ └── operator ──▶ quarantined ◀── 3 strikes, ──────┘  │
//	          └──── operator ───────┘            permanent error     └─▶ done
//
// Done is final: a finished job never runs again. A recording that was published
// stays on its call whatever becomes of the job: only a later version with all
// that it holds takes its place.
package ledger
