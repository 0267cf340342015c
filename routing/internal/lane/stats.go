package lane

// Reason says why a request got no place in a Fair.
type Reason int

// The reasons.
const (
	ReasonFull       Reason = iota // the queue was full
	ReasonTenantFull               // the tenant's part of the queue was
	ReasonDisplaced                // its room in the queue was another's
	ReasonTooLong                  // no place became free in time
	ReasonGone                     // the client gave up waiting

	reasons
)

// String is the reason as metrics name it.
func (r Reason) String() string {
	return [...]string{"queue_full", "tenant_queue_full", "displaced", "waited_too_long", "client_gone"}[r]
}

// Stats is how a Fair stands.
type Stats struct {
	Limit    int // places that there are
	InFlight int // places that are taken
	Queued   int // requests that wait
	Tenants  int // tenants of both
	// Refused is how many got no place since the start, by Reason.
	Refused map[string]int64
}

// Stats is how the lane stands now.
func (f *Fair) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Stats{
		Limit: f.limit.Limit(), InFlight: f.limit.Inflight(), Queued: f.queued, Tenants: len(f.tenants),
		Refused: make(map[string]int64, reasons),
	}
	for why, n := range f.refused {
		s.Refused[Reason(why).String()] = n
	}
	return s
}
