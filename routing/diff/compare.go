package diff

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callfile"
)

// Options say how to compare. The zero value works.
type Options struct {
	// Workers is how many goroutines visit at once. 0 means the default of
	// callfile.Options.
	Workers int
	// Groups is how many groups are listed. 0 means 100.
	Groups int
	// Examples is how many calls of each group are listed. 0 means 3.
	Examples int
	// Assume is the length of calls for which none is recorded. 0 means 180 s.
	Assume time.Duration
}

const (
	defaultGroups   = 100
	defaultExamples = 3
	defaultAssume   = 180 * time.Second
)

// Comparison counts what two sets do with calls. Make one with New, let calls
// visit it, and ask for the Report.
type Comparison struct {
	before, after *Set
	opts          Options
	workers       []worker
}

// New makes a comparison. o may be nil.
func New(before, after *Set, o *Options) *Comparison {
	c := &Comparison{before: before, after: after}
	if o != nil {
		c.opts = *o
	}
	c.opts.Workers = (&callfile.Options{Workers: c.opts.Workers}).Filled().Workers
	c.opts.Groups = cmp.Or(c.opts.Groups, defaultGroups)
	c.opts.Examples = cmp.Or(c.opts.Examples, defaultExamples)
	c.opts.Assume = cmp.Or(c.opts.Assume, defaultAssume)
	c.workers = make([]worker, c.opts.Workers)
	for i := range c.workers {
		w := &c.workers[i]
		w.c, w.groups, w.kinds = c, map[change]*Group{}, map[Kind]int{}
		w.before.init(before)
		w.after.init(after)
	}
	return c
}

// Workers returns how many goroutines may visit at once.
func (c *Comparison) Workers() int { return len(c.workers) }

// Visit counts calls and doesn't keep them. Several goroutines may call it at once,
// each with another worker, from 0 to Workers-1. Calls without an At have no route
// by either set, emergency calls aside.
func (c *Comparison) Visit(worker int, calls []callfile.Call) {
	w := &c.workers[worker]
	for i := range calls {
		w.call(&calls[i])
	}
}

// Calls counts calls with all workers.
func (c *Comparison) Calls(calls []callfile.Call) {
	var wg sync.WaitGroup
	n := len(c.workers)
	for i := range n {
		part := calls[len(calls)*i/n : len(calls)*(i+1)/n]
		wg.Go(func() { c.Visit(i, part) })
	}
	wg.Wait()
}

// change identifies a group.
type change struct {
	kind          Kind
	before, after Outcome
}

// worker is what one goroutine counts.
type worker struct {
	c             *Comparison
	before, after side
	groups        map[change]*Group
	kinds         map[Kind]int
	calls         int
	changed       int
	assumed       int
}

// side is what one set does with calls.
type side struct {
	set     *Set
	d       calls.Decision
	first   int // the destination of the call at hand, -1 for none
	cost    callmodel.Amount
	noRoute int
	usage   []Usage
	seconds [][]int64 // when each destination's calls began, as Unix time
}

func (s *side) init(set *Set) {
	s.set = set
	s.usage = make([]Usage, len(set.ids))
	s.seconds = make([][]int64, len(set.ids))
}

// decide routes the call and counts its load.
func (s *side) decide(req *calls.Request, length time.Duration) {
	s.first, s.cost = -1, 0
	if err := s.set.router.RouteInto(req, &s.d); err != nil || len(s.d.Destinations) == 0 {
		s.d.Destinations = s.d.Destinations[:0]
		s.noRoute++
		return
	}
	s.first = s.set.index[s.d.Destinations[0].ID]
	u := &s.usage[s.first]
	u.Calls++
	u.Seconds += int64(length / time.Second)
	s.seconds[s.first] = append(s.seconds[s.first], req.At.Unix())
	cost, ok := s.set.cost(s.first, req, length)
	if !ok {
		u.Unrated++
		return
	}
	s.cost = cost
	u.Cost += cost
}

func (s *side) outcome() Outcome {
	o := Outcome{Rule: s.d.Rule}
	if s.first >= 0 {
		o.Destination = s.set.ids[s.first]
	}
	return o
}

func (w *worker) call(call *callfile.Call) {
	length := call.Billable(w.c.opts.Assume)
	if call.Length < 0 {
		w.assumed++
	}
	w.calls++
	w.before.decide(&call.Request, length)
	w.after.decide(&call.Request, length)
	kind := kindOf(&w.before.d, &w.after.d)
	if kind == "" {
		return
	}
	w.changed++
	w.kinds[kind]++
	key := change{kind, w.before.outcome(), w.after.outcome()}
	g := w.groups[key]
	if g == nil {
		g = &Group{Kind: kind, Before: key.before, After: key.after}
		w.groups[key] = g
	}
	g.Calls++
	g.Seconds += int64(length / time.Second)
	g.CostBefore += w.before.cost
	g.CostAfter += w.after.cost
	w.example(g, call)
}

// example keeps the call if it is one of the first of its group.
func (w *worker) example(g *Group, call *callfile.Call) {
	n := len(g.Examples)
	if n == w.c.opts.Examples && call.Line > g.Examples[n-1].Line {
		return
	}
	g.Examples = append(g.Examples, Example{
		Line: call.Line, CallID: callmodel.CallID(strings.Clone(string(call.CallID))), Before: names(&w.before.d), After: names(&w.after.d),
	})
	g.trim(w.c.opts.Examples)
}

func (g *Group) trim(most int) {
	slices.SortFunc(g.Examples, func(a, b Example) int { return cmp.Compare(a.Line, b.Line) })
	g.Examples = g.Examples[:min(len(g.Examples), most)]
}

func names(d *calls.Decision) []string {
	list := make([]string, len(d.Destinations))
	for i := range d.Destinations {
		list[i] = d.Destinations[i].ID
	}
	return list
}

// kindOf returns how the decisions differ, "" if they don't.
func kindOf(a, b *calls.Decision) Kind {
	x, y := a.Destinations, b.Destinations
	switch {
	case len(x) == 0 && len(y) == 0:
		if a.Rule != b.Rule {
			return Rule
		}
		return ""
	case len(y) == 0:
		return Lost
	case len(x) == 0:
		return Gained
	case x[0].ID != y[0].ID:
		return Destination
	}
	if len(x) != len(y) {
		return Order
	}
	form := false
	for i := range x {
		if x[i].ID != y[i].ID {
			return Order
		}
		form = form || x[i].URI != y[i].URI || x[i].Number != y[i].Number || x[i].Caller != y[i].Caller || x[i].CallerPrivacy != y[i].CallerPrivacy
	}
	switch {
	case form:
		return Form
	case a.Rule != b.Rule:
		return Rule
	}
	return ""
}

// Report returns what was counted. Visit must not run at the same time.
func (c *Comparison) Report() *Report {
	r := &Report{Kinds: map[Kind]int{}, CurrencyBefore: c.before.currency, CurrencyAfter: c.after.currency, AssumedSeconds: int(c.opts.Assume / time.Second)}
	groups := map[change]*Group{}
	for i := range c.workers {
		w := &c.workers[i]
		r.Calls += w.calls
		r.Changed += w.changed
		r.Assumed += w.assumed
		r.NoRouteBefore += w.before.noRoute
		r.NoRouteAfter += w.after.noRoute
		for k, n := range w.kinds {
			r.Kinds[k] += n
		}
		for k, g := range w.groups {
			c.merge(groups, k, g)
		}
	}
	list := slices.SortedFunc(maps.Values(groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Examples[0].Line, b.Examples[0].Line),
			cmp.Compare(a.Before.Rule+" "+a.After.Rule, b.Before.Rule+" "+b.After.Rule))
	})
	r.Groups = make([]Group, 0, min(len(list), c.opts.Groups))
	for i, g := range list {
		if i < c.opts.Groups {
			r.Groups = append(r.Groups, *g)
			continue
		}
		r.OtherGroups++
		r.OtherCalls += g.Calls
	}
	c.load(r)
	return r
}

func (c *Comparison) merge(groups map[change]*Group, k change, g *Group) {
	have := groups[k]
	if have == nil {
		one := *g
		one.Examples = slices.Clone(g.Examples)
		groups[k] = &one
		return
	}
	have.Calls += g.Calls
	have.Seconds += g.Seconds
	have.CostBefore += g.CostBefore
	have.CostAfter += g.CostAfter
	have.Examples = append(have.Examples, g.Examples...)
	have.trim(c.opts.Examples)
}

// load fills in how each destination's load shifts.
func (c *Comparison) load(r *Report) {
	byID := map[string]*Load{}
	each := func(of func(*worker) *side, to func(*Load) *Usage) {
		set := of(&c.workers[0]).set
		var all []int64
		for i, id := range set.ids {
			var u Usage
			var began []int64
			for j := range c.workers {
				s := of(&c.workers[j])
				one := &s.usage[i]
				u.Calls, u.Seconds, u.Cost, u.Unrated = u.Calls+one.Calls, u.Seconds+one.Seconds, u.Cost+one.Cost, u.Unrated+one.Unrated
				began = append(began, s.seconds[i]...)
			}
			if u.Calls == 0 {
				continue
			}
			u.PeakCPS, u.PeakAt = peak(began)
			all = append(all, began...)
			l := byID[id]
			if l == nil {
				l = &Load{Destination: id}
				byID[id] = l
			}
			*to(l) = u
			t := to(&r.Total)
			t.Calls, t.Seconds, t.Cost, t.Unrated = t.Calls+u.Calls, t.Seconds+u.Seconds, t.Cost+u.Cost, t.Unrated+u.Unrated
		}
		t := to(&r.Total)
		t.PeakCPS, t.PeakAt = peak(all)
	}
	each(func(w *worker) *side { return &w.before }, func(l *Load) *Usage { return &l.Before })
	each(func(w *worker) *side { return &w.after }, func(l *Load) *Usage { return &l.After })
	r.Load = make([]Load, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		r.Load = append(r.Load, *byID[id])
	}
}

// peak returns how often the most frequent second stands in the list, and which
// second that is. It sorts the list.
func peak(seconds []int64) (most int, at int64) {
	slices.Sort(seconds)
	for i := 0; i < len(seconds); {
		end := i + 1
		for end < len(seconds) && seconds[end] == seconds[i] {
			end++
		}
		if end-i > most {
			most, at = end-i, seconds[i]
		}
		i = end
	}
	return most, at
}
