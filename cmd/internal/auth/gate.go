package auth

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// Tokens are bearer tokens that somebody else issues.
type Tokens interface {
	// Find looks at a token. It is Unsure of one that it can't check for now.
	Find(ctx context.Context, token string) (callmodel.Principal, Found)
	// Takes reports whether token has the form of such a token.
	Takes(token string) bool
	// Run follows what is needed to look at them until ctx ends.
	Run(ctx context.Context) error
}

// GateOptions say what a Gate lets through.
type GateOptions struct {
	File   *Ring  // nil: there is no file of keys
	Book   *Book  // nil: there are no keys in a database
	Tokens Tokens // nil: nobody else's tokens are taken
	// KeyRate is how many requests a second each key may make, and as many at once. 0: any
	// number.
	KeyRate float64
	// Audit stores a line of the audit log. Nil: none is stored.
	Audit func(ctx context.Context, e callmodel.AuditEvent) error
	// PlatformTenant is whose audit log has the lines of wrong keys, which are no tenant's.
	PlatformTenant callmodel.TenantID
	// Refused counts requests that were refused here, by why: one of Reasons. Nil: nobody.
	Refused func(reason string)
	// Now is the clock of the limits. Nil means time.Now.
	Now func() time.Time
	// Logger gets some seconds' wrong keys in a line. Nil: nothing is logged.
	Logger *slog.Logger
}

// Why requests are refused here.
const (
	WrongKey       = "wrong_key"       // answered 401 by the handler behind
	AddressLimited = "address_limited" // too many wrong keys from there
	KeyLimited     = "key_limited"
	Unchecked      = "unchecked" // the keys can't be looked up
)

// Reasons lists them.
func Reasons() []string { return []string{WrongKey, AddressLimited, KeyLimited, Unchecked} }

// Gate is the authentication in front of the handlers. It may be used by any number of
// goroutines; Run does its work beside the requests.
type Gate struct {
	opts  GateOptions
	wrong guesses
	rates keyRates

	linesMu sync.Mutex
	lines   callmodel.Denials
}

// NewGate makes a gate.
func NewGate(o GateOptions) *Gate {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	return &Gate{opts: o, rates: keyRates{perSecond: o.KeyRate}}
}

// Wrong is how many requests came with a key that is none.
func (g *Gate) Wrong() int64 { return g.wrong.total.Load() }

// Limited is how many addresses are refused with wrong keys for now.
func (g *Gate) Limited() int { return g.wrong.limited(g.opts.Now()) }

// Tenants is how many tenants there are keys of, and those that are named besides; more
// than one where tokens say whose they are.
func (g *Gate) Tenants(besides ...callmodel.TenantID) int {
	if g.opts.Tokens != nil {
		return 2
	}
	known := map[callmodel.TenantID]bool{}
	if g.opts.File != nil {
		known = maps.Clone(g.opts.File.loaded.Load().tenants)
	}
	for _, t := range besides {
		known[t] = true
	}
	n := len(known)
	if g.opts.Book != nil {
		n += g.opts.Book.countTenants(known)
	}
	return n
}

// Reload reads the file of keys again.
func (g *Gate) Reload() error {
	if g.opts.File == nil {
		return nil
	}
	return g.opts.File.Reload()
}

// find is whom the token is of.
func (g *Gate) find(ctx context.Context, token string) (callmodel.Principal, Found) {
	if g.opts.File != nil {
		if p, ok := g.opts.File.find(token); ok {
			return p, Known
		}
	}
	switch {
	case g.opts.Tokens != nil && g.opts.Tokens.Takes(token):
		return g.opts.Tokens.Find(ctx, token)
	case g.opts.Book != nil:
		return g.opts.Book.Find(ctx, token)
	}
	return callmodel.Principal{}, Unknown
}

type doorKey struct{}

// EmergencyDoor marks the requests of h as those of a door for emergency calls: they
// have no limits, and a key that was known once is good while keys can't be looked up.
func EmergencyDoor(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), doorKey{}, true)))
	})
}

// Require lets requests through that carry a key, with its principal. Those with a wrong
// one, be it unknown, expired or revoked, are answered by next as well, without a
// principal, which refuses them all in the same words.
//
// Wrong keys are logged, some seconds' at a time, and an address that sends too many is
// answered 429 for them. A right key is always taken: who shares an address with a
// guesser must be able to call for help. What else is wrong with a request that may be
// an emergency call is left to its handler to refuse: see problem.WithRefusal.
func (g *Gate) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if header == "" {
			next.ServeHTTP(w, r)
			return
		}
		token, ok := bearer(header)
		p, found := callmodel.Principal{}, Unknown
		if ok {
			p, found = g.find(r.Context(), token)
		}
		door, _ := r.Context().Value(doorKey{}).(bool)
		var refusal error
		switch {
		case found == Unknown:
			if refusal = g.guessed(r); refusal != nil && !door {
				problem.Write(w, refusal)
				return
			}
			next.ServeHTTP(w, r)
			return
		case found == Unsure && door && p.Subject != "":
			// It was known once, and there is nobody to ask.
		case found == Unsure:
			g.opts.Refused(Unchecked)
			refusal = callmodel.Errorf(callmodel.CodeUnavailable, "the API keys can't be looked up")
			if p.Subject == "" {
				p = callmodel.Principal{TenantID: g.opts.PlatformTenant, Subject: "unchecked", Scopes: []callmodel.Scope{callmodel.ScopeCallsWrite}}
			}
		case !door && !g.rates.allow(string(p.TenantID)+"/"+p.Subject, g.opts.Now()):
			g.opts.Refused(KeyLimited)
			refusal = callmodel.Errorf(callmodel.CodeOverloaded, "too many requests came with this key; it may make %s a second",
				strconv.FormatFloat(g.rates.perSecond, 'f', -1, 64))
		}
		if refusal != nil {
			if !mayBeEmergency(r) {
				problem.Write(w, refusal)
				return
			}
			r = r.WithContext(problem.WithRefusal(r.Context(), refusal))
		}
		next.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	})
}

// mayBeEmergency reports whether the request may be an emergency call: its body says.
func mayBeEmergency(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/v1/calls"
}

// guessed counts a wrong key, and refuses it if there were too many.
func (g *Gate) guessed(r *http.Request) error {
	addr := source(r.RemoteAddr)
	n, refused := g.wrong.add(addr, g.opts.Now())
	if n > 0 {
		g.opts.Logger.WarnContext(r.Context(), "requests with a wrong API key", "address", addr.String(), "requests", n, "path", r.URL.Path)
	}
	if !refused {
		g.opts.Refused(WrongKey)
		return nil
	}
	g.opts.Refused(AddressLimited)
	return callmodel.Errorf(callmodel.CodeOverloaded, "too many requests with a wrong key came from this address; try again later")
}

// Run writes the audit lines of wrong keys, and follows the keys of the database, until
// ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if g.opts.Book != nil {
		group.Go(func() error { return g.opts.Book.Run(ctx) })
	}
	if g.opts.Tokens != nil {
		group.Go(func() error { return g.opts.Tokens.Run(ctx) })
	}
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
			defer cancel()
			g.audit(last, true)
			return group.Wait()
		case <-every.C:
			g.audit(ctx, false)
		}
	}
}

// audit writes a line for every burst of wrong keys that is over; with all for those
// that have only begun, too. Of many addresses some lines a minute are written.
func (g *Gate) audit(ctx context.Context, all bool) {
	if g.opts.Audit == nil {
		return
	}
	for _, b := range g.wrong.bursts(g.opts.Now(), all) {
		g.linesMu.Lock()
		line, keep := g.lines.Line(callmodel.Principal{TenantID: g.opts.PlatformTenant, Subject: "unauthenticated"}, b.from.String(), g.opts.Now())
		g.linesMu.Unlock()
		if !keep {
			continue
		}
		detail := map[string]string{
			"requests": strconv.Itoa(b.requests), "refused": strconv.Itoa(b.refused),
			"since": b.since.UTC().Format(time.RFC3339), "until": b.until.UTC().Format(time.RFC3339),
		}
		if left := line.Detail["left_out"]; left != "" {
			detail["left_out"] = left
		}
		line.Action, line.Detail = callmodel.AuditWrongKeys, detail
		if err := g.opts.Audit(ctx, line); err != nil {
			g.opts.Logger.ErrorContext(ctx, "an audit line could not be stored", "action", line.Action, "address", line.Subject, "requests", b.requests, "error", err)
		}
	}
}

// bearer is the token of an Authorization header.
func bearer(header string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(header, " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "bearer")
}
