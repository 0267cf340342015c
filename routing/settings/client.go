package settings

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/callservice"
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
	// Class is equal for calls that may share a kept answer; tenant, moment, type,
	// direction, trunk, user and callee must be equal, too. Nil: all such calls may.
	// A service that looks at metadata or at strangers' numbers needs one.
	Class func(q *callservice.SettingsQuestion) string
	// CheckOutputs refuses outputs that no worker can make: then the answer is garbage.
	// Nil: only what callmodel checks.
	CheckOutputs func([]record.OutputSpec) error
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
	Moment callservice.SettingsMoment
	// Source says whose answer the call got: origin.Service, origin.Cache, or "" for
	// nobody's.
	Source origin.Source
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
	ReasonStatus     = outside.ReasonStatus     // another status than 200 and 204
	ReasonGarbage    = outside.ReasonGarbage    // not an answer as the package comment says
	ReasonTooLarge   = outside.ReasonTooLarge   // larger than MaxBody
	ReasonBreaker    = outside.ReasonBreaker    // it failed too often to be asked
	ReasonBusy       = outside.ReasonBusy       // MaxInFlight calls wait already
	ReasonCancelled  = outside.ReasonCancelled  // the caller gave up
)

// Client asks a settings service. It may be used by any number of goroutines.
type Client struct {
	opts  Options
	http  *outside.Client[callservice.SettingsAnswer]
	cache *outside.Cache[cacheKey, callservice.SettingsAnswer]
}

var _ callservice.SettingsService = (*Client)(nil)

// New makes a client for the service at an http or https URL. It starts
// nothing. o may be nil.
func New(serviceURL string, o *Options) (*Client, error) {
	if o == nil {
		o = &Options{}
	}
	opts := *o
	opts.CacheSize = cmp.Or(opts.CacheSize, 10_000)
	opts.CacheTTL = cmp.Or(opts.CacheTTL, 10*time.Minute)
	if opts.Class == nil {
		opts.Class = func(*callservice.SettingsQuestion) string { return "" }
	}
	if opts.CheckOutputs == nil {
		opts.CheckOutputs = func([]record.OutputSpec) error { return nil }
	}
	if opts.Asked == nil {
		opts.Asked = func(Outcome) {}
	}
	opts.Now = outside.Clock(opts.Now)
	c := &Client{opts: opts, cache: outside.NewCache[cacheKey, callservice.SettingsAnswer](opts.CacheSize, opts.CacheTTL)}
	var err error
	c.http, err = outside.New("settings service", serviceURL, outside.Options{
		Budget: opts.Budget, HedgeAfter: opts.HedgeAfter, MaxInFlight: opts.MaxInFlight, MaxBody: opts.MaxBody,
		BreakerFailures: opts.BreakerFailures, BreakerFor: opts.BreakerFor, NoContent: true,
		Header: opts.Header, Transport: opts.Transport, Now: opts.Now,
	}, c.parse)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parse reads an answer strictly.
func (c *Client) parse(body []byte) (a callservice.SettingsAnswer, err error) {
	if body == nil {
		return a, nil
	}
	if err := callmodel.DecodeJSON(body, &a); err != nil {
		return a, err
	}
	if len(a.Outputs) > 0 {
		err = c.opts.CheckOutputs(a.Outputs)
	}
	return a, err
}

// Settings implements callservice.SettingsService.
func (c *Client) Settings(ctx context.Context, q *callservice.SettingsQuestion) (callservice.SettingsAnswer, error) {
	begun := c.opts.Now()
	a, hedged, err := c.http.Ask(ctx, string(q.CallID)+"."+string(q.Moment), q)
	out := Outcome{Moment: q.Moment, Source: origin.Service, Hedged: hedged, Elapsed: c.opts.Now().Sub(begun)}
	key := cacheKey{
		tenant: q.TenantID, moment: q.Moment, kind: q.Type, way: q.Direction, trunk: q.Trunk,
		user: q.User, callee: q.Callee, class: c.opts.Class(q),
	}
	if err == nil {
		c.cache.Put(key, a, c.opts.Now())
		c.opts.Asked(out)
		return a, nil
	}
	out.Reason = outside.Reason(err)
	kept, ok := c.cache.Get(key, c.opts.Now())
	if !ok {
		out.Source = ""
		c.opts.Asked(out)
		return callservice.SettingsAnswer{}, err
	}
	out.Source = origin.Cache
	c.opts.Asked(out)
	kept.Fallback = out.Reason
	return kept, nil
}

// cacheKey is equal for calls that may share an answer.
type cacheKey struct {
	tenant       callmodel.TenantID
	moment       callservice.SettingsMoment
	kind         calls.Type
	way          calls.Direction
	trunk        string // the one the call came in by
	user, callee users.ID
	class        string
}

// Open reports whether the breaker keeps the service from being asked.
func (c *Client) Open() bool { return c.http.Open() }

// Kept returns how many answers are kept.
func (c *Client) Kept() int { return c.cache.Len() }
