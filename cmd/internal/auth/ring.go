package auth

import (
	"crypto/sha256"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// Ring are the API keys of a file that can be read again while they are in use.
type Ring struct {
	path  string
	log   *slog.Logger
	now   func() time.Time
	keys  atomic.Pointer[Keys]
	wrong guesses
}

// OpenRing reads the key file at path. now is the clock that wrong keys are
// counted by; nil means time.Now. A nil log logs nothing.
func OpenRing(path string, log *slog.Logger, now func() time.Time) (*Ring, error) {
	r := &Ring{path: path, log: log, now: now}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r, r.Reload()
}

// Reload reads the file again. From its return on, keys that are no longer in it
// open nothing. On an error those in use stay.
func (r *Ring) Reload() error {
	keys, err := Load(r.path)
	if err != nil {
		return err
	}
	r.keys.Store(&keys)
	return nil
}

// Tenants is how many tenants the keys are of.
func (r *Ring) Tenants() int {
	tenants := map[callmodel.TenantID]bool{}
	for _, p := range *r.keys.Load() {
		tenants[p.TenantID] = true
	}
	return len(tenants)
}

// Wrong is how many requests came with a key that is none.
func (r *Ring) Wrong() int64 { return r.wrong.total.Load() }

// Require is as Keys.Require. Wrong keys are logged, some seconds' at a time, and
// an address that sends too many is answered 429 for them. A right key is always
// taken: who shares an address with a guesser must be able to call for help.
func (r *Ring) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		header := req.Header.Get("Authorization")
		p, ok := r.keys.Load().principal(header)
		switch {
		case ok:
			req = req.WithContext(callmodel.WithPrincipal(req.Context(), p))
		case header != "":
			addr := source(req.RemoteAddr)
			n, refused := r.wrong.add(addr, r.now())
			if n > 0 {
				r.log.WarnContext(req.Context(), "requests with a wrong API key", "address", addr.String(), "requests", n, "path", req.URL.Path)
			}
			if refused {
				problem.Write(w, callmodel.Errorf(callmodel.CodeOverloaded, "too many requests with a wrong key came from this address; try again later"))
				return
			}
		}
		next.ServeHTTP(w, req)
	})
}

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
// guessEvery. They are logged once a logEvery.
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
	debt     time.Duration // what it has used of its allowance
	seen     time.Time
	logged   time.Time
	unlogged int
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
	}
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

// principal is whom the header's key is of.
func (k Keys) principal(header string) (callmodel.Principal, bool) {
	token, ok := bearer(header)
	if !ok {
		return callmodel.Principal{}, false
	}
	// Looking up the hash takes no longer for a key that is almost right.
	p, ok := k[sha256.Sum256([]byte(token))]
	return p, ok
}
