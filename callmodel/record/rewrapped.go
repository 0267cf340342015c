package record

// Rewrapped is what was found and done of an object that was to get other recipients.
type Rewrapped string

// What there is.
const (
	// RewrapDone: the object has a header for the tenant's recipients of now.
	RewrapDone Rewrapped = "rewrapped"
	// RewrapCurrent: it had one already; nothing was written.
	RewrapCurrent Rewrapped = "current"
	// RewrapPlain: it isn't encrypted, and stays so.
	RewrapPlain Rewrapped = "plain"
)
