// Package outbox is how readers of the outbox say how far they have come.
//
// What is told to others is written to the outbox in the transaction of what it tells
// about: see callmodel.OutboxEvent. Each reader has a name, and a place that is kept in
// the database, so that readers don't know of each other. Of the processes that read
// under one name, one at a time does:
//
//	Place ─▶ nobody, or I ─▶ Take ─▶ events ─▶ told ─▶ Advance, which renews ─▶ …
//	         another's ────▶ wait until it gives up or falls silent
//
// An event is told at least once, in the order of the outbox: a process that dies
// between telling and Advance leaves it to the next one, with the same key.
// *calldb.DB and *memdb.Store keep places; storetest.OutboxPlaces is what they promise.
package outbox

import (
	"encoding/json"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/tracing"
)

// DefaultTTL is for how long a reader that falls silent keeps its place.
const DefaultTTL = 30 * time.Second

// Place is how far the reader of a name has come.
type Place struct {
	Through int64  // the id of the last event that was told; 0: none
	Holder  string // who reads now; "": nobody
	// Held is for how much longer, by the database's clock.
	Held time.Duration
	// More says that there are events behind it. It is what OutboxPlace tells, so that who
	// has nothing to tell needn't ask for the events, which waits for those being written.
	More bool
}

// Reader is a process that reads under a name.
type Reader struct {
	Name   string // of the reader: a valid id, the same in all processes
	Holder string // this process: its own name
	// TTL is for how long others keep away after Take or Advance; 0 means DefaultTTL.
	TTL time.Duration
}

// Traceparent is that of the span in which the event came to be, by its body; "" if
// nothing was traced, or the body names none that is valid.
func Traceparent(e *callmodel.OutboxEvent) string {
	var told struct {
		Traceparent string `json:"traceparent"`
	}
	if json.Unmarshal(e.Body, &told) != nil || !tracing.Valid(told.Traceparent) {
		return ""
	}
	return told.Traceparent
}
