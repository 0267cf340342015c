// Package callmodel is the vocabulary of a voice platform: calls, legs,
// recording specs and results, jobs, routing decisions, events, and the error
// codes they fail with. It imports only the standard library and does no I/O,
// so every other package may import it.
//
// # A call's states
//
//	            ┌── failed, retryable cause ──┐ (next destination)
//	            ▼                             │
//	new ──▶ routed ──── ringing ───────▶ ringing ──── answered ────▶ answered
//	 │          │                             │                         │
//	 │          ├─ failed: final cause, or no destination left ─▶ failed│
//	 │          └─ ended (caller gave up) ────┴──────────────────▶ ended ◀┘ ended
//	 └─ no rule matches ─▶ rejected
//
// ended, failed and rejected are final. A move that is not drawn is a
// [*TransitionError]. [Call.Apply] is the only place that moves a call.
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
