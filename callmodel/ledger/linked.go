package ledger

import (
	"encoding/json"

	"github.com/switchtape/switchtape/callmodel"
)

// Linked is a job with what is beside its row, for whoever compares the two. Of a job that
// isn't at its end, or makes no recording, nothing is wanted.
type Linked struct {
	Job

	// Unreadable is why what the job came to can't be read; "" if it can.
	Unreadable string
	// Wanted is the entry that the end has left on the job's call, and Entry the one that
	// is there. Nil for none.
	Wanted, Entry json.RawMessage
	// Untold says that the event of the end is not in the outbox, which still has others
	// of that time.
	Untold bool
}

// UnrecordedPage is a page of calls, in the order of their tenants and ids.
type UnrecordedPage struct {
	Looked int              // at so many calls
	Calls  []UnrecordedCall // those among them that have no recording, and should
	Last   CallPlace        // the last one that was looked at
	More   bool             // there may be calls behind it
}

// CallPlace is a call's place in the order of tenants and ids.
type CallPlace struct {
	TenantID callmodel.TenantID `json:"tenant_id"`
	CallID   callmodel.CallID   `json:"call_id"`
}

// UnrecordedCall is a call that should have a recording, of which neither one is known nor
// a job that makes one; or, with Unreadable, one of which that can't be told.
type UnrecordedCall struct {
	CallPlace

	Unreadable string
}
