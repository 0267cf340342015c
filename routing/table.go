package routing

import (
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
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

// Versions is what is in service for one set of calls: the active version and,
// while one is tried, the canary that a share of the calls is decided by. It
// must not be changed once it is in service.
type Versions struct {
	Active *Router
	Canary *Router // nil: none
	// Share is how many calls the canary decides.
	Share rulesets.Share
	// Salt is the canary's own: with another, other calls are drawn.
	Salt string
}

// Pick is the version that decides the call with that id: always the same one
// while the canary runs, and the canary still when its share has grown. A call
// without an id gets the active version. Nothing is allocated.
//
// An emergency call is not for a canary: ask for Active.
func (v *Versions) Pick(id callmodel.CallID) (r *Router, canary bool) {
	if v.Canary == nil || id == "" || drawn(id, v.Salt) >= uint64(v.Share) {
		return v.Active, false
	}
	return v.Canary, true
}

// drawn is the call's place among hundredths of a percent, 0 to 9999.
func drawn(id callmodel.CallID, salt string) uint64 {
	place, _ := bits.Mul64(mix(hashString(string(id))^mix(hashString(salt)+canarySalt)), uint64(rulesets.AllCalls))
	return place
}
