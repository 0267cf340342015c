// Package callmodel is what every other package speaks of: ids, the principal and
// its scopes, amounts of money, audit lines, and the error codes that everything
// fails with. The packages below it are vocabularies: calls, record, ledger and
// rulesets. They import only the standard library and do no I/O.
//
// # A recording job's states
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
// done is final: a finished job never runs again. Its outcome is one of
// completed, completed_degraded, absent; the fourth outcome is quarantined.
//
// A recording that was published stays on its call whatever becomes of the job:
// only a later version with all that it holds takes its place.
package callmodel
