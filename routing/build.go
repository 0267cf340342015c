package routing

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
)

// build makes a Router of a set whose rules come one after another.
//
//	rule ── validation: faults, the hash, the number of its route ──▶ compiler: postings ──▶ index
//	                                                             └──▶ binaryWriter, if it is wanted
//
// It keeps no rule, since a million of them take most of a gigabyte. After a fault
// rules are only checked.
type build struct {
	v    *validation
	c    *compiler
	r    *Router
	err  error         // a fault of a rule that has none by itself
	pack *binaryWriter // nil: the binary form isn't wanted
	at   []uint64      // the places of routes in the binary form, plus one, by their number
}

// newBuild begins with the set but for its rules, of which so many follow.
func newBuild(head *RuleSet, rules int, pack bool) *build {
	v := newValidation(head, rules)
	b := &build{v: v, r: &Router{order: cmp.Or(head.Order, PrefixFirst), written: rules, tests: head.Tests}}
	if head.Limits != nil {
		b.r.limits.CallLimits = *head.Limits
	}
	b.r.owners = newOwners(head.TenantNumbers)
	b.c = newCompiler(head, b.r, v)
	if len(v.errs) == 0 {
		b.c.destinations()
		b.c.entries = make([]entry, 0, rules+rules/8)
	}
	if pack {
		w := newBinaryWriter()
		b.pack = &w
	}
	return b
}

// giveWay is after how many rules the processor is offered to others: some tenths of
// a millisecond of work.
const giveWay = 256

// take takes rule i, the next one. It keeps nothing that the rule refers to but
// texts.
func (b *build) take(i int, r *Rule) {
	if i%giveWay == 0 {
		runtime.Gosched() // calls are decided by this process, too
	}
	route := b.v.take(i, r)
	if len(b.v.errs) > 0 || b.err != nil || b.v.ids.tooLong() {
		return
	}
	if !r.off() {
		b.r.limitRule(r)
		b.err = b.c.postings(i, r, route)
	}
	if b.err == nil && b.pack != nil {
		b.err = b.packed(r, route)
	}
}

// packed adds the rule to the binary form.
func (b *build) packed(r *Rule, route uint32) error {
	for int(route) >= len(b.at) {
		b.at = append(b.at, 0)
	}
	if b.at[route] == 0 {
		place, err := b.pack.route(r.Route)
		if err != nil {
			return err
		}
		b.at[route] = place + 1
	}
	return b.pack.rule(r, b.at[route]-1)
}

// router ends the build of a set without faults.
func (b *build) router() (*Router, error) {
	r, c := b.r, b.c
	if b.v.ids.tooLong() {
		return nil, callmodel.FieldErrors{{Path: "rules", Message: fmt.Sprintf("the rules' ids have %d bytes together, at most %d can be held", b.v.ids.bytes,
			uint32(math.MaxUint32))}}
	}
	if b.err != nil {
		return nil, b.err
	}
	r.hash, r.ids = b.v.hash.sum(), string(b.v.ids.texts)
	entries := c.entries
	c.entries = nil
	if err := c.buildIndex(entries); err != nil {
		return nil, err
	}
	r.kinds, r.extras, r.callers = slices.Clip(r.kinds), slices.Clip(r.extras), slices.Clip(r.callers)
	r.listAll = r.written <= maxListed && len(r.index.postings) <= maxListed*maxListed
	r.callees = sync.OnceValue(r.listCallees)
	return r, nil
}
