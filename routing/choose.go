package routing

import (
	"math"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// chooser puts the destinations of one call in order.
type chooser struct {
	r     *Router
	req   *calls.Request
	live  Live // nil: nothing is known
	d     *calls.Decision
	trace *[]DestinationVerdict // nil: nobody asks why
	call  uint64                // the hash of the call's id
	at    int64                 // Unix seconds
	to    dialled               // the callee, once a rate was looked up

	emergency  bool
	desperate  bool // destinations that are down are taken too
	down, full int  // how many were left out for it
}

// weighed is a target of the tier at hand with what it is ordered by: the
// lowest rank goes first, of equal ranks the lowest score.
type weighed struct {
	rank   int64
	score  float64
	dest   *destination
	rate   *rate
	prefix string // of the rate
	status Status
	weight uint32
}

// again starts over, when nothing but destinations that are down is left.
func (c *chooser) again() {
	c.desperate, c.down, c.full = true, 0, 0
	c.d.Destinations, c.d.LeftOut = c.d.Destinations[:0], c.d.LeftOut[:0]
	if c.trace != nil {
		*c.trace = (*c.trace)[:0]
	}
}

func (c *chooser) plan(p *plan) {
	start := 0
	for i := range p.tiers {
		t := &p.tiers[i]
		c.tier(t, i, p.targets[start:t.end])
		start = t.end
	}
}

// few is how many candidates a tier usually has at most. More room is made
// only when it is needed: it takes time to clear.
const few = 8

func (c *chooser) tier(t *tier, number int, targets []target) {
	if len(targets) <= few {
		var room [few]weighed
		var sorted [few]uint8
		c.order(t, number, targets, room[:0], sorted[:])
		return
	}
	c.manyInTier(t, number, targets)
}

//go:noinline
func (c *chooser) manyInTier(t *tier, number int, targets []target) {
	var room [MaxTargets]weighed
	var sorted [MaxTargets]uint8
	c.order(t, number, targets, room[:0], sorted[:])
}

// order keeps the candidates sorted as they come, which for a few is the
// quickest, keeps ties as listed, and allocates nothing. sorted holds their
// indexes.
func (c *chooser) order(t *tier, number int, targets []target, list []weighed, sorted []uint8) {
	byWeight := t.order == ByWeight || t.order == ByQuality && c.explores(t)
	alone := len(targets) == 1
	for i := range targets {
		n := len(list)
		list = list[:n+1]
		x := &list[n]
		*x = weighed{dest: &c.r.dests[targets[i].dest], weight: targets[i].weight}
		c.look(x)
		if why := c.leaves(t, x); why != "" {
			c.leave(number, x, why)
			list = list[:n]
			continue
		}
		if !alone {
			c.score(t, x, byWeight)
		}
		j := n
		for ; j > 0 && x.before(&list[sorted[j-1]]); j-- {
			sorted[j] = sorted[j-1]
		}
		sorted[j] = uint8(n)
	}
	for i := range list {
		c.take(t, number, &list[sorted[i]], byWeight)
	}
}

func (x *weighed) before(y *weighed) bool {
	return x.rank < y.rank || x.rank == y.rank && x.score < y.score
}

// look finds out what is to be known of the destination.
func (c *chooser) look(x *weighed) {
	if c.live != nil {
		x.status = c.live.Status(x.dest.id)
	}
	if x.dest.rates == nil || c.req.At.IsZero() {
		return // without a time no rate is known to hold
	}
	if c.to.code == 0 {
		c.to = dial(c.req.To)
	}
	x.rate, x.prefix = x.dest.rates.find(&c.to, c.at)
}

// score says where in its tier the destination stands.
func (c *chooser) score(t *tier, x *weighed, byWeight bool) {
	switch {
	case byWeight:
		x.score = c.draw(x)
	case t.order == ByQuality:
		x.rank, x.score = -int64(x.status.Quality), c.draw(x)
	case t.order == ByCost && x.rate != nil:
		x.rank = x.rate.sixtieths(t.assume)
	case t.order == ByCost:
		x.rank = math.MaxInt64
	default: // as listed
	}
}

// draw is the target's score by weighted rendezvous hashing: -ln(u)/w with u
// drawn from the call's and the target's hash. The lowest goes first, which it
// does with probability w ÷ the tier's sum of weights (Thaler & Ravishankar
// 1998, with Efraimidis & Spirakis' 2006 exponential keys).
func (c *chooser) draw(x *weighed) float64 {
	return -math.Log(unit(mix(c.call^x.dest.idHash))) / float64(x.weight)
}

// explores reports whether the call is one of those by which a tier's quality
// stays known.
func (c *chooser) explores(t *tier) bool { return mix(c.call^exploreSalt)>>11 < t.explore }

// leaves is why the destination is left out, "" if it is not.
func (c *chooser) leaves(t *tier, x *weighed) calls.LeftReason {
	s := &x.status
	switch {
	case s.Full != "":
		c.full++
		return s.Full
	case c.desperate:
	case s.Health == Down, s.Health == Probing && mix(c.call^x.dest.idHash^probeSalt)%1000 >= uint64(s.ProbeShare):
		c.down++
		return calls.LeftDown
	}
	if t.requireRate && x.rate == nil && !c.emergency {
		return calls.LeftNoRate
	}
	return ""
}

func (c *chooser) leave(number int, x *weighed, why calls.LeftReason) {
	c.d.LeftOut = append(c.d.LeftOut, calls.LeftOut{ID: x.dest.id, Reason: why})
	if c.trace != nil {
		c.traceLeft(number, x, why)
	}
}

func (c *chooser) take(t *tier, number int, x *weighed, byWeight bool) {
	d := calls.Destination{ID: x.dest.id, URI: x.dest.uri, Number: x.dest.callee.of(c.req.To)}
	d.Caller, d.CallerPrivacy = x.dest.caller.of(c.req, c.call^x.dest.idHash)
	if x.rate != nil {
		d.Cost = x.rate.cost(t.assume, x.prefix, x.dest.rates.currency)
	}
	c.d.Destinations = append(c.d.Destinations, d)
	if c.trace != nil {
		c.traceTaken(t, number, x, byWeight)
	}
}

// Salts keep the draws of one call apart from each other.
const (
	poolSalt    = 0x9e3779b97f4a7c15
	exploreSalt = 0xd1b54a32d192ed03
	probeSalt   = 0x8cb92ba72f3d8dd7
	canarySalt  = 0x5851f42d4c957f2d
)

// hashString is FNV-1a, 64 bit.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over the whole word: the finaliser of SplitMix64
// (Steele, Lea & Flood 2014), without which call ids that count up would give
// scores that do too.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a hash to (0, 1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
