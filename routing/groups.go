package routing

import (
	"cmp"
	"math/bits"
	"slices"
)

// A platform has a default rule for each of ten thousand tenants, and a carrier has
// one for each of a million callers. A decision must not compare them all, so the
// postings of a node with many stand in runs: one run for each pair of a tenant and
// a caller, one for each tenant, and one for everybody. A hash table finds the few
// runs that may hold for a call.
//
// The first posting of such a node is a header. Its rule is where its part of the
// table begins, its kind is the length of that part, and its tenant has a bit for
// each length of caller prefix that there are runs for.

const (
	ungrouped     = 24 // postings of a node that are compared one by one
	callerRuns    = 4  // most callers of a rule that get runs of their own
	tenantRuns    = 16 // most tenants of a rule that get runs of their own
	maxPostings   = 1 << 28
	emptyGroup    = ^uint32(0)
	slotsPerGroup = 4.0 / 3
)

type groupSlot struct {
	print uint32 // of the run's tenant and caller
	first uint32 // its first posting; emptyGroup for none
}

// groupHash returns the hash of a run. Length 0 and caller 0 stand for any caller.
func groupHash(tenant uint32, length uint8, caller uint64) uint64 {
	return mix(mix(caller<<5|uint64(length)) + uint64(tenant))
}

// runPosting is a posting with the run that it belongs to.
type runPosting struct {
	posting

	length uint8
	caller uint64
}

// putPostings stores the postings of node n. They are in rank order.
func (r *Router) putPostings(n uint32, list []posting) {
	x := &r.index
	if len(list) == 1 {
		x.postings[n] = list[0]
		return
	}
	at, kind := uint32(len(x.postings)), uint32(several)
	if len(list) <= ungrouped {
		x.postings = append(x.postings, list...)
	} else {
		kind |= grouped
		r.putRuns(list)
	}
	x.postings[n] = posting{rule: at, plan: uint32(len(x.postings)), kind: kind}
}

// putRuns stores the postings of a node with many.
func (r *Router) putRuns(list []posting) {
	x := &r.index
	at := len(x.postings)
	runs := r.runs(list)
	head := posting{rule: uint32(len(x.groups))}
	x.postings = append(x.postings, head)
	count := 0
	for i := range runs {
		if i == 0 || !runs[i].sameRun(&runs[i-1]) {
			count++
		}
		head.whose |= 1 << runs[i].length
	}
	head.kind = uint32(float64(count)*slotsPerGroup) + 1
	x.postings[at] = head
	for range head.kind {
		x.groups = append(x.groups, groupSlot{first: emptyGroup})
	}
	for i := range runs {
		if i == 0 || !runs[i].sameRun(&runs[i-1]) {
			x.putGroup(head, groupHash(runs[i].tenant(), runs[i].length, runs[i].caller), uint32(len(x.postings)))
		}
		p := runs[i].posting
		if i+1 == len(runs) || !runs[i].sameRun(&runs[i+1]) {
			p.kind |= lastOfRun
		}
		x.postings = append(x.postings, p)
	}
}

func (g *runPosting) sameRun(o *runPosting) bool {
	return g.tenant() == o.tenant() && g.length == o.length && g.caller == o.caller
}

// runs sorts the postings by run. Within a run they stay in rank order.
func (r *Router) runs(list []posting) []runPosting {
	runs := make([]runPosting, 0, len(list))
	for _, p := range list {
		from := r.kinds[p.kind].from
		if from == 0 || len(r.callers[from-1].slots) > callerRuns {
			runs = append(runs, runPosting{posting: p})
			continue
		}
		who := &r.callers[from-1]
		for _, caller := range who.slots {
			runs = append(runs, runPosting{p, who.length, caller})
		}
	}
	slices.SortStableFunc(runs, func(a, b runPosting) int {
		return cmp.Or(cmp.Compare(a.tenant(), b.tenant()), cmp.Compare(a.length, b.length), cmp.Compare(a.caller, b.caller))
	})
	return runs
}

func (x *index) putGroup(head posting, hash uint64, first uint32) {
	for i := groupStart(hash, head.kind); ; {
		slot := &x.groups[head.rule+i]
		if slot.first == emptyGroup {
			*slot = groupSlot{uint32(hash), first}
			return
		}
		if i++; i == head.kind {
			i = 0
		}
	}
}

// groupStart returns the slot, of n, at which the search for a hash begins.
func groupStart(hash uint64, n uint32) uint32 { return uint32(hash >> 32 * uint64(n) >> 32) }

// find visits the runs with that hash.
func (x *index) find(head posting, hash uint64, visit func(first uint32)) {
	for i := groupStart(hash, head.kind); ; {
		slot := x.groups[head.rule+i]
		if slot.first == emptyGroup {
			return
		}
		if slot.print == uint32(hash) {
			visit(slot.first)
		}
		if i++; i == head.kind {
			i = 0
		}
	}
}

// eachRun visits the runs that may hold for the call: those of everybody and those
// of its tenant, each for any caller and for the call's caller.
func (s *search) eachRun(head posting, visit func(first uint32)) {
	x := &s.r.index
	for tenant := uint32(0); ; tenant = s.tenantNumber() {
		for lengths := head.whose; lengths != 0; lengths &= lengths - 1 {
			length, caller := uint8(bits.TrailingZeros32(lengths)), uint64(0)
			if length > 0 {
				if caller = s.callerKeys.caller(s.req, length); caller == 0 {
					continue
				}
			}
			x.find(head, groupHash(tenant, length, caller), visit)
		}
		if tenant == s.tenantNumber() {
			return
		}
	}
}
