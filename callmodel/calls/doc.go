// Package calls is the vocabulary of calls: a call and its states, the request it
// was made by, the decision where it goes, its events, and the form in which
// stores keep it.
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
// [*callmodel.TransitionError]. [Call.Apply] is the only place that moves a call.
package calls
