package simulate

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/trunk"
)

// Options say how to simulate. The zero value works.
type Options struct {
	// Assume is how long calls without a length last. 0 means 180 s.
	Assume time.Duration
	// Share is how many processes decide, each of which enforces its part of the
	// limits. The simulation is of one of them. 0 means 1.
	Share int
	// Series asks for values by the minute.
	Series bool
	// Progress is told now and then how many of all calls were simulated, and at the end
	// that all were. Nil: nobody is.
	Progress func(done, total int64)
}

// Limits of a simulation.
const (
	// MaxMinutes is the longest time for which series are kept: a week.
	MaxMinutes    = 7 * 24 * 60
	defaultAssume = 180 * time.Second
	checkEvery    = 4096 // calls between looks at the context
)

// Run simulates the calls, in any order, by the router. It doesn't change them. o
// may be nil. The error is the context's, or callmodel.FieldErrors of calls that
// have no At, which is the clock here.
func Run(ctx context.Context, router *routing.Router, calls []callfile.Call, o *Options) (*Report, error) {
	for i := range calls {
		if calls[i].At.IsZero() {
			return nil, callmodel.FieldErrors{{Path: fmt.Sprintf("calls[%d].at", i), Line: calls[i].Line, Message: "is missing; give the time of the call"}}
		}
	}
	s := newSimulation(router, o)
	order := make([]int32, len(calls))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(calls[a].At.Compare(calls[b].At), cmp.Compare(calls[a].Line, calls[b].Line), cmp.Compare(a, b))
	})
	s.begin(calls, order)
	for n, i := range order {
		if n%checkEvery == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			s.progress(n, len(order))
		}
		s.call(&calls[i], int(i))
	}
	for len(s.ends) > 0 {
		s.endNext()
	}
	s.progress(len(order), len(order))
	return s.done(), nil
}

func (s *simulation) progress(done, total int) {
	if s.opts.Progress != nil {
		s.opts.Progress(int64(done), int64(total))
	}
}

// simulation is one run.
type simulation struct {
	router *routing.Router
	opts   Options
	group  *trunk.Group
	now    time.Time
	ends   ends
	report Report
	dests  map[string]*destination
	first  int64 // the minute of the first call, since 1970
	series bool
	d, d0  calls.Decision
}

func newSimulation(router *routing.Router, o *Options) *simulation {
	s := &simulation{router: router, dests: map[string]*destination{}}
	if o != nil {
		s.opts = *o
	}
	s.opts.Assume = cmp.Or(s.opts.Assume, defaultAssume)
	s.report.AssumedSeconds = int(s.opts.Assume / time.Second)
	s.group = trunk.New(&trunk.Options{Share: s.opts.Share, Now: func() time.Time { return s.now }})
	endpoints := router.Endpoints()
	s.group.Configure(endpoints)
	for id, e := range endpoints {
		s.dests[id] = &destination{Destination: Destination{ID: id, Concurrent: s.part(e.Limits.Concurrent), CPS: s.part(e.Limits.CPS)}}
	}
	return s
}

// part returns this process's part of a limit, as trunk.Options.Share says.
func (s *simulation) part(limit int) int {
	if limit == 0 {
		return 0
	}
	return max(limit/max(s.opts.Share, 1), 1)
}

func (s *simulation) begin(calls []callfile.Call, order []int32) {
	if len(order) == 0 {
		return
	}
	first, last := calls[order[0]].At, calls[order[len(order)-1]].At
	s.report.Start = first.UTC().Truncate(time.Minute)
	s.first = s.report.Start.Unix() / 60
	if !s.opts.Series {
		return
	}
	if minutes := last.Sub(first) / time.Minute; minutes >= MaxMinutes {
		s.report.SeriesLeftOut = fmt.Sprintf("the calls are spread over %d minutes, and series are kept of %d", minutes, MaxMinutes)
		return
	}
	s.series = true
}

// end is when a call is over: a call of the demand, or one that holds a place.
type end struct {
	at   int64 // Unix nanoseconds
	dest *destination
	held int // the call's number plus one; 0 for the demand's
}

type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push is for container/heap.
func (e *ends) Push(x any) {
	if one, ok := x.(end); ok {
		*e = append(*e, one)
	}
}

// Pop is for container/heap.
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// endNext ends the call that is over first.
func (s *simulation) endNext() {
	e, ok := heap.Pop(&s.ends).(end)
	if !ok {
		return // unreachable: the heap holds ends
	}
	s.now = time.Unix(0, e.at)
	if s.report.End.Before(s.now) {
		s.report.End = s.now.UTC()
	}
	if e.held == 0 {
		e.dest.demandEnds(e.at)
		return
	}
	e.dest.gauge.add(s.minute(), -1)
	s.group.Drop(key(e.held))
}

// key names a call by its number, since recorded ids may come twice.
func key(number int) trunk.Key { return trunk.Key{Call: callmodel.CallID(strconv.Itoa(number))} }

// minute returns the minutes since the start, -1 without series.
func (s *simulation) minute() int {
	if !s.series {
		return -1
	}
	return min(int(s.now.Unix()/60-s.first), MaxMinutes-1)
}

func (s *simulation) call(c *callfile.Call, number int) {
	at := c.At.UnixNano()
	for len(s.ends) > 0 && s.ends[0].at <= at {
		s.endNext()
	}
	s.now = c.At
	s.report.Calls++
	lasts := c.Length
	if lasts < 0 {
		s.report.Assumed++
		lasts = s.opts.Assume
	}
	until := at + int64(lasts)
	if s.router.RouteInto(&c.Request, &s.d0) != nil || len(s.d0.Destinations) == 0 {
		s.report.NoRoute++
		return
	}
	wanted := s.dests[s.d0.Destinations[0].ID]
	wanted.demandBegins(at)
	heap.Push(&s.ends, end{until, wanted, 0})
	err := s.router.RouteLive(&c.Request, s.group, &s.d)
	if err != nil {
		s.refused(wanted, err)
		return
	}
	got := s.dests[s.d.Destinations[0].ID]
	if got != wanted {
		s.report.Overflow++
		wanted.Overflow++
		got.FromOthers++
		s.countNoRoom(wanted)
	}
	s.group.ReserveAnyway(got.ID).Hold(key(number + 1))
	got.begins(s.now.Unix(), s.minute())
	heap.Push(&s.ends, end{until, got, number + 1})
}

// refused counts a call that no destination takes.
func (s *simulation) refused(wanted *destination, err error) {
	if !errors.Is(err, routing.ErrNoCapacity) {
		s.report.NoRoute++
		return
	}
	s.report.Refused++
	wanted.Refused++
	s.countNoRoom(wanted)
}

// countNoRoom counts the limit by which the destination was left out.
func (s *simulation) countNoRoom(wanted *destination) {
	for _, left := range s.d.LeftOut {
		if left.ID != wanted.ID {
			continue
		}
		if left.Reason == calls.LeftCPS {
			wanted.FullCPS++
		} else {
			wanted.FullConcurrent++
		}
	}
	if m := s.minute(); m >= 0 {
		wanted.noRoom = at(wanted.noRoom, m)
		wanted.noRoom[m]++
	}
}

// done returns the report, when all calls are over.
func (s *simulation) done() *Report {
	minutes := 0
	for _, d := range s.dests {
		minutes = max(minutes, d.gauge.minutes(), len(d.noRoom), len(d.calls), len(d.rates))
	}
	for _, d := range s.dests {
		if d.Demand == 0 && d.Calls == 0 && d.Concurrent == 0 && d.CPS == 0 {
			continue
		}
		d.finish()
		if s.series {
			d.gauge.fill(minutes - 1)
			d.Series = &Series{
				Calls: pad(d.calls, minutes), PeakCPS: pad(d.rates, minutes), PeakConcurrent: pad(d.gauge.series, minutes),
				NoRoom: pad(d.noRoom, minutes),
			}
		}
		s.report.Destinations = append(s.report.Destinations, d.Destination)
	}
	slices.SortFunc(s.report.Destinations, func(a, b Destination) int { return cmp.Compare(a.ID, b.ID) })
	return &s.report
}
