package routing

import (
	"maps"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// Table holds the routers in service: one for the platform, and one for each tenant
// with rules of its own. A program with one rule set gives it to the platform, "".
// Readers never wait: a change copies the small map of pointers and swaps it in,
// and a decision is by the old router or by the new, never by both. The zero value
// is empty and ready.
type Table struct {
	current atomic.Pointer[map[callmodel.TenantID]*Versions]
	writing sync.Mutex
}

// Get returns the tenant's active router, else the platform's, else nil.
func (t *Table) Get(tenant callmodel.TenantID) *Router {
	if v := t.Versions(tenant); v != nil {
		return v.Active
	}
	return nil
}

// Pick returns the router that decides the call: the tenant's, else the platform's,
// else nil. See [Versions.Pick].
func (t *Table) Pick(tenant callmodel.TenantID, id callmodel.CallID) (r *Router, canary bool) {
	if v := t.Versions(tenant); v != nil {
		return v.Pick(id)
	}
	return nil, false
}

// Versions returns what is in service for the tenant, else for the platform, else
// nil.
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

// Put puts versions in service for the tenant, "" for the platform. Versions without
// an active one take the tenant's own out of service.
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

// Versions are the routers in service for one set of calls: the active one and,
// while a version is tried, the canary that decides a share of the calls. They must
// not be changed once they are in service.
type Versions struct {
	Active *Router
	Canary *Router // nil: none
	// Share is the share of calls that the canary decides.
	Share rulesets.Share
	// Salt belongs to the canary: another salt draws other calls.
	Salt string
}

// Pick returns the version that decides the call with that id. It is always the
// same one while the canary runs, and it stays the canary when the share grows. A
// call without an id gets the active version. Pick allocates nothing.
//
// Emergency calls are not for a canary: use Active for them.
func (v *Versions) Pick(id callmodel.CallID) (r *Router, canary bool) {
	if v.Canary == nil || id == "" || placeOf(id, v.Salt) >= uint64(v.Share) {
		return v.Active, false
	}
	return v.Canary, true
}

// placeOf returns the call's place among hundredths of a percent, 0 to 9999.
func placeOf(id callmodel.CallID, salt string) uint64 {
	place, _ := bits.Mul64(mix(hashString(string(id))^mix(hashString(salt)+canarySalt)), uint64(rulesets.AllCalls))
	return place
}
