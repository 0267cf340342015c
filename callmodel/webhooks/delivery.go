package webhooks

import (
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// Delivery is what becomes of one event at one endpoint. There is one of each.
type Delivery struct {
	ID         int64  `json:"id"` // grows
	EndpointID string `json:"endpoint_id"`
	// WebhookID is the id that receivers see, of [EventID].
	WebhookID string        `json:"webhook_id"`
	EventKey  string        `json:"event_key"` // of the outbox
	Type      string        `json:"type"`
	Subject   string        `json:"subject"`
	EventAt   time.Time     `json:"event_at"`
	State     DeliveryState `json:"state"`
	Tries     int           `json:"tries"` // since it was made or replayed
	// NextAt is when it is tried next. Zero: it isn't.
	NextAt      time.Time `json:"next_at,omitzero"`
	LastAt      time.Time `json:"last_at,omitzero"`
	LastStatus  int       `json:"last_status,omitempty"` // 0: there was no answer
	LastError   string    `json:"last_error,omitempty"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
}

// DeliveryFilter selects deliveries of one endpoint, by their ids.
type DeliveryFilter struct {
	TenantID   callmodel.TenantID
	EndpointID string
	State      DeliveryState // "" for any
	From, To   time.Time     // of the event, To excluded; zero: open
	After      int64         // continue behind this one
	Limit      int           // 0 means 100; at most 1000
}

// Replay has deliveries of one endpoint tried again at once, with all their tries before
// them. At most MaxReplay are, those with the smallest ids.
type Replay struct {
	TenantID   callmodel.TenantID
	EndpointID string
	IDs        []int64         // these; empty: all that the others select
	States     []DeliveryState // in these states; empty: Failed, or with IDs any but Waiting
	From, To   time.Time       // of the event, To excluded; zero: open
	After      int64           // with a greater id: where a replay goes on that was cut
	Actor      string
}

// Replayed is what a replay has done.
type Replayed struct {
	Count int
	// Last is the greatest id among them. Where Count is MaxReplay there may be more behind.
	Last int64
}

// Validate checks it and fills in the states. The error is FieldErrors.
func (r *Replay) Validate() error {
	var e callmodel.FieldErrors
	if len(r.IDs) > MaxReplay {
		e.Add("ids", "are %d, at most %d are replayed at once", len(r.IDs), MaxReplay)
	}
	if len(r.States) > 2 {
		e.Add("states", "are %d; there are %s and %s", len(r.States), Delivered, Failed)
	}
	for i, s := range r.States {
		if s != Delivered && s != Failed {
			e.Add(fmt.Sprintf("states[%d]", i), "%q is not one of %s, %s; what waits is tried anyway", text.Clip(string(s)), Delivered, Failed)
		}
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		e.Add("to", "must be later than from")
	}
	if len(r.States) == 0 {
		r.States = []DeliveryState{Failed}
		if len(r.IDs) > 0 {
			r.States = []DeliveryState{Delivered, Failed}
		}
	}
	r.States = slices.Compact(slices.Sorted(slices.Values(r.States)))
	return e.Err()
}

// Due is an endpoint with deliveries that can be tried now.
type Due struct {
	EndpointID string
	// Failing says that its last try failed.
	Failing bool
}

// Claim takes deliveries of one endpoint for one process.
type Claim struct {
	EndpointID string
	Limit      int
	// Lease is for how long nobody else tries them. One whose lease is over is tried
	// again by whoever comes.
	Lease time.Duration
}

// Task is a delivery that was claimed.
type Task struct {
	ID    int64
	Token int64 // of the lease
	Tries int   // before this one
	Event callmodel.OutboxEvent
}

// Claimed are deliveries and where they go to.
type Claimed struct {
	Endpoint Stored
	Tasks    []Task // those that were due first come first
}

// Outcome is what a try came to.
type Outcome struct {
	ID, Token  int64
	EndpointID string
	Delivered  bool
	Status     int    // of the answer; 0: there was none
	Error      string // of one that failed
	// RetryIn is after how long it is tried again, unless it was delivered. 0: never.
	RetryIn time.Duration
	// Gone disables the endpoint: it has answered 410.
	Gone bool
}

// Stats are how deliveries stand, for metrics.
type Stats struct {
	Waiting  int64         // of enabled endpoints, counted up to WaitingAtMost
	Oldest   time.Duration // how long the one has been due that has been longest
	Enabled  int64         // endpoints
	Disabled int64
	// Failing are the endpoints whose last try failed, those first that have failed
	// longest, at most MaxFailing.
	Failing []FailingEndpoint
}

// MaxFailing bounds Stats.Failing.
const MaxFailing = 100

// FailingEndpoint is an endpoint whose last try failed.
type FailingEndpoint struct {
	TenantID callmodel.TenantID
	ID       string
	For      time.Duration
	// SinceSuccess is how long ago a try last succeeded. 0: none has.
	SinceSuccess time.Duration
	Waiting      int64 // deliveries, counted up to WaitingAtMost
}
