package decider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/internal/outside"
)

// Options configure a Client. The zero value works.
type Options struct {
	// Budget is the longest time that a call waits. 0 means 150 ms.
	Budget time.Duration
	// HedgeAfter is the time after which a second request is sent if the first is
	// not answered. 0 means the time in which 95 of the latest 100 answers came.
	// Negative means never; then a request that fails at once isn't repeated either.
	HedgeAfter time.Duration
	// MaxInFlight bounds the calls that wait for the service. 0 means 256.
	MaxInFlight int
	// MaxBody bounds an answer, in bytes. 0 means 64 KiB.
	MaxBody int64
	// BreakerFailures in a row, at most 65,536, open the breaker, first for BreakerFor,
	// then for twice as long, up to 32 times. 0 means 5 and 1 s.
	BreakerFailures int
	BreakerFor      time.Duration
	// CacheSize is how many answers are kept for times when the service gives none,
	// and CacheTTL for how long. 0 means 10,000 and 10 min; a negative size, none.
	CacheSize int
	CacheTTL  time.Duration
	// CallerClass is equal for callers that may share a kept answer; tenant, callee,
	// type, direction and trunk must be equal, too. Nil: the first four symbols of
	// their numbers, "+491". An answer that names the caller's number is kept for
	// that caller alone.
	CallerClass func(from string) string
	// Header is sent with every request, for credentials.
	Header http.Header
	// Transport sends the requests. Nil: one that keeps connections.
	Transport http.RoundTripper
	// Asked is called with the outcome of every question. It must not wait. Nil means
	// that nobody is told.
	Asked func(Outcome)
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Outcome says what became of a question.
type Outcome struct {
	// Source says who answered: SourceDecider, SourceCache, or SourceRules if the
	// rules must decide.
	Source calls.DecisionSource
	// Reason says why the service didn't answer: one of the Reason constants, "" if it
	// did.
	Reason  string
	Hedged  bool // a second request was sent
	Elapsed time.Duration
}

// The reasons why the service has no answer.
const (
	ReasonTimeout    = outside.ReasonTimeout    // the budget was over
	ReasonConnection = outside.ReasonConnection // not reached, or cut off
	ReasonStatus     = outside.ReasonStatus     // another status than 200
	ReasonGarbage    = outside.ReasonGarbage    // not an answer as the package comment says
	ReasonTooLarge   = outside.ReasonTooLarge   // larger than MaxBody
	ReasonBreaker    = outside.ReasonBreaker    // it failed too often to be asked
	ReasonBusy       = outside.ReasonBusy       // MaxInFlight calls wait already
	ReasonCancelled  = outside.ReasonCancelled  // the caller gave up
	ReasonEmergency  = "emergency"              // it is not asked about emergency calls
)

// Client asks a decision service. It may be used by any number of goroutines.
type Client struct {
	opts  Options
	http  *outside.Client[*reply]
	cache *outside.Cache[cacheKey, *reply]
}

var _ routing.Decider = (*Client)(nil)

// New makes a client for the service at an http or https URL. It starts
// nothing. o may be nil.
func New(serviceURL string, o *Options) (*Client, error) {
	if o == nil {
		o = &Options{}
	}
	opts := *o
	opts.CacheSize = cmp.Or(opts.CacheSize, 10_000)
	opts.CacheTTL = cmp.Or(opts.CacheTTL, 10*time.Minute)
	if opts.CallerClass == nil {
		opts.CallerClass = func(from string) string { return from[:min(len(from), 4)] }
	}
	if opts.Asked == nil {
		opts.Asked = func(Outcome) {}
	}
	opts.Now = outside.Clock(opts.Now)
	service, err := outside.New("decision service", serviceURL, outside.Options{
		Budget: opts.Budget, HedgeAfter: opts.HedgeAfter, MaxInFlight: opts.MaxInFlight, MaxBody: opts.MaxBody,
		BreakerFailures: opts.BreakerFailures, BreakerFor: opts.BreakerFor,
		Header: opts.Header, Transport: opts.Transport, Now: opts.Now,
	}, parseReply)
	if err != nil {
		return nil, err
	}
	return &Client{opts: opts, http: service, cache: outside.NewCache[cacheKey, *reply](opts.CacheSize, opts.CacheTTL)}, nil
}

// Decide implements routing.Decider.
func (c *Client) Decide(ctx context.Context, req *calls.Request) (calls.Decision, error) {
	begun := c.opts.Now()
	r, hedged, err := c.ask(ctx, req)
	if err == nil {
		c.remember(req, r)
		c.opts.Asked(Outcome{Source: calls.SourceDecider, Hedged: hedged, Elapsed: c.opts.Now().Sub(begun)})
		if r.NoRoute {
			return calls.Decision{}, callmodel.Errorf(callmodel.CodeNoRoute, "the decision service refuses the call: %s", cmp.Or(r.Reason, "no reason given"))
		}
		return r.decision(req, calls.SourceDecider), nil
	}
	reason := outside.Reason(err)
	out := Outcome{Source: calls.SourceRules, Reason: reason, Hedged: hedged, Elapsed: c.opts.Now().Sub(begun)}
	if kept := c.recall(req); kept != nil && !req.Emergency {
		out.Source = calls.SourceCache
		c.opts.Asked(out)
		d := kept.decision(req, calls.SourceCache)
		d.Fallback = reason
		return d, nil
	}
	c.opts.Asked(out)
	return calls.Decision{}, err
}

func (c *Client) ask(ctx context.Context, req *calls.Request) (r *reply, hedged bool, err error) {
	if req.Emergency {
		return nil, false, &routing.FallbackError{Reason: ReasonEmergency, Err: errors.New("it is not asked about emergency calls")}
	}
	return c.http.Ask(ctx, string(req.CallID), questionOf(req))
}

// cacheKey is equal for calls that may share an answer.
type cacheKey struct {
	tenant callmodel.TenantID
	to     string
	params string // that stood behind the callee's number
	kind   calls.Type
	way    calls.Direction
	trunk  string // the one the call came in by
	from   string // the caller, or its class with class set
	class  bool
}

func (c *Client) key(req *calls.Request, class bool) cacheKey {
	k := cacheKey{tenant: req.TenantID, to: req.To, params: req.ToParams, kind: req.Type, way: req.Direction, trunk: req.Trunk, from: req.From, class: class}
	if class {
		k.from = c.opts.CallerClass(req.From)
	}
	return k
}

// remember keeps a good answer, for the caller alone if it names the caller.
func (c *Client) remember(req *calls.Request, r *reply) {
	if !r.NoRoute {
		c.cache.Put(c.key(req, !r.namesCallers()), r, c.opts.Now())
	}
}

func (c *Client) recall(req *calls.Request) *reply {
	now := c.opts.Now()
	if r, ok := c.cache.Get(c.key(req, false), now); ok {
		return r
	}
	r, _ := c.cache.Get(c.key(req, true), now)
	return r
}

// Open reports whether the breaker keeps the service from being asked.
func (c *Client) Open() bool { return c.http.Open() }

// Kept returns how many answers are kept.
func (c *Client) Kept() int { return c.cache.Len() }
