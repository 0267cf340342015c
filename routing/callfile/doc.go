// Package callfile reads recorded calls, one JSON object a line, to put them to
// rule sets again.
//
//	file ── blocks of whole lines ──▶ parsed by several goroutines ──▶ visit
//	                                          └─ bad lines, counted and named
//
// A line says what the router looks at, and what became of the call:
//
//	{"tenant":"acme","call_id":"c-1","from":"+442079460123","to":"+493012345678",
//	 "type":"voice","direction":"outbound","priority":0,"emergency":false,
//	 "trunk":"edge-1","capabilities":["opus"],"metadata":{"plan":"gold"},
//	 "at":"2026-03-02T10:00:00Z","duration_s":61.5,"cause":{"q850":16}}
//
// tenant, call_id, to and at are needed. Without a type the call is a voice call.
// Without duration_s its length is unknown; with 0 it was not answered. The tenant
// may be called tenant_id. A line may also be a call record as the service returns
// it, with its id and state.
//
// Empty lines are skipped; unknown and repeated fields are faults.
package callfile
