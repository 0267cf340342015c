// Package calls is the vocabulary of calls: what is asked of the router, what it
// decides, and what becomes of a call afterwards.
//
//	            ┌── failed, retryable cause ──┐ (next destination)
//	            ▼                             │
//	new ──▶ routed ──── ringing ───────▶ ringing ──── answered ────▶ answered
//	 │          │                             │                         │
//	 │          ├─ failed: final cause, or no destination left ─▶ failed│
//	 │          └─ ended (caller gave up) ────┴──────────────────▶ ended ◀┘ ended
//	 └─ no rule matches ─▶ rejected
//
// Ended, failed and rejected are final. A move that is not drawn is a
// [*callmodel.TransitionError]. While a call isn't final its recording can be paused
// and resumed, a party held and retrieved, and it can be transferred: these move
// nothing and are kept as its Controls. [Call.Apply] is the only place that moves a call.
package calls
