package calls

import "time"

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
	// Since and Until bound when the calls were made: at Since or later, and before
	// Until. Zero: no bound.
	Since, Until time.Time
	// Before is the cursor of the page before; "" for the first page.
	Before string
}

// Page is a page of calls.
type Page struct {
	Calls []Call
	Next  string // the cursor of the next page; "" at the end
}
