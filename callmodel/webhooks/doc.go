// Package webhooks is the vocabulary of webhooks: who is told what happens, with which
// secret it is signed, and what became of each delivery.
//
//	event of the outbox ─▶ a delivery for each endpoint of the tenant that wants it
//
//	waiting ──┬─ answered with 2xx ─────────────────────▶ delivered ─┐
//	  ▲       ├─ anything else: again after the next step            │
//	  │       └─ no step is left, or 410 ──────────────▶ failed ─────┤
//	  └────────────────────────── replay ────────────────────────────┘
//
// An event is delivered at least once to each endpoint that wants it, always under the
// same id. The order is about that of the events: what is tried again comes behind later
// ones. *calldb.DB and *memdb.Store keep webhooks; storetest.Webhooks is what they
// promise.
package webhooks
