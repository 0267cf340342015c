// Package retention is the vocabulary of how long recordings are kept: legal holds, the
// rules by which a recording's time ends, and what is left of one that was deleted.
//
//	hold on a recording, its call, a user or a number of it, or its tenant ─▶ nothing is deleted
//
//	no hold ─▶ the recording's own time ─ else ▶ its users' ─ else ▶ its tenant's ─ else ▶ the service's ─ else ▶ for ever
//	                                   └────────────┴───────┬──────┴──────────────────┘
//	                                                        ▼ over, or a person asks for it
//	                                begun: its URL is gone ─▶ its bytes are deleted ─▶ done: an [Erasure] stays
package retention
