package calls

import "encoding/json"

// NewCall is a call to store, with the answer to its idempotency key.
type NewCall struct {
	Call  Call
	Actor string
	// JSON is Call as JSON, where its maker has it already. Nil: the store makes it.
	JSON json.RawMessage
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
