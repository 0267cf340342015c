package rulehttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/internal/lane"
	"github.com/switchtape/switchtape/routing/internal/rulebody"
)

// Rules are the stored versions of the rules that requests name, and where it is
// noted who asked for what it may not have. *callservice.Service is such Rules.
type Rules interface {
	// RuleSet is one of the tenant's versions, with its body; a CodeNotFound error.
	RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error)
	// ActiveRuleSet is the version that decides the tenant's calls, with its body;
	// a CodeNotFound error if there is none.
	ActiveRuleSet(ctx context.Context, t callmodel.TenantID) (rulesets.Version, error)
	// RuleWork takes a share of the work on rules for what is done with the context
	// it returns, until done is called; a CodeOverloaded error.
	RuleWork(ctx context.Context, bytes int64) (admitted context.Context, done func(), err error)
	// AccessDenied notes that the principal asked for what it may not have.
	AccessDenied(ctx context.Context, p callmodel.Principal, what string)
}

// Options configure a Handler. The zero value works.
type Options struct {
	// MaxInFlight bounds the requests that are served at once. How much of their
	// rules is worked on at once Rules says. 0 means 16.
	MaxInFlight int
	// QueueWait is how long a request may wait for a place before it is refused.
	// 0 means 1 s.
	QueueWait time.Duration
	// RequestTimeout bounds a request once its body is there: the wait for Rules
	// and for a share of the work, and the work. Reading a set is not broken off; it
	// is bounded by the size of the body. 0 means 2 min.
	RequestTimeout time.Duration
	// Now is the clock for rules that have dates. Nil means time.Now.
	Now func() time.Time
	// Logger gets the requests that failed for no fault of their own. Nil logs
	// nothing.
	Logger *slog.Logger
}

// Handler serves the tools. Make one with New; it may be used by any number of
// goroutines and has none of its own.
type Handler struct {
	rules Rules
	opts  Options
	lane  *lane.Lane
	mux   *http.ServeMux
	read  *rulebody.Reader
}

// New makes the handler. o may be nil.
func New(rules Rules, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 2*time.Minute)
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	h := &Handler{
		rules: rules, opts: opts, mux: http.NewServeMux(), read: rulebody.NewReader(),
		lane: lane.New(cmp.Or(opts.MaxInFlight, 16), cmp.Or(opts.QueueWait, time.Second)),
	}
	h.Mount(h.mux)
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves the tools, and answers 404 at every path that is not theirs.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Mount adds the endpoints to a mux of the host's, beside those of other
// handlers: those of package callhttp have paths between these.
func (h *Handler) Mount(mux *http.ServeMux) {
	frame := problem.Frame{Within: h.inLane, Denied: h.rules.AccessDenied, Logger: h.opts.Logger}
	frame.Mount(mux, h.routes())
}

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	return []problem.Route{
		problem.At("GET /v1/rules/{hash}", callmodel.ScopeRulesRead, h.exportRules,
			problem.Door{Query: []string{"format"}, Gives: []string{problem.JSON, mediaYAML, mediaText, mediaZIP}}),
		problem.At("POST /v1/rules/import", callmodel.ScopeRulesWrite, h.importRules, problem.Door{Gzip: true}),
		problem.At("POST /v1/rules/check", callmodel.ScopeRulesWrite, h.checkRules, problem.Door{Query: []string{"at"}, Takes: rulebody.Types(), Gzip: true}),
		problem.At("POST /v1/rules/diff", callmodel.ScopeRulesWrite, h.diffRules, problem.Door{Gzip: true}),
		problem.At("POST /v1/rules/explain", callmodel.ScopeRulesWrite, h.explainRules, problem.Door{Gzip: true}),
		problem.At("POST /v1/rules/simulate", callmodel.ScopeRulesWrite, h.simulateRules, problem.Door{Gzip: true}),
	}
}

// Media types of rules that are exported.
const (
	mediaYAML = "application/yaml"
	mediaText = "text/plain"
	mediaZIP  = "application/zip"
)

// inLane serves an endpoint if there is room.
func (h *Handler) inLane(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	leave, err := h.lane.Enter(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	return serve(w, r, p)
}

// onBody does f with the text of the request's body, within the share of the work
// that the text has.
func (h *Handler) onBody(w http.ResponseWriter, r *http.Request, f func(ctx context.Context, text []byte) error) error {
	body, leave, err := h.read.Read(w, r)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.RequestTimeout)
	defer cancel()
	ctx, done, err := h.rules.RuleWork(ctx, body.Size())
	if err != nil {
		return err
	}
	defer done()
	text, err := body.Text()
	if err != nil {
		return err
	}
	return f(ctx, text)
}
