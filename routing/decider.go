package routing

import (
	"context"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// Decider is another service that decides where calls go. Package decider has
// one that asks over HTTP.
type Decider interface {
	// Decide returns the service's answer, or the last good one while the
	// service has none (Source says which). An error of callmodel.CodeNoRoute is
	// the service's refusal and final. With any other, a [*FallbackError] if it
	// can, the rules decide. It must return in time for the call; it is never
	// asked about emergency calls.
	Decide(ctx context.Context, req *calls.Request) (calls.Decision, error)
}

// FallbackError is why a Decider has no answer.
type FallbackError struct {
	// Reason is a word for metrics and the decision's Fallback: "timeout".
	Reason string
	Err    error
}

func (e *FallbackError) Error() string {
	return "the decision service has no answer (" + e.Reason + "): " + e.Err.Error()
}

func (e *FallbackError) Unwrap() error { return e.Err }
