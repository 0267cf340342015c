// Package task says what a kind of job is: a name, the form of its payload, and who
// does it.
//
//	Request ─▶ Kinds.Check ─▶ Enqueue ─▶ ledger row ─▶ worker ─▶ Kind.Do ─▶ Outcome
//	           kind, payload             any kind      lease, retries,      result, effects,
//	                                                   quarantine, metrics  one transaction
//
// The ledger and the worker treat all kinds alike. A kind of one's own is a name, a
// struct and a function: see [Of]. A process that only enqueues a kind needs no
// function, and so it needs nothing of what the function works with.
//
// Recordings are a kind, too: [Recordings] checks them, and package worker does them.
// The packages below this one have kinds that work on stored recordings.
package task
