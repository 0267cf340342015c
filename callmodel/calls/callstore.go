package calls

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// NewCall is a call to store, with the answer to its idempotency key.
type NewCall struct {
	Call  Call
	Actor string
	// IdempotencyKey is the caller's; "" for none.
	IdempotencyKey string
	RequestSHA256  string // hex, of the request's body
	StatusCode     int    // of the response
	Response       []byte // the response's body, given again to the same key
}

// StoredResponse is the first answer to an idempotency key.
type StoredResponse struct {
	StatusCode int
	Body       []byte
}

// Filter selects a tenant's calls, newest first.
type Filter struct {
	State  State  // "" for any
	Number string // either party's; "" for any
	Limit  int    // 0 means 50; at most 500
	// Before is the cursor of the page before; "" for the first page.
	Before string
}

// Page is a page of calls.
type Page struct {
	Calls []Call
	Next  string // the cursor of the next page; "" at the end
}

// Store keeps calls. Every method sees one tenant's data only; another
// tenant's is ErrNotFound, just like none.
//
// Every implementation passes storetest.CallStore.
type Store interface {
	// CreateCall stores the call, its audit line and its idempotent answer in
	// one transaction. When the key was used before with the same request, it
	// stores nothing and returns the first answer; with another request,
	// ErrIdempotencyMismatch. A call id that exists is a CodeConflict error.
	CreateCall(ctx context.Context, n NewCall) (replay *StoredResponse, err error)
	// Replay returns the answer to a key used before, ErrIdempotencyMismatch,
	// or nil if the key is new.
	Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*StoredResponse, error)
	// AppendEvent moves the call by ev (see Call.Apply) and stores the call,
	// the event, the audit line and the recording job in one transaction. An
	// event id that the call has seen changes nothing and returns the call.
	AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev Event, actor string, defaults []record.OutputSpec) (Call, error)
	Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (Call, error)
	Calls(ctx context.Context, t callmodel.TenantID, f Filter) (Page, error)
	// CallEvents lists the call's events in the order they were applied.
	CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]Event, error)
}
