package routing

import (
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
)

// Serving holds what is in service, for programs with one rule set; a [Table]
// has one a tenant. A swap is one pointer: readers never wait, and a decision is
// by the old set or by the new, never by both. The zero value holds none.
//
//	router := serving.Router()             // once a call
//	err := router.RouteInto(req, &d)
type Serving struct {
	current atomic.Pointer[Versions]
}

// Router is the active version, nil before the first [Serving.Swap]. Whoever asks
// several things about one call asks the same router.
func (s *Serving) Router() *Router {
	if v := s.current.Load(); v != nil {
		return v.Active
	}
	return nil
}

// Pick is the version that decides the call: see [Versions.Pick].
func (s *Serving) Pick(id callmodel.CallID) (r *Router, canary bool) {
	if v := s.current.Load(); v != nil {
		return v.Pick(id)
	}
	return nil, false
}

// Swap puts r in service for every call, without a canary, and returns the
// active version that was.
func (s *Serving) Swap(r *Router) *Router {
	if v := s.current.Swap(&Versions{Active: r}); v != nil {
		return v.Active
	}
	return nil
}

// Put puts the versions in service.
func (s *Serving) Put(v Versions) { s.current.Store(&v) }
