package routing

import "sync/atomic"

// Serving holds the router that is in service, for programs with one rule set; a
// [Table] has one a tenant. A swap is one pointer: readers never wait, and a
// decision is by the old set or by the new, never by both. The zero value holds
// none.
//
//	router := serving.Router()             // once a call
//	err := router.RouteInto(req, &d)
type Serving struct {
	current atomic.Pointer[Router]
}

// Router is the one in service, nil before the first [Serving.Swap]. Whoever asks
// several things about one call asks the same router.
func (s *Serving) Router() *Router { return s.current.Load() }

// Swap puts r in service and returns the one that was.
func (s *Serving) Swap(r *Router) *Router { return s.current.Swap(r) }
