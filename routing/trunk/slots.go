package trunk

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Key names a call whose place is held.
type Key struct {
	Tenant callmodel.TenantID
	Call   callmodel.CallID
}

// slot is the place that a call holds.
type slot struct {
	dest     *destination
	attempt  int
	begun    int64 // the attempt
	held     int64 // since when the call holds a place
	expires  int64
	check    int64 // when somebody should ask what became of it
	ringing  bool
	answered int64
	entered  entered
}

const (
	slotShards = 64
	firstCheck = 30 * time.Second
	sweepEvery = time.Second
)

// slots holds the places by call, in shards with a lock each.
type slots struct {
	seed   maphash.Seed
	shards [slotShards]slotShard
	swept  atomic.Int64
}

type slotShard struct {
	mu   sync.Mutex
	held map[Key]*slot
	_    [48]byte // a cache line of its own
}

func (s *slots) init() {
	s.seed = maphash.MakeSeed()
	for i := range s.shards {
		s.shards[i].held = map[Key]*slot{}
	}
}

func (s *slots) shard(k Key) *slotShard {
	return &s.shards[maphash.Comparable(s.seed, k)%slotShards]
}

// Reservation is a place that a call is about to take. Hold or Cancel it. The zero
// value belongs to an unknown destination and does nothing.
type Reservation struct {
	g     *Group
	dest  *destination // nil: one that isn't known
	begun int64

	entered entered
}

// Reserve takes a place at the destination for a call that is about to be sent there.
// ok is false if there is none. An unknown destination takes any number of calls.
func (g *Group) Reserve(destination string) (r Reservation, ok bool) {
	return g.reserve(destination, false)
}

// ReserveAnyway takes a place whatever the limits.
func (g *Group) ReserveAnyway(destination string) Reservation {
	r, _ := g.reserve(destination, true)
	return r
}

func (g *Group) reserve(id string, anyway bool) (Reservation, bool) {
	d := g.destination(id)
	if d == nil {
		return Reservation{}, true
	}
	now := g.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !anyway && d.limit.full(now) != "" {
		return Reservation{}, false
	}
	d.limit.add(now)
	return Reservation{g: g, dest: d, begun: now}, true
}

// Cancel gives the place back: the call was not sent.
func (r Reservation) Cancel() {
	r.entered.undo()
	if r.dest == nil {
		return
	}
	r.dest.mu.Lock()
	defer r.dest.mu.Unlock()
	r.dest.limit.remove(r.begun)
}

// Hold keeps the place for the call until it ends. A call holds one place: if it has
// one already, Hold gives this one back.
func (r Reservation) Hold(k Key) {
	if r.dest == nil && r.entered == (entered{}) {
		return
	}
	s := r.g.slots.shard(k)
	s.mu.Lock()
	_, has := s.held[k]
	if !has {
		s.held[k] = &slot{
			dest: r.dest, begun: r.begun, held: r.begun, entered: r.entered,
			expires: r.begun + int64(r.g.opts.SetupTTL), check: r.begun + int64(firstCheck),
		}
	}
	s.mu.Unlock()
	if has {
		r.Cancel()
	}
}

// Observe follows a call that moved: it moves the call's place or gives it back, and
// updates health and quality of its destination. cause is the cause of the event, nil
// if there is none or it isn't known. Observe goes by the call's state alone, so
// seeing a call again changes nothing. It returns false if the call holds no place.
func (g *Group) Observe(c *calls.Call, cause *calls.Cause) bool {
	k := Key{c.TenantID, c.ID}
	shard := g.slots.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	s := shard.held[k]
	if s == nil {
		return false
	}
	now := g.now()
	if c.Attempt > s.attempt {
		g.learn(s.dest, failure(cause))
		g.release(s.dest)
		if !g.moveOn(s, c, now) {
			s.entered.leave()
			delete(shard.held, k)
			return true
		}
	}
	if c.State == calls.Ringing || c.State == calls.Answered {
		g.alive(s, c, now)
	}
	if c.State.Final() {
		g.finish(s, c)
		delete(shard.held, k)
		return true
	}
	s.check = now + max(int64(firstCheck), (now-s.held)/4)
	return true
}

// moveOn takes a place at the destination at which the call is tried now, whatever
// its limits, since the call was sent there.
func (g *Group) moveOn(s *slot, c *calls.Call, now int64) bool {
	if c.Decision == nil || c.Attempt >= len(c.Decision.Destinations) {
		return false
	}
	r := g.ReserveAnyway(c.Decision.Destinations[c.Attempt].ID)
	if r.dest == nil && s.entered == (entered{}) {
		return false
	}
	*s = slot{dest: r.dest, attempt: c.Attempt, begun: now, held: s.held, expires: now + int64(g.opts.SetupTTL), entered: s.entered}
	return true
}

// alive learns from a call that rings or was answered, once each.
func (g *Group) alive(s *slot, c *calls.Call, now int64) {
	heard := c.RingingAt
	if heard.IsZero() {
		heard = c.AnsweredAt
	}
	if !s.ringing {
		s.ringing = true
		delay := min(max(heard.Sub(time.Unix(0, s.begun)), 0), g.opts.SetupTTL)
		g.learn(s.dest, outcome{worked: true, sample: sample{delays: 1, delay: delay}})
	}
	if c.State == calls.Answered && s.answered == 0 {
		s.answered = now
		s.expires = now + int64(g.opts.CallTTL)
		g.learn(s.dest, outcome{sample: sample{attempts: 1, answered: 1}})
	}
}

// finish learns from a call that is over and gives back its place.
func (g *Group) finish(s *slot, c *calls.Call) {
	switch {
	case !c.AnsweredAt.IsZero():
		o := outcome{worked: true, sample: sample{ended: 1, talk: max(c.EndedAt.Sub(c.AnsweredAt), 0)}}
		if s.answered == 0 { // its answer was seen by another process
			o.sample.attempts, o.sample.answered = 1, 1
		}
		g.learn(s.dest, o)
	case c.State == calls.Failed:
		g.learn(s.dest, failure(c.Cause))
	default: // the caller hung up before the answer
		g.learn(s.dest, failure(nil))
	}
	g.release(s.dest)
	s.entered.leave()
}

func (g *Group) release(d *destination) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit.calls.Add(-1)
}

// Drop gives back the place of a call that turned out not to exist.
func (g *Group) Drop(k Key) {
	shard := g.slots.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if s := shard.held[k]; s != nil {
		g.release(s.dest)
		s.entered.leave()
		delete(shard.held, k)
	}
}

// Silent lists at most n calls without an event for a while. Their events may have
// gone to another process, so look up what became of them and call Observe or Drop.
// A call is listed again only after a while, which grows with the call's age.
func (g *Group) Silent(n int) []Key {
	now := g.now()
	var list []Key
	for i := range g.slots.shards {
		shard := &g.slots.shards[i]
		shard.mu.Lock()
		for k, s := range shard.held {
			if len(list) == n {
				break
			}
			if now >= s.check {
				s.check = now + max(int64(firstCheck), (now-s.held)/4)
				list = append(list, k)
			}
		}
		shard.mu.Unlock()
	}
	return list
}

// Sweep gives back expired places and returns how many. It does nothing if it ran
// within the last second.
func (g *Group) Sweep() int {
	now := g.now()
	if last := g.slots.swept.Load(); now-last < int64(sweepEvery) || !g.slots.swept.CompareAndSwap(last, now) {
		return 0
	}
	n := 0
	for i := range g.slots.shards {
		shard := &g.slots.shards[i]
		shard.mu.Lock()
		for k, s := range shard.held {
			if now >= s.expires {
				g.release(s.dest)
				s.entered.leave()
				delete(shard.held, k)
				n++
			}
		}
		shard.mu.Unlock()
	}
	return n
}
