package routing

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
)

// Table holds the routers in service: those of the platform, and those of each
// tenant that has rules of its own. Readers never wait: a change copies the
// small map of pointers and swaps it in. The zero value is empty and ready.
type Table struct {
	current atomic.Pointer[map[callmodel.TenantID]*Versions]
	writing sync.Mutex
}

// Get is the tenant's active router, else the platform's, else nil.
func (t *Table) Get(tenant callmodel.TenantID) *Router {
	if v := t.Versions(tenant); v != nil {
		return v.Active
	}
	return nil
}

// Pick is the router that decides the call of the tenant, else the platform's,
// else nil: see [Versions.Pick].
func (t *Table) Pick(tenant callmodel.TenantID, id callmodel.CallID) (r *Router, canary bool) {
	if v := t.Versions(tenant); v != nil {
		return v.Pick(id)
	}
	return nil, false
}

// Versions is what is in service for the tenant, else for the platform, else nil.
func (t *Table) Versions(tenant callmodel.TenantID) *Versions {
	m := t.current.Load()
	if m == nil {
		return nil
	}
	if v, ok := (*m)[tenant]; ok {
		return v
	}
	return (*m)[""]
}

// Set puts a router in service for every call of the tenant, "" for the
// platform. nil takes the tenant's own out of service.
func (t *Table) Set(tenant callmodel.TenantID, r *Router) { t.Put(tenant, Versions{Active: r}) }

// Put puts versions in service for the tenant, "" for the platform. Without an
// active one the tenant's own are taken out of service.
func (t *Table) Put(tenant callmodel.TenantID, v Versions) {
	t.writing.Lock()
	defer t.writing.Unlock()
	next := map[callmodel.TenantID]*Versions{}
	if m := t.current.Load(); m != nil {
		maps.Copy(next, *m)
	}
	if v.Active == nil {
		delete(next, tenant)
	} else {
		next[tenant] = &v
	}
	t.current.Store(&next)
}
