package routing

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
)

// Table holds the routers in service: one for the platform, and one for each
// tenant that has rules of its own. Readers never wait: a change copies the
// small map of pointers and swaps it in. The zero value is empty and ready.
type Table struct {
	current atomic.Pointer[map[callmodel.TenantID]*Router]
	writing sync.Mutex
}

// Get is the tenant's router, else the platform's, else nil.
func (t *Table) Get(tenant callmodel.TenantID) *Router {
	m := t.current.Load()
	if m == nil {
		return nil
	}
	if r, ok := (*m)[tenant]; ok {
		return r
	}
	return (*m)[""]
}

// Set puts a router in service for the tenant, "" for the platform. nil takes
// the tenant's own out of service.
func (t *Table) Set(tenant callmodel.TenantID, r *Router) {
	t.writing.Lock()
	defer t.writing.Unlock()
	next := map[callmodel.TenantID]*Router{}
	if m := t.current.Load(); m != nil {
		maps.Copy(next, *m)
	}
	if r == nil {
		delete(next, tenant)
	} else {
		next[tenant] = r
	}
	t.current.Store(&next)
}
