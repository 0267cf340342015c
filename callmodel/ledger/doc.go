// Package ledger is the vocabulary of the job ledger: jobs of any kind, the leases
// that workers take on them, and what becomes of them.
//
//	          ┌─ published: its result is in use, and a later     ┐
//	          │  one may follow                                   │
//	          ├───── released, failed (retry), lease expired ─────┤
//	          ▼                                                   │
//	new ──▶ queued ─────────────── claimed ───────────────────▶ running
//	          ▲ │                                                 │  │
//	          │ └── operator ──▶ quarantined ◀── 3 strikes, ──────┘  │
//	          ├──── operator ───────┘            permanent error     └─▶ done
//	          └──── operator, where more can come of it ──────────────────┘
//
// A finished job never runs again by itself. A person may put one back of which
// more can come: a recording that is absent, or was made with defects, and of another
// kind what that has said so of, by Outcome.Retriable. What it came to is published
// then: it stays in use whatever becomes of the job, until a later result takes its
// place.
//
// A strike is an attempt that failed, or a crash while the job ran alone. A worker
// that dies takes all its jobs' leases along, and one of them at most is the cause:
//
//	lease expired ──▶ suspect ──▶ claimed, alone ─┬─ the run ends ────▶ not suspected
//	                     ▲                        └─ lease expired ───┐ any more
//	                     └──────────────────────────── one strike ◀───┘
//
// Who calls the ledger says what it needs of it: see the ports worker.Ledger and
// recordinghttp.Ledger. *calldb.DB and *memdb.Store implement them all, and
// storetest.JobLedger is what they promise. What the jobs of a kind hold is the
// affair of the kind: of recordings see record.NewJob.
package ledger
