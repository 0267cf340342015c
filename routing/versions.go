package routing

import (
	"math/bits"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

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
