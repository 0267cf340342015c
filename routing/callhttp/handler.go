package callhttp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/routing/trunk"
)

// Stores are what the service keeps its data in. *calldb.DB is one.
type Stores interface {
	calls.Store
	rulesets.Store
	callmodel.AuditLog
}

// Options configure a Handler. The zero value works.
type Options struct {
	// DefaultRegion is where numbers are dialled when a request doesn't say, as
	// ISO 3166-1 alpha-2. "": such numbers must be international.
	DefaultRegion string
	// PlatformTenant owns the rule set for tenants that have none of their own.
	// "": there is none.
	PlatformTenant callmodel.TenantID
	// DefaultOutputs are the recordings of calls that are recorded and don't
	// say how. Nil: one stereo MP3.
	DefaultOutputs []record.OutputSpec
	// CheckOutputs refuses outputs that no worker can make, as FieldErrors.
	// Nil: only what callmodel checks.
	CheckOutputs func([]record.OutputSpec) error
	// EmergencyDestinations take emergency calls that no rule takes.
	EmergencyDestinations []calls.Destination
	// MaxInFlight bounds the normal lane. 0 means 256.
	MaxInFlight int
	// QueueWait is how long a request may wait for a place in the normal lane
	// before it is refused. 0 means 100 ms.
	QueueWait time.Duration
	// RequestTimeout bounds the work on a request of the normal lane, so that a
	// database that hangs can't hold its places. 0 means 10 s.
	RequestTimeout time.Duration
	// RulesRefresh is how often the active rule sets are looked up, so that a
	// change made elsewhere is taken up. 0 means 2 s.
	RulesRefresh time.Duration
	// Snapshot keeps the rule sets in service on a local disk, for starts without
	// the database: see [Handler.LoadSnapshot]. Nil: nowhere.
	Snapshot *snapshot.Dir
	// Decider is asked where calls go before the rules are, emergency calls
	// aside. Nil: the rules decide.
	Decider routing.Decider
	// Trunks configure what is kept of destinations while calls run: their
	// limits, health and quality, in this process. Nil: the defaults. Its Now
	// and Changed are not used: see Now and TrunkChanged here.
	Trunks *trunk.Options
	// TrunkChanged is called when a destination's health or quality level
	// changes; it must not wait. Nil for nobody.
	TrunkChanged func(owner callmodel.TenantID, c trunk.Change)
	// Decided is called with every decision, or failure to decide, but for dry
	// runs; it must not wait. Nil for nobody.
	Decided func(d *calls.Decision, err error)
	// JobEnqueued is called after a recording job was stored, so that a worker
	// in the same process needn't wait for its next poll. Nil for nobody.
	JobEnqueued func()
	// Now is the clock that routes by time of day. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Limits of request bodies, in bytes.
const (
	maxCallBody  = 256 << 10 // read before a request has a place in the lane
	maxEventBody = 8 << 20   // an ended event may name 32 legs of 1000 files
	maxRulesBody = 64 << 20
)

// Handler serves the API. Make one with New; Run must be running beside it.
type Handler struct {
	stores  Stores
	opts    Options
	rules   *ruleCache
	trunks  *trunks
	lane    chan struct{} // a place for every request of the normal lane
	keys    inFlight
	later   unstored
	storing chan struct{} // a place for every emergency call that is being stored
	mux     *http.ServeMux
}

// New makes the handler. It starts nothing. o may be nil.
func New(stores Stores, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.MaxInFlight = cmp.Or(opts.MaxInFlight, 256)
	opts.QueueWait = cmp.Or(opts.QueueWait, 100*time.Millisecond)
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 10*time.Second)
	opts.RulesRefresh = cmp.Or(opts.RulesRefresh, 2*time.Second)
	if opts.DefaultOutputs == nil {
		opts.DefaultOutputs = []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutStereo}}
	}
	if opts.CheckOutputs == nil {
		opts.CheckOutputs = func([]record.OutputSpec) error { return nil }
	}
	if opts.Decided == nil {
		opts.Decided = func(*calls.Decision, error) {}
	}
	if opts.JobEnqueued == nil {
		opts.JobEnqueued = func() {}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	t := newTrunks(&opts)
	h := &Handler{
		stores: stores, opts: opts, rules: newRuleCache(stores, &opts, t), trunks: t,
		lane: make(chan struct{}, opts.MaxInFlight), mux: http.NewServeMux(),
		storing: make(chan struct{}, maxStoring),
	}
	h.routes()
	return h
}

func (h *Handler) routes() {
	h.handle("POST /v1/calls", callmodel.ScopeCallsWrite, h.createCall)
	h.handle("GET /v1/calls", callmodel.ScopeCallsRead, h.inLane(h.listCalls))
	h.handle("GET /v1/calls/{id}", callmodel.ScopeCallsRead, h.inLane(h.getCall))
	h.handle("POST /v1/calls/{id}/events", callmodel.ScopeCallsWrite, h.inLane(h.postEvent))
	h.handle("GET /v1/calls/{id}/events", callmodel.ScopeCallsRead, h.inLane(h.listEvents))
	h.handle("GET /v1/calls/{id}/explanation", callmodel.ScopeCallsRead, h.inLane(h.explainCall))
	h.handle("GET /v1/route", callmodel.ScopeCallsRead, h.inLane(h.dryRoute))
	h.handle("PUT /v1/rules", callmodel.ScopeRulesWrite, h.inRulesLane(h.putRules))
	h.handle("GET /v1/rules", callmodel.ScopeRulesRead, h.inLane(h.listRules))
	h.handle("GET /v1/rules/history", callmodel.ScopeRulesRead, h.inLane(h.listHistory))
	h.handle("POST /v1/rules/rollback", callmodel.ScopeRulesWrite, h.inRulesLane(h.rollbackRules))
	for _, a := range []rulesets.Action{rulesets.ActionActivate, rulesets.ActionCanary, rulesets.ActionPromote, rulesets.ActionAbort} {
		h.handle("POST /v1/rules/{hash}/"+string(a), callmodel.ScopeRulesWrite, h.inRulesLane(h.change(a)))
	}
	h.handle("GET /v1/rules/{hash}", callmodel.ScopeRulesRead, h.inLane(h.exportRules))
	h.handle("POST /v1/rules/import", callmodel.ScopeRulesWrite, h.inLane(h.importRules))
	h.handle("POST /v1/rules/check", callmodel.ScopeRulesWrite, h.inLane(h.checkRules))
	h.handle("POST /v1/rules/diff", callmodel.ScopeRulesWrite, h.inLane(h.diffRules))
	h.handle("POST /v1/rules/simulate", callmodel.ScopeRulesWrite, h.inLane(h.simulateRules))
	h.handle("GET /v1/audit", callmodel.ScopeAuditRead, h.inLane(h.listAudit))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, callmodel.Errorf(callmodel.CodeNotFound, "there is nothing at this path and method"))
	})
}

// endpoint answers a request of an authenticated principal, or fails.
type endpoint func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error

func (h *Handler) handle(pattern string, scope callmodel.Scope, f endpoint) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		p, err := problem.Principal(r, scope)
		if err == nil {
			err = f(w, r, p)
		} else if callmodel.CodeOf(err) == callmodel.CodeForbidden {
			h.audit(r.Context(), p, callmodel.AuditAccessDenied, r.Method+" "+r.URL.Path, nil)
		}
		if errors.Is(err, callmodel.ErrNotFound) && r.PathValue("id") != "" {
			// Another tenant's call is not found just as none is, so both leave
			// this line: the log tells them apart no more than the answer does.
			h.audit(r.Context(), p, callmodel.AuditAccessDenied, r.Method+" "+r.URL.Path, nil)
		}
		if err != nil {
			h.fail(w, r, err)
		}
	})
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
		// Given up by the client, or by the host's time limit: no defect of ours.
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the request ended before its answer: %w", err)
	}
	switch callmodel.CodeOf(err) {
	case callmodel.CodeInternal, callmodel.CodeUnavailable:
		h.opts.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	default:
	}
	problem.Write(w, err)
}

// ServeHTTP serves the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// lastTry is how long Run tries to store emergency calls once it is to end.
const lastTry = 2 * time.Second

// Run keeps the rule sets fresh, stores the emergency calls that could not be
// stored at once, gives the places of calls back that ended elsewhere, and
// probes destinations if that is configured, until ctx ends.
func (h *Handler) Run(ctx context.Context) error {
	probing := make(chan struct{})
	go func() {
		defer close(probing)
		h.trunks.probe(ctx)
	}()
	defer func() { <-probing }()
	tick := time.NewTicker(h.opts.RulesRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			// A last try for what is still unstored, without the ended context.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTry)
			h.storeLater(last)
			cancel()
			return nil
		case <-tick.C:
			h.storeLater(ctx)
			h.rules.refresh(ctx)
			h.reconcile(ctx)
		}
	}
}

// inLane lets a request in when the normal lane has a place.
func (h *Handler) inLane(f endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		leave, err := h.enter(r.Context())
		if err != nil {
			return err
		}
		defer leave()
		ctx, cancel := context.WithTimeout(r.Context(), h.opts.RequestTimeout)
		defer cancel()
		return f(w, r.WithContext(ctx), p)
	}
}

func (h *Handler) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-h.lane }
	select {
	case h.lane <- struct{}{}:
		return leave, nil
	default:
	}
	t := time.NewTimer(h.opts.QueueWait)
	defer t.Stop()
	select {
	case h.lane <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, callmodel.Errorf(callmodel.CodeOverloaded, "the client gave up waiting: %w", context.Cause(ctx))
	case <-t.C:
		return nil, callmodel.Errorf(callmodel.CodeOverloaded, "%d requests are being served already; try again later", cap(h.lane))
	}
}

func (h *Handler) audit(ctx context.Context, p callmodel.Principal, action, subject string, detail map[string]string) {
	e := callmodel.AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: action, Subject: subject, Detail: detail}
	if err := h.stores.Audit(ctx, e); err != nil {
		h.opts.Logger.ErrorContext(ctx, "an audit line could not be stored", "tenant", p.TenantID, "action", action, "subject", subject, "error", err)
	}
}

// newCallID is a new call's id: it sorts by time and can't be guessed.
func (h *Handler) newCallID() callmodel.CallID {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	return callmodel.CallID(fmt.Sprintf("c-%012x-%x", h.opts.Now().UnixMilli(), random))
}

// inFlight is the idempotency keys that this process is answering now.
type inFlight struct {
	mu   sync.Mutex
	keys map[string]bool
}

// begin claims a key; ok is false if it is claimed.
func (f *inFlight) begin(key string) (end func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[key] {
		return nil, false
	}
	if f.keys == nil {
		f.keys = map[string]bool{}
	}
	f.keys[key] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.keys, key)
	}, true
}
