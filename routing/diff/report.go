package diff

import (
	"github.com/switchtape/switchtape/callmodel"
)

// Kind says what changes for a call.
type Kind string

// The kinds. A call has the first that applies.
const (
	Lost        Kind = "lost"        // it had a destination and has none now
	Gained      Kind = "gained"      // it had none and has one now
	Destination Kind = "destination" // another destination is tried first
	Order       Kind = "order"       // others are tried after the first, or in another order
	Form        Kind = "form"        // the same destinations get another number, caller or URI
	Rule        Kind = "rule"        // another rule leads to the same
)

// Outcome says where calls go by one of the sets.
type Outcome struct {
	Rule        string `json:"rule,omitempty"`        // "": none matches
	Destination string `json:"destination,omitempty"` // the first; "": there is none
}

// Group is a group of calls that change in the same way.
type Group struct {
	Kind   Kind    `json:"kind"`
	Before Outcome `json:"before"`
	After  Outcome `json:"after"`
	Calls  int     `json:"calls"`
	// Seconds and the costs are sums over these calls, each at the destination that
	// is tried first. A time.Duration may be too small for a sum of seconds.
	Seconds    int64            `json:"seconds"`
	CostBefore callmodel.Amount `json:"cost_before"`
	CostAfter  callmodel.Amount `json:"cost_after"`
	// Examples are the first few in the order of the file.
	Examples []Example `json:"examples"`
}

// Example is one call that changes, with the whole order of its destinations.
type Example struct {
	Line   int              `json:"line"`
	CallID callmodel.CallID `json:"call_id"`
	Before []string         `json:"before"`
	After  []string         `json:"after"`
}

// Usage says how many calls one destination, or all together, get.
type Usage struct {
	Calls int `json:"calls"`
	// Seconds is the sum of the calls' lengths, for which a time.Duration may be too
	// small.
	Seconds int64 `json:"seconds"`
	// PeakCPS is the most calls in one second of the clock, PeakAt that second as
	// Unix time, the first if there are several.
	PeakCPS int   `json:"peak_cps"`
	PeakAt  int64 `json:"peak_at,omitempty"`
	// Cost is the sum over calls with a rate; Unrated counts the other calls.
	Cost    callmodel.Amount `json:"cost"`
	Unrated int              `json:"unrated"`
}

// Load says how a destination's load shifts.
type Load struct {
	Destination string `json:"destination"`
	Before      Usage  `json:"before"`
	After       Usage  `json:"after"`
}

// Report says what changes.
type Report struct {
	Calls   int `json:"calls"`
	Changed int `json:"changed"`
	// Kinds counts the calls that change.
	Kinds map[Kind]int `json:"kinds,omitempty"`
	// Groups lists the largest groups, those with the most calls first.
	Groups []Group `json:"groups"`
	// OtherGroups counts the groups that are not listed, and OtherCalls their calls.
	OtherGroups int `json:"other_groups,omitempty"`
	OtherCalls  int `json:"other_calls,omitempty"`
	// Load lists every destination that gets calls by one of the sets, by id.
	Load []Load `json:"load"`
	// Total is the load of all destinations together.
	Total          Load   `json:"total"`
	CurrencyBefore string `json:"currency_before,omitempty"`
	CurrencyAfter  string `json:"currency_after,omitempty"`
	// NoRouteBefore and NoRouteAfter count calls that have no destination.
	NoRouteBefore int `json:"no_route_before"`
	NoRouteAfter  int `json:"no_route_after"`
	// Assumed counts calls without a length, which are taken to last AssumedSeconds.
	// That is a number and not a time.Duration, so that a Report may be embedded in
	// another JSON object.
	Assumed        int `json:"assumed"`
	AssumedSeconds int `json:"assumed_seconds"`
}
