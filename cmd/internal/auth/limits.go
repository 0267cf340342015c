package auth

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// source is the network that an address stands for: itself, or of IPv6 the /64
// that one customer has.
func source(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 64
	if addr = addr.Unmap(); addr.Is4() {
		bits = 32
	}
	p, _ := addr.WithZone("").Prefix(bits) // bits are within bounds
	return p
}

// Of wrong keys, an address may send as many as maxGuesses at once, and one a
// guessEvery. They are logged once a logEvery, and a burst of them leaves one line in
// the audit log, that long after it began.
const (
	maxGuesses   = 20
	guessEvery   = time.Second
	logEvery     = 10 * time.Second
	maxAddresses = 4096 // remembered
)

// guesses counts wrong keys by where they come from.
type guesses struct {
	total atomic.Int64
	mu    sync.Mutex
	from  map[netip.Prefix]*guesser
}

type guesser struct {
	debt      time.Duration // what it has used of its allowance
	seen      time.Time
	logged    time.Time
	unlogged  int
	since     time.Time // of the burst that the audit log has no line of yet
	unaudited int
	refused   int // of those
}

// add counts a wrong key. It returns how many are to be logged now, 0 for none,
// and whether there were too many.
func (g *guesses) add(from netip.Prefix, now time.Time) (log int, refused bool) {
	g.total.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	who := g.from[from]
	if who == nil {
		if g.from == nil || len(g.from) >= maxAddresses {
			g.forget(now)
		}
		who = &guesser{seen: now}
		g.from[from] = who
	}
	who.debt = max(who.debt-max(now.Sub(who.seen), 0), 0)
	who.seen = now
	if refused = who.debt >= maxGuesses*guessEvery; !refused {
		who.debt += guessEvery
	} else {
		who.refused++
	}
	if who.unaudited == 0 {
		who.since = now
	}
	who.unaudited++
	who.unlogged++
	if who.logged.IsZero() || now.Sub(who.logged) >= logEvery {
		log, who.unlogged, who.logged = who.unlogged, 0, now
	}
	return log, refused
}

// forget makes room: those who have been quiet go, or else all.
func (g *guesses) forget(now time.Time) {
	kept := make(map[netip.Prefix]*guesser, len(g.from))
	for from, who := range g.from {
		if now.Sub(who.seen) < who.debt {
			kept[from] = who
		}
	}
	if len(kept) >= maxAddresses {
		clear(kept)
	}
	g.from = kept
}

// burst is some seconds' wrong keys of an address.
type burst struct {
	from              netip.Prefix
	since, until      time.Time
	requests, refused int
}

// bursts are those that are over, or last longer than a line of the audit log waits.
// With all they are those that have only begun, too.
func (g *guesses) bursts(now time.Time, all bool) (list []burst) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for from, who := range g.from {
		if who.unaudited > 0 && (all || now.Sub(who.since) >= logEvery) {
			list = append(list, burst{from, who.since, who.seen, who.unaudited, who.refused})
			who.unaudited, who.refused = 0, 0
		}
	}
	return list
}

// limited is how many addresses may send no wrong key now.
func (g *guesses) limited(now time.Time) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, who := range g.from {
		if who.debt-max(now.Sub(who.seen), 0) >= (maxGuesses-1)*guessEvery {
			n++
		}
	}
	return n
}

// maxKeyRates is how many keys' rates are remembered.
const maxKeyRates = 8192

// keyRates bound how often each key is used: at a rate, and as often at once as that
// comes to in a second.
type keyRates struct {
	perSecond float64 // 0: any number
	mu        sync.Mutex
	of        map[string]*keyRate
}

type keyRate struct {
	left float64
	seen time.Time
}

// allow takes one request of the key into account.
func (k *keyRates) allow(key string, now time.Time) bool {
	if k.perSecond <= 0 {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.of[key]
	if r == nil {
		if k.of == nil || len(k.of) >= maxKeyRates {
			k.of = make(map[string]*keyRate) // whoever comes again has a second's worth
		}
		r = &keyRate{left: max(k.perSecond, 1), seen: now}
		k.of[key] = r
	}
	r.left = min(r.left+max(now.Sub(r.seen).Seconds(), 0)*k.perSecond, max(k.perSecond, 1))
	r.seen = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// Guesses bounds how often an address may guess what isn't an API key, as the token of a
// link: as often as it may send wrong keys. It may be used by any number of goroutines.
type Guesses struct {
	guesses guesses
	now     func() time.Time
}

// NewGuesses makes one with that clock.
func NewGuesses(now func() time.Time) *Guesses { return &Guesses{now: now} }

// Wrong counts a wrong guess from the address, with or without a port, and reports whether
// there were too many.
func (g *Guesses) Wrong(remote string) (refused bool) {
	_, refused = g.guesses.add(source(remote), g.now())
	return refused
}
