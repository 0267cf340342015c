package lint

import "slices"

// Bounds of the search.
const (
	defaultPairs = 20_000_000 // of postings that are held against each other
	maxCompared  = 2_000      // postings that one is held against
	maxSpread    = 64         // tenants or callers of one posting that are looked at one by one
	fewPostings  = 16
	maxDescended = 5_000 // callees that are looked through for one posting
	maxNamed     = 8
)

// reacher finds the rules that no call reaches.
type reacher struct {
	*index

	l       *linter
	alive   []bool
	by      map[int32][]int32 // of rules not known to be alive, those that take their calls
	pairs   int
	gaveUp  int // postings that were too much to decide
	visited int // of the search at hand

	// These belong to the current posting.
	p         *posting
	callee    int
	cond      *cond
	tenant    uint32
	everyone  bool
	caller    string
	callerLen int
	zone      string
	found     []int32 // rules that take a part of those calls
	all       []int32 // the same, for every tenant and caller
	partly    bool    // only some callees are looked at
	compared  int
	over      bool
}

func (l *linter) reach(x *index) {
	r := &reacher{index: x, l: l, alive: make([]bool, len(x.rs.Rules)), by: map[int32][]int32{}}
	for i := range x.emergency {
		r.posting(&x.emergency[i], emergencyRoot)
	}
	for callee := range x.codes {
		list := x.of(callee)
		for i := range list {
			r.posting(&list[i], callee)
		}
	}
	for i := range l.dead {
		if r.alive[i] || l.dead[i] {
			continue
		}
		l.dead[i] = true
		r.report(int32(i))
	}
	if r.gaveUp > 0 {
		l.about(Bounded, "rules", "", "%d rules meet so many others that it could not be decided whether calls reach them; they are "+
			"taken to be reachable", r.gaveUp)
	}
}

func (r *reacher) posting(p *posting, callee int) {
	if r.alive[p.rule] || r.l.dead[p.rule] {
		return
	}
	r.p, r.callee, r.cond, r.all, r.over, r.compared, r.visited = p, callee, &r.conds.list[p.cond], nil, false, 0, 0
	if !r.taken() {
		r.alive[p.rule] = true
		delete(r.by, p.rule)
		if r.over {
			r.gaveUp++
		}
		return
	}
	have := r.by[p.rule]
	for _, rule := range r.all {
		if !slices.Contains(have, rule) && len(have) <= maxNamed {
			have = append(have, rule)
		}
	}
	r.by[p.rule] = have
}

// taken reports whether other rules take every call of the posting.
func (r *reacher) taken() bool {
	tenants, callers := r.tenants[r.p.tenants], r.callers[r.p.callers]
	if len(tenants) > maxSpread || len(callers.list) > maxSpread {
		r.over = r.contended()
		return false
	}
	r.everyone = len(tenants) == 0
	for i := range max(len(tenants), 1) {
		if !r.everyone {
			r.tenant = tenants[i]
		}
		for j := range max(len(callers.list), 1) {
			r.caller, r.callerLen = "", 0
			if len(callers.list) > 0 {
				r.caller, r.callerLen = callers.list[j], callers.length
			}
			r.found, r.partly, r.zone = r.found[:0], false, ""
			if !r.takenFrom() {
				return false
			}
			for _, rule := range r.found {
				if !slices.Contains(r.all, rule) {
					r.all = append(r.all, rule)
				}
			}
		}
	}
	return true
}

// contended reports whether another posting could rank before this one.
func (r *reacher) contended() bool { return len(r.of(r.callee)) > 1 || r.priorityFirst }

// takenFrom is taken for one tenant, or everyone, and one caller, or any.
func (r *reacher) takenFrom() bool {
	emergencyOnly := r.callee == emergencyRoot
	start := r.cond.calls(emergencyOnly, r.at)
	if w := r.cond.when; w != nil {
		r.zone = w.TimeZone
	}
	if start.none() {
		return true
	}
	left := []box{start}
	if left = r.without(left, r.callee, r.p.exact, false); len(left) == 0 {
		return true
	}
	if !emergencyOnly && r.priorityFirst {
		for at := r.parents[r.callee]; at >= 0; at = r.parents[at] {
			if left = r.without(left, int(at), false, false); len(left) == 0 {
				return true
			}
		}
	}
	if emergencyOnly {
		if root, ok := r.find(0); ok && r.priorityFirst {
			left = r.without(left, root, false, false)
		}
		return len(left) == 0
	}
	if left = r.without(left, emergencyRoot, false, false); len(left) == 0 {
		return true
	}
	r.partly = true
	c := r.codes[r.callee]
	if r.p.exact || c == 0 {
		return false
	}
	return r.descend(left, c, codeLength(c), r.callee+1, r.end(c, codeLength(c), r.callee+1))
}

// end returns the first callee from low on that doesn't begin with c.
func (r *reacher) end(c uint64, length, low int) int {
	last := c | (1<<(64-4*length) - 1)
	at, found := slices.BinarySearch(r.codes[low:], last)
	if found {
		at++
	}
	return low + at
}

// descend reports whether the longer callees, from low to high, take what is left of
// the calls to numbers that begin with c. It looks at the number c itself, too, whose
// postings for whole numbers stand at its callee.
func (r *reacher) descend(left []box, c uint64, length, low, high int) bool {
	if r.visited++; r.visited > maxDescended {
		r.over = true
		return false
	}
	if starred(c) {
		return false
	}
	if validNumber(c) {
		whole := left
		if callee, ok := r.find(c); ok {
			whole = r.without(left, callee, true, true)
		}
		if len(whole) > 0 {
			return false
		}
	}
	if !longer(c, length) {
		return true
	}
	for s := uint64(1); s <= 10; s++ {
		if length == 1 && c>>60 == plusSymbol && s == 1 {
			continue // no country code begins with 0
		}
		child := c | s<<(60-4*length)
		if low == high || child > r.codes[high-1] {
			return false // nothing from here on
		}
		from := low + lowerBound(r.codes[low:high], child)
		to := r.end(child, length+1, from)
		if from >= to {
			return false // no callee begins with it
		}
		rest := left
		next := from
		if r.codes[from] == child {
			next++
			rest = r.without(left, from, false, false)
		}
		if len(rest) > 0 && !r.descend(rest, child, length+1, next, to) {
			return false
		}
	}
	return true
}

func lowerBound(codes []uint64, c uint64) int {
	at, _ := slices.BinarySearch(codes, c)
	return at
}

// without returns what is left of the boxes without the calls that go to postings of
// the callee which rank before the current one. whole says that all calls are to that
// number, so that its postings for whole numbers count; wholeOnly says that no others
// count.
func (r *reacher) without(left []box, callee int, whole, wholeOnly bool) []box {
	visit := func(q *posting) bool {
		if callee == r.callee && q.rank <= r.p.rank || r.priorityFirst && q.priority < r.p.priority {
			return false // nor does any behind it
		}
		r.pairs++
		if r.compared++; r.compared > maxCompared || r.pairs > r.l.opts.MaxPairs {
			r.over = true
			return false
		}
		if q.exact && !whole || wholeOnly && !q.exact || !r.outranks(q, callee) {
			return true
		}
		left = r.takeBy(left, q, callee == emergencyRoot)
		return len(left) > 0
	}
	r.each(callee, visit)
	return left
}

func (r *reacher) takeBy(left []box, q *posting, emergencyOnly bool) []box {
	if q.callers != 0 && (r.callerLen == 0 || !r.callers[q.callers].takes(r.caller, r.callerLen)) {
		return left
	}
	cond := &r.conds.list[q.cond]
	if cond.all && !emergencyOnly {
		r.note(q.rule, !r.partly)
		return nil
	}
	zone := r.zone
	t, ok := cond.of(r.cond, emergencyOnly, &zone)
	if !ok {
		return left
	}
	out, changed, ok := take(left, &t)
	if !ok {
		r.over = true
		return left
	}
	if changed {
		r.zone = zone
		r.note(q.rule, len(out) == 0 && !r.partly && r.alone(&t))
	}
	return out
}

// note records who takes calls of the posting. alone says that it takes all.
func (r *reacher) note(rule int32, alone bool) {
	if alone {
		r.found = r.found[:0]
	}
	if !slices.Contains(r.found, rule) {
		r.found = append(r.found, rule)
	}
}

// alone reports whether t by itself takes all calls of the posting. Then nobody who
// takes a part needs to be named.
func (r *reacher) alone(t *taker) bool {
	start := r.cond.calls(r.callee == emergencyRoot, r.at)
	left, _, ok := take([]box{start}, t)
	return ok && len(left) == 0
}

// outranks reports whether q, of that callee, ranks before the current posting.
func (r *reacher) outranks(q *posting, callee int) bool {
	switch {
	case q.rule == r.p.rule:
		return false
	case callee == r.callee:
		return q.rank > r.p.rank
	case !r.priorityFirst:
		return callee == emergencyRoot || r.callee != emergencyRoot && callee > r.callee
	case callee == emergencyRoot || r.callee != emergencyRoot && callee > r.callee:
		return q.priority >= r.p.priority
	default:
		return q.priority > r.p.priority
	}
}

// each visits the callee's postings for the current tenant, in rank order, until visit
// returns false. For everyone's calls it skips rules of some tenants: there may always
// be one more tenant.
func (r *reacher) each(callee int, visit func(q *posting) bool) {
	list := r.of(callee)
	if len(list) <= fewPostings {
		for i := range list {
			if q := &list[i]; r.holds(q) && !visit(q) {
				return
			}
		}
		return
	}
	filed := r.file(callee)
	everyones := filed[0]
	var own []int32
	if !r.everyone {
		own = filed[r.tenant]
	}
	for len(everyones)+len(own) > 0 { // both are in rank order, which is that of their numbers
		var at int32
		if len(own) == 0 || len(everyones) > 0 && everyones[0] < own[0] {
			at, everyones = everyones[0], everyones[1:]
		} else {
			at, own = own[0], own[1:]
		}
		if !visit(&list[at]) {
			return
		}
	}
}

func (r *reacher) holds(q *posting) bool {
	if q.tenants == 0 {
		return true
	}
	if r.everyone {
		return false
	}
	_, ok := slices.BinarySearch(r.tenants[q.tenants], r.tenant)
	return ok
}

// file returns the callee's postings by tenant, 0 for everyone's.
func (x *index) file(callee int) map[uint32][]int32 {
	if have, ok := x.filed[int32(callee)]; ok {
		return have
	}
	filed := map[uint32][]int32{}
	for i, q := range x.of(callee) {
		if q.tenants == 0 {
			filed[0] = append(filed[0], int32(i))
		}
		for _, t := range x.tenants[q.tenants] {
			filed[t] = append(filed[t], int32(i))
		}
	}
	x.filed[int32(callee)] = filed
	return filed
}
