package routing

import (
	"math"
	"math/bits"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// chooser orders the destinations of one call.
type chooser struct {
	r     *Router
	req   *calls.Request
	live  Live // nil if nothing is known of the destinations
	d     *calls.Decision
	trace *[]DestinationVerdict // nil unless Explain asks
	call  uint64                // the hash of the call's id
	at    int64                 // Unix seconds
	to    dialled               // the callee, after the first look-up of a rate

	emergency  bool
	dear       bool // a destination was left out for the margin
	takeDown   bool // take destinations that are down, too
	down, full int  // how many destinations were left out for it
}

// ranked is a target of the current tier with what orders it: the lowest rank goes
// first, and among equal ranks the lowest score.
type ranked struct {
	rank   int64
	score  float64
	dest   *destination
	deck   *RateTable // for calls of the caller; nil: none
	rate   *rate
	prefix string // of the rate
	status Status
	weight uint32
}

// restartWithDown starts over and takes destinations that are down, too.
func (c *chooser) restartWithDown() {
	c.takeDown, c.down, c.full = true, 0, 0
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

// fewTargets is how many targets most tiers have at most. Longer tiers get more
// room, which takes time to clear.
const fewTargets = 8

func (c *chooser) tier(t *tier, number int, targets []target) {
	if len(targets) <= fewTargets {
		var room [fewTargets]ranked
		var sorted [fewTargets]uint8
		c.order(t, number, targets, room[:0], sorted[:])
		return
	}
	c.manyInTier(t, number, targets)
}

//go:noinline
func (c *chooser) manyInTier(t *tier, number int, targets []target) {
	var room [MaxTargets]ranked
	var sorted [MaxTargets]uint8
	c.order(t, number, targets, room[:0], sorted[:])
}

// order inserts each target into its place among those before it. That is quickest
// for a few targets, keeps equal ones as listed, and allocates nothing. sorted
// holds the targets' indexes in order.
func (c *chooser) order(t *tier, number int, targets []target, list []ranked, sorted []uint8) {
	byWeight := t.order == ByWeight || t.order == ByQuality && c.explores(t)
	alone := len(targets) == 1
	for i := range targets {
		n := len(list)
		list = list[:n+1]
		x := &list[n]
		*x = ranked{dest: &c.r.dests[targets[i].dest], weight: targets[i].weight}
		c.lookUp(x)
		if why := c.leaveReason(t, x); why != "" {
			c.leaveOut(t, number, x, why)
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

func (x *ranked) before(y *ranked) bool {
	return x.rank < y.rank || x.rank == y.rank && x.score < y.score
}

// look finds out what is to be known of the destination.
func (c *chooser) lookUp(x *ranked) {
	if c.live != nil {
		x.status = c.live.Status(x.dest.id)
	}
	if x.deck = x.dest.ratesFor(c.req.From); x.deck != nil {
		x.rate, x.prefix = c.find(x.deck)
	}
}

// find is the deck's rate for the callee, nil if it has none.
func (c *chooser) find(deck *RateTable) (*rate, string) {
	if c.req.At.IsZero() {
		return nil, "" // without a time no rate is known to hold
	}
	if c.to.code == 0 {
		c.to = dial(c.req.To)
	}
	return deck.find(&c.to, c.at)
}

// profitable reports whether the price of the call leaves the tier's margin.
func (c *chooser) profitable(t *tier, x *ranked) bool {
	price, _ := c.find(t.sell)
	if price == nil {
		return false
	}
	costHigh, costLow := bits.Mul64(uint64(x.rate.sixtieths(t.assume)), 100)
	mostHigh, mostLow := bits.Mul64(uint64(price.sixtieths(t.assume)), t.keep)
	return costHigh < mostHigh || costHigh == mostHigh && costLow <= mostLow
}

// score sets the place of the destination in its tier.
func (c *chooser) score(t *tier, x *ranked, byWeight bool) {
	switch {
	case byWeight:
		x.score = c.draw(x)
	case t.order == ByQuality:
		x.rank, x.score = -int64(x.status.Quality), c.draw(x)
	case t.order == ByCost && x.rate != nil:
		if x.rank = x.rate.sixtieths(t.assume); c.belowQuality(t, x) {
			x.rank += behindQuality
		}
	case t.order == ByCost:
		x.rank = math.MaxInt64
	default: // as listed
	}
}

// behindQuality is more than any cost.
const behindQuality = math.MaxInt64 / 2

// belowQuality reports whether the destination is below the quality that the tier asks for.
func (c *chooser) belowQuality(t *tier, x *ranked) bool {
	return c.live != nil && x.status.Quality < t.minQuality
}

// draw returns the target's score by weighted rendezvous hashing: -ln(u)/w with u
// from the hashes of call and target. The lowest score goes first, so a target
// comes first with the probability w ÷ the sum of the tier's weights (Thaler &
// Ravishankar 1998, with the exponential keys of Efraimidis & Spirakis 2006).
func (c *chooser) draw(x *ranked) float64 {
	return -math.Log(toUnit(mix(c.call^x.dest.idHash))) / float64(x.weight)
}

// explores reports whether the call goes by weight alone, so that the quality of
// every target of the tier stays known.
func (c *chooser) explores(t *tier) bool { return mix(c.call^exploreSalt)>>11 < t.explore }

// leaveReason returns why the destination is left out, "" if it is not.
func (c *chooser) leaveReason(t *tier, x *ranked) calls.LeftReason {
	s := &x.status
	switch {
	case s.Full != "":
		c.full++
		return s.Full
	case c.takeDown:
	case s.Health == Down, s.Health == Probing && mix(c.call^x.dest.idHash^probeSalt)%1000 >= uint64(s.ProbeShare):
		c.down++
		return calls.LeftDown
	}
	switch {
	case c.emergency:
	case (t.requireRate || t.sell != nil) && x.rate == nil:
		return calls.LeftNoRate
	case t.sell != nil && !c.profitable(t, x):
		c.dear = true
		return calls.LeftMargin
	}
	return ""
}

func (c *chooser) leaveOut(t *tier, number int, x *ranked, why calls.LeftReason) {
	c.d.LeftOut = append(c.d.LeftOut, calls.LeftOut{ID: x.dest.id, Reason: why})
	if c.trace != nil {
		c.traceLeft(t, number, x, why)
	}
}

func (c *chooser) take(t *tier, number int, x *ranked, byWeight bool) {
	d := calls.Destination{ID: x.dest.id, URI: x.dest.uri, Number: x.dest.callee.of(c.req), Attributes: x.dest.attributes, Headers: x.dest.headers}
	d.Caller, d.CallerPrivacy = x.dest.caller.of(c.req, c.call^x.dest.idHash)
	if x.rate != nil {
		d.Cost = x.rate.cost(t.assume, x.prefix, x.deck.currency)
	}
	c.d.Destinations = append(c.d.Destinations, d)
	if c.trace != nil {
		c.traceTaken(t, number, x, byWeight)
	}
}

// The salts make the draws of one call independent of each other.
const (
	poolSalt    = 0x9e3779b97f4a7c15
	exploreSalt = 0xd1b54a32d192ed03
	probeSalt   = 0x8cb92ba72f3d8dd7
	canarySalt  = 0x5851f42d4c957f2d
)

// hashString returns the 64-bit FNV-1a hash of s.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over the whole word. It is the finaliser of
// SplitMix64 (Steele, Lea & Flood 2014). Without it, call ids that count up would
// give scores that count up.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// toUnit maps a hash to a number between 0 and 1, both excluded.
func toUnit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
