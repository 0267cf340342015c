package outside

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
	// BreakerFailures in a row, at most MaxBreakerFailures, open the breaker, first for
	// BreakerFor, then for twice as long, up to 32 times. 0 means 5 and 1 s.
	BreakerFailures int
	BreakerFor      time.Duration
	// NoContent says that status 204, without a body, is an answer, too: parse is
	// called with nil then.
	NoContent bool
	// Header is sent with every request, for credentials.
	Header http.Header
	// Transport sends the requests. Nil: one that keeps connections.
	Transport http.RoundTripper
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// The reasons of the FallbackErrors of Ask.
const (
	ReasonTimeout    = "timeout"      // the budget was over
	ReasonConnection = "connection"   // not reached, or cut off
	ReasonStatus     = "status"       // another status than the service's
	ReasonGarbage    = "garbage"      // what parse refuses, or not JSON
	ReasonTooLarge   = "too_large"    // larger than MaxBody
	ReasonBreaker    = "breaker_open" // it failed too often to be asked
	ReasonBusy       = "busy"         // MaxInFlight calls wait already
	ReasonCancelled  = "cancelled"    // the caller gave up
)

// Client asks one service for answers of type A. It may be used by any number of
// goroutines.
type Client[A any] struct {
	name    string
	url     string
	opts    Options
	parse   func(body []byte) (A, error)
	http    *http.Client
	breaker *breaker
	latency percentile
	places  chan struct{}
}

// New makes a client for the service at an http or https URL; name is what errors call
// it. parse reads and checks the body of an answer: what it refuses is
// garbage. New starts nothing.
func New[A any](name, serviceURL string, opts Options, parse func(body []byte) (A, error)) (*Client[A], error) {
	u, err := url.Parse(serviceURL)
	if err != nil { // its text has the URL, in which there may be a password
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the %s's URL can't be read; give an http or https URL", name)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the %s's URL %q is not an http or https URL", name, u.Redacted())
	}
	opts.Budget = cmp.Or(opts.Budget, 150*time.Millisecond)
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, 256)
	opts.MaxBody = cmp.Or(opts.MaxBody, 64<<10)
	opts.BreakerFailures = cmp.Or(opts.BreakerFailures, 5)
	opts.BreakerFor = cmp.Or(opts.BreakerFor, time.Second)
	opts.Now = Clock(opts.Now)
	if opts.Transport == nil {
		opts.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 2 * opts.MaxInFlight, MaxIdleConnsPerHost: 2 * opts.MaxInFlight,
			IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true,
		}
	}
	return &Client[A]{
		name: name, url: serviceURL, opts: opts, parse: parse, places: make(chan struct{}, opts.MaxInFlight),
		http:    &http.Client{Transport: opts.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		breaker: newBreaker(opts.BreakerFailures, opts.BreakerFor),
	}, nil
}

// Clock is now, or the wall clock for nil.
func Clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now //nolint:forbidigo // the default of an injected clock
	}
	return now
}

// Ask asks the service, unless the breaker or the load forbids it. question is the
// body, as JSON, and key is sent as Idempotency-Key. hedged says that a second request
// was sent. Errors are *routing.FallbackError, with one of the reasons above.
func (c *Client[A]) Ask(ctx context.Context, key string, question any) (answer A, hedged bool, err error) {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	default:
		return answer, false, c.because(ReasonBusy, fmt.Errorf("%d calls wait for it already", c.opts.MaxInFlight))
	}
	if !c.breaker.allow(c.opts.Now()) {
		return answer, false, c.because(ReasonBreaker, errors.New("it failed too often"))
	}
	body, err := json.Marshal(question)
	if err != nil {
		c.breaker.unknown()
		return answer, false, c.because(ReasonGarbage, err)
	}
	within, cancel := context.WithTimeout(ctx, c.opts.Budget)
	defer cancel() // the request that lost ends too
	answer, hedged, err = c.race(within, key, body)
	switch {
	case err == nil:
		c.breaker.succeeded()
	case ctx.Err() != nil:
		c.breaker.unknown()
		err = c.because(ReasonCancelled, context.Cause(ctx))
	default:
		c.breaker.failed(c.opts.Now())
	}
	return answer, hedged, err
}

// Open reports whether the breaker keeps the service from being asked.
func (c *Client[A]) Open() bool { return c.breaker.open() }

func (c *Client[A]) because(reason string, err error) error {
	return &routing.FallbackError{Service: c.name, Reason: reason, Err: err}
}

// Reason is why the service has no answer, by the error of Ask.
func Reason(err error) string {
	if f, ok := errors.AsType[*routing.FallbackError](err); ok {
		return f.Reason
	}
	return ReasonConnection
}

type result[A any] struct {
	answer A
	err    error
}

// race sends a request, and a second one when the first is late or failed, and
// takes the first good answer.
func (c *Client[A]) race(ctx context.Context, key string, body []byte) (answer A, hedged bool, err error) {
	results := make(chan result[A], 2) // nobody is left behind waiting to send
	send := func() {
		go func() {
			begun := c.opts.Now()
			answer, err := c.send(ctx, key, body)
			if err == nil {
				c.latency.add(c.opts.Now().Sub(begun))
			}
			results <- result[A]{answer, err}
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
			return answer, hedged, c.because(ReasonTimeout, cmp.Or(err, ctx.Err()))
		case <-late:
			late = nil
		case res := <-results:
			if res.err == nil {
				return res.answer, hedged, nil
			}
			err = cmp.Or(err, res.err)
			if waiting--; waiting == 0 && (hedged || !mayHedge) {
				return answer, hedged, err
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
func (c *Client[A]) send(ctx context.Context, key string, body []byte) (answer A, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer, c.because(ReasonConnection, err)
	}
	for name, values := range c.opts.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Idempotency-Key", key)
	resp, err := c.http.Do(r)
	if err != nil {
		return answer, c.because(connectionReason(ctx), err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read, or is not wanted
	reply, err := io.ReadAll(io.LimitReader(resp.Body, c.opts.MaxBody+1))
	empty := c.opts.NoContent && resp.StatusCode == http.StatusNoContent
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); {
	case err != nil:
		return answer, c.because(connectionReason(ctx), err)
	case int64(len(reply)) > c.opts.MaxBody:
		return answer, c.because(ReasonTooLarge, fmt.Errorf("its answer is larger than %d bytes", c.opts.MaxBody))
	case empty:
		reply = nil
	case resp.StatusCode != http.StatusOK:
		return answer, c.because(ReasonStatus, errors.New("it answers with status "+strconv.Itoa(resp.StatusCode)))
	case kind != "application/json":
		return answer, c.because(ReasonGarbage, fmt.Errorf("its answer is %q, not application/json", kind))
	}
	parsed, err := c.parse(reply)
	if err != nil {
		return answer, c.because(ReasonGarbage, err)
	}
	return parsed, nil
}

func connectionReason(ctx context.Context) string {
	if ctx.Err() != nil {
		return ReasonTimeout
	}
	return ReasonConnection
}
