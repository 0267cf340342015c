package recordinghttp

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Media gives access to finished recordings. *storage.Store is one.
type Media interface {
	// SignedURL is a URL that anybody can read the object with until it
	// expires. A CodeUnsupported error where that can't be had.
	SignedURL(ctx context.Context, key string, expiry time.Duration) (string, error)
	// Open reads the object. The error for a missing one wraps fs.ErrNotExist.
	// A reader that is an io.Seeker lets clients ask for ranges.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
}

// Options configure a Handler. The zero value works.
type Options struct {
	// Check refuses specs that no worker can do, as FieldErrors; the Check of a
	// recording.Processor fits. Nil: only what callmodel checks.
	Check func(record.Spec) error
	// LegsBelow says in which directory of the place of the legs, or below it, a
	// tenant's legs are on a host, the job's queue ("" for none): a recording of
	// others is refused, and so are links out of it when they are opened. "" is the
	// whole place. Nil: the whole place, for all; so tenants can have each other's legs
	// recorded for themselves.
	LegsBelow func(t callmodel.TenantID, host string) (dir string, err error)
	// Media is where the recordings are. Nil: they can't be had here, and
	// asking for one is answered with 404.
	Media Media
	// MediaExpiry is how long a signed URL is good for. 0 means 15 minutes.
	MediaExpiry time.Duration
	// LedgerTimeout bounds every call of the ledger: a request whose ledger doesn't
	// answer by then is answered with CodeUnavailable. 0 means 10 s.
	LedgerTimeout time.Duration
	// JobEnqueued is called after a job was stored or put back, so that a
	// worker in the same process needn't wait for its next poll. Nil for nobody.
	JobEnqueued func()
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

const (
	defaultMediaExpiry   = 15 * time.Minute
	defaultLedgerTimeout = 10 * time.Second
)

// Limits of request bodies, in bytes. A spec may name 32 legs of 1000 files.
const (
	maxSpecBody   = 8 << 20
	maxReasonBody = 16 << 10
)

// Handler serves the API. Make one with New; it may be used by any number of
// goroutines and has none of its own.
type Handler struct {
	ledger timedLedger
	opts   Options
	mux    *http.ServeMux
}

// New makes the handler of the jobs in l. o may be nil.
func New(l Ledger, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.MediaExpiry = cmp.Or(opts.MediaExpiry, defaultMediaExpiry)
	opts.LedgerTimeout = cmp.Or(opts.LedgerTimeout, defaultLedgerTimeout)
	if opts.Check == nil {
		opts.Check = func(record.Spec) error { return nil }
	}
	if opts.LegsBelow == nil {
		opts.LegsBelow = func(callmodel.TenantID, string) (string, error) { return "", nil }
	}
	if opts.JobEnqueued == nil {
		opts.JobEnqueued = func() {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{ledger: timedLedger{l: l, timeout: opts.LedgerTimeout}, opts: opts, mux: http.NewServeMux()}
	h.handle("POST /v1/recordings", callmodel.ScopeRecordingsWrite, h.enqueue)
	h.handle("GET /v1/recordings/jobs", callmodel.ScopeRecordingsRead, h.listJobs)
	h.handle("GET /v1/recordings/jobs/{id}", callmodel.ScopeRecordingsRead, h.getJob)
	h.handle("GET /v1/recordings/jobs/{id}/media", callmodel.ScopeRecordingsRead, h.getMedia)
	h.handle("POST /v1/recordings/jobs/retry", callmodel.ScopeJobsWrite, h.retryMany)
	h.handle("GET /v1/recordings/queues", callmodel.ScopeRecordingsRead, h.queues)
	h.handle("POST /v1/recordings/jobs/move", callmodel.ScopeJobsWrite, h.moveMany)
	h.handle("POST /v1/recordings/jobs/{id}/retry", callmodel.ScopeJobsWrite, h.retry)
	h.handle("POST /v1/recordings/jobs/{id}/quarantine", callmodel.ScopeJobsWrite, h.quarantine)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, callmodel.Errorf(callmodel.CodeNotFound, "there is nothing at this path and method"))
	})
	return h
}

// ServeHTTP serves the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// endpoint answers a request of an authenticated principal, or fails.
type endpoint func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error

func (h *Handler) handle(pattern string, scope callmodel.Scope, f endpoint) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		p, err := problem.Principal(r, scope)
		if err == nil && !callmodel.ValidID(string(p.TenantID)) {
			// The ledger takes no tenant for every tenant.
			err = callmodel.Errorf(callmodel.CodeUnauthenticated, "the credentials belong to no tenant")
		}
		if err == nil {
			err = f(w, r, p)
		} else if callmodel.CodeOf(err) == callmodel.CodeForbidden {
			h.denied(r, p)
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
	switch code := callmodel.CodeOf(err); code {
	case callmodel.CodeInternal, callmodel.CodeUnavailable:
		h.opts.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	default:
	}
	problem.Write(w, err)
}

// denied leaves an audit line in the log of the tenant that asked.
func (h *Handler) denied(r *http.Request, p callmodel.Principal) {
	e := callmodel.AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: callmodel.AuditAccessDenied, Subject: r.Method + " " + r.URL.Path}
	if err := h.ledger.Audit(r.Context(), e); err != nil {
		h.opts.Logger.ErrorContext(r.Context(), "an audit line could not be stored",
			"tenant", p.TenantID, "action", e.Action, "subject", e.Subject, "error", err)
	}
}
