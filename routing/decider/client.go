package decider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
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
	// BreakerFailures in a row open the breaker, first for BreakerFor, then for
	// twice as long, up to 32 times. 0 means 5 and 1 s.
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
	ReasonTimeout    = "timeout"      // the budget was over
	ReasonConnection = "connection"   // not reached, or cut off
	ReasonStatus     = "status"       // another status than 200
	ReasonGarbage    = "garbage"      // not an answer as the package comment says
	ReasonTooLarge   = "too_large"    // larger than MaxBody
	ReasonBreaker    = "breaker_open" // it failed too often to be asked
	ReasonBusy       = "busy"         // MaxInFlight calls wait already
	ReasonCancelled  = "cancelled"    // the caller gave up
	ReasonEmergency  = "emergency"    // it is not asked about emergency calls
)

// Client asks a decision service. It may be used by any number of goroutines.
type Client struct {
	url     string
	opts    Options
	http    *http.Client
	breaker breaker
	cache   *cache
	latency percentile
	places  chan struct{}
}

var _ routing.Decider = (*Client)(nil)

// New makes a client for the service at an http or https URL. It starts
// nothing. o may be nil.
func New(serviceURL string, o *Options) (*Client, error) {
	u, err := url.Parse(serviceURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the decision service's URL %q is not an http or https URL", serviceURL)
	}
	if o == nil {
		o = &Options{}
	}
	opts := *o
	opts.Budget = cmp.Or(opts.Budget, 150*time.Millisecond)
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, 256)
	opts.MaxBody = cmp.Or(opts.MaxBody, 64<<10)
	opts.BreakerFailures = cmp.Or(opts.BreakerFailures, 5)
	opts.BreakerFor = cmp.Or(opts.BreakerFor, time.Second)
	opts.CacheSize = cmp.Or(opts.CacheSize, 10_000)
	opts.CacheTTL = cmp.Or(opts.CacheTTL, 10*time.Minute)
	if opts.CallerClass == nil {
		opts.CallerClass = func(from string) string { return from[:min(len(from), 4)] }
	}
	if opts.Asked == nil {
		opts.Asked = func(Outcome) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.Transport == nil {
		opts.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 2 * opts.MaxInFlight, MaxIdleConnsPerHost: 2 * opts.MaxInFlight,
			IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true,
		}
	}
	return &Client{
		url: serviceURL, opts: opts, places: make(chan struct{}, opts.MaxInFlight),
		http:    &http.Client{Transport: opts.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		breaker: breaker{failures: opts.BreakerFailures, first: opts.BreakerFor, longest: 32 * opts.BreakerFor},
		cache:   newCache(opts.CacheSize, opts.CacheTTL),
	}, nil
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
	reason := ReasonConnection
	if f, ok := errors.AsType[*routing.FallbackError](err); ok {
		reason = f.Reason
	}
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

// ask asks the service, unless the breaker or the load forbids it. Its errors are
// FallbackErrors.
func (c *Client) ask(ctx context.Context, req *calls.Request) (r *reply, hedged bool, err error) {
	if req.Emergency {
		return nil, false, because(ReasonEmergency, errors.New("it is not asked about emergency calls"))
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return nil, false, because(ReasonBusy, fmt.Errorf("%d calls wait for it already", c.opts.MaxInFlight))
	}
	if !c.breaker.allow(c.opts.Now()) {
		return nil, false, because(ReasonBreaker, errors.New("it failed too often"))
	}
	body, err := json.Marshal(questionOf(req))
	if err != nil {
		c.breaker.unknown()
		return nil, false, because(ReasonGarbage, err)
	}
	within, cancel := context.WithTimeout(ctx, c.opts.Budget)
	defer cancel() // the request that lost ends too
	r, hedged, err = c.race(within, req, body)
	switch {
	case err == nil:
		c.breaker.succeeded()
	case ctx.Err() != nil:
		c.breaker.unknown()
		err = because(ReasonCancelled, context.Cause(ctx))
	default:
		c.breaker.failed(c.opts.Now())
	}
	return r, hedged, err
}

func because(reason string, err error) error {
	return &routing.FallbackError{Reason: reason, Err: err}
}

type result struct {
	reply *reply
	err   error
}

// race sends a request, and a second one when the first is late or failed, and
// takes the first good answer.
func (c *Client) race(ctx context.Context, req *calls.Request, body []byte) (r *reply, hedged bool, err error) {
	results := make(chan result, 2) // nobody is left behind waiting to send
	send := func() {
		go func() {
			begun := c.opts.Now()
			r, err := c.send(ctx, req, body)
			if err == nil {
				c.latency.add(c.opts.Now().Sub(begun))
			}
			results <- result{r, err}
		}()
	}
	send()
	waiting := 1
	var late <-chan time.Time
	mayHedge := c.opts.HedgeAfter >= 0
	if mayHedge {
		timer := time.NewTimer(c.hedgeAfter())
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil, hedged, because(ReasonTimeout, cmp.Or(err, ctx.Err()))
		case <-late:
			late = nil
		case res := <-results:
			if res.err == nil {
				return res.reply, hedged, nil
			}
			err = cmp.Or(err, res.err)
			if waiting--; waiting == 0 && (hedged || !mayHedge) {
				return nil, hedged, err
			}
		}
		if mayHedge && !hedged {
			send()
			waiting++
			hedged = true
		}
	}
}

// send sends one request and returns the answer.
func (c *Client) send(ctx context.Context, req *calls.Request, body []byte) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, because(ReasonConnection, err)
	}
	for name, values := range c.opts.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Idempotency-Key", string(req.CallID))
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, because(connectionReason(ctx), err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or is not wanted
	answer, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxBody+1))
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); {
	case err != nil:
		return nil, because(connectionReason(ctx), err)
	case int64(len(answer)) > c.opts.MaxBody:
		return nil, because(ReasonTooLarge, fmt.Errorf("its answer is larger than %d bytes", c.opts.MaxBody))
	case resp.StatusCode != http.StatusOK:
		return nil, because(ReasonStatus, errors.New("it answers with status "+strconv.Itoa(resp.StatusCode)))
	case kind != "application/json":
		return nil, because(ReasonGarbage, fmt.Errorf("its answer is %q, not application/json", kind))
	}
	parsed, err := parseReply(answer)
	if err != nil {
		return nil, because(ReasonGarbage, err)
	}
	return parsed, nil
}

func connectionReason(ctx context.Context) string {
	if ctx.Err() != nil {
		return ReasonTimeout
	}
	return ReasonConnection
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
		c.cache.put(c.key(req, !r.namesCallers()), r, c.opts.Now())
	}
}

func (c *Client) recall(req *calls.Request) *reply {
	now := c.opts.Now()
	if r := c.cache.get(c.key(req, false), now); r != nil {
		return r
	}
	return c.cache.get(c.key(req, true), now)
}

// Open reports whether the breaker keeps the service from being asked.
func (c *Client) Open() bool { return c.breaker.open() }

// Kept returns how many answers are kept.
func (c *Client) Kept() int { return c.cache.len() }
