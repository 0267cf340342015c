package trunk

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// Group is the state of the destinations of one owner's rule sets. Any number of
// goroutines may use it. Make one with New. Only probes need Run, which also gives
// expired places back sooner.
type Group struct {
	opts  Options
	dests atomic.Pointer[map[string]*destination]
	slots slots

	configuring sync.Mutex
	share       share             // under configuring
	limits      routing.AllLimits // of others than destinations; under counting
	counting    sync.RWMutex
	counters    map[counterKey]*counter // under counting
	shared      share                   // share, under counting
}

var _ routing.Live = (*Group)(nil)

type destination struct {
	id      string
	mu      sync.Mutex // of writers
	uri     string
	limits  routing.Limits // of all processes
	limit   limit
	health  health
	quality quality
}

// New makes a group without destinations. It starts nothing. o may be nil.
func New(o *Options) *Group {
	if o == nil {
		o = &Options{}
	}
	g := &Group{opts: o.filled(), counters: map[counterKey]*counter{}}
	g.share = share{index: -1, of: g.opts.Share}
	g.shared = g.share
	g.dests.Store(&map[string]*destination{})
	g.slots.init()
	return g
}

// Configure sets the destinations to those of a rule set. Destinations whose ids the
// group knows keep their state. Those that the rule set lacks are forgotten once they
// carry no calls.
func (g *Group) Configure(endpoints map[string]routing.Endpoint) {
	g.configuring.Lock()
	defer g.configuring.Unlock()
	old := *g.dests.Load()
	next := make(map[string]*destination, len(endpoints))
	for id, d := range old {
		if _, stays := endpoints[id]; !stays && d.limit.calls.Load() > 0 {
			next[id] = d
		}
	}
	for id, e := range endpoints {
		d := old[id]
		if d == nil {
			d = &destination{id: id}
		}
		d.mu.Lock()
		d.uri, d.limits = e.URI, e.Limits
		d.limit.allot(e.Limits, g.share, id)
		d.mu.Unlock()
		next[id] = d
	}
	g.dests.Store(&next)
}

func (g *Group) destination(id string) *destination { return (*g.dests.Load())[id] }

func (g *Group) now() int64 { return g.opts.Now().UnixNano() }

// Status implements routing.Live. It takes no locks.
func (g *Group) Status(id string) routing.Status {
	d := g.destination(id)
	if d == nil {
		return routing.Status{}
	}
	now := int64(0)
	if d.health.down.Load() || d.limit.cps.Load() > 0 {
		now = g.now() // the clock costs more than all the rest
	}
	return routing.Status{
		Health: d.health.state(now), ProbeShare: uint16(g.opts.ProbeShare),
		Quality: int16(d.quality.seen()), Full: d.limit.full(now),
	}
}

// Stats is the state of a destination, for people and metrics.
type Stats struct {
	Destination string
	Calls       int // that it carries
	Health      routing.Health
	Level       int // of its quality, 0 to 20
	// What the window of the quality holds, since the level last changed:
	Attempts int
	ASR      float64 // answer-seizure ratio, 0 to 1
	ACD      float64 // average call duration, seconds
	PDD      float64 // post-dial delay, seconds
}

// Stats returns the state of every destination, by id.
func (g *Group) Stats() []Stats {
	now := g.now()
	var list []Stats
	for id, d := range *g.dests.Load() {
		d.mu.Lock()
		d.quality.turn(now, &g.opts)
		s := d.quality.window()
		d.mu.Unlock()
		list = append(list, Stats{
			Destination: id, Calls: int(d.limit.calls.Load()), Health: d.health.state(now), Level: d.quality.seen(), Attempts: s.attempts,
			ASR: ratio(float64(s.answered), s.attempts), ACD: ratio(s.talk.Seconds(), s.ended), PDD: ratio(s.delay.Seconds(), s.delays),
		})
	}
	slices.SortFunc(list, func(a, b Stats) int { return strings.Compare(a.Destination, b.Destination) })
	return list
}

func ratio(sum float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// outcome says what became of an attempt, as far as it is known.
type outcome struct {
	worked, failed bool // what it says of the network
	sample         sample
}

// learn updates health and quality by an outcome.
func (g *Group) learn(d *destination, o outcome) {
	if d == nil { // of a call whose place isn't at a destination that is known
		return
	}
	now := g.now()
	d.mu.Lock()
	health, level := false, false
	if o.worked {
		health = d.health.worked(now, &g.opts)
	}
	if o.failed {
		health = d.health.failed(now, &g.opts)
	}
	if o.sample != (sample{}) {
		level = d.quality.record(now, o.sample, &g.opts)
	}
	d.mu.Unlock()
	change := Change{Destination: d.id, Health: d.health.state(now), Level: d.quality.seen()}
	if health {
		change.Why = "health"
		g.opts.Changed(change)
	}
	if level {
		change.Why = "quality"
		g.opts.Changed(change)
	}
}

// failure returns the outcome of an attempt that was not answered. cause is nil if it
// is not known.
func failure(cause *calls.Cause) outcome {
	o := outcome{sample: sample{attempts: 1}}
	if cause != nil {
		o.failed = networkFailure(cause)
		o.worked = !o.failed
	}
	return o
}
