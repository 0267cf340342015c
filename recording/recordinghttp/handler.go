package recordinghttp

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/internal/plays"
	"github.com/switchtape/switchtape/recording/internal/unreadable"
	"github.com/switchtape/switchtape/recording/task"
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
	// Kinds are the kinds of job that POST /v1/jobs takes, besides recordings, which have
	// a path of their own. The zero value: none.
	Kinds task.Kinds
	// LegsBelow says in which directory of the place of the legs, or below it, a
	// tenant's legs are on a host, the job's queue ("" for none): a recording of
	// others is refused, and so are links out of it when they are opened. "" is the
	// whole place. Nil: the whole place, for all; so tenants can have each other's legs
	// recorded for themselves.
	LegsBelow func(t callmodel.TenantID, host string) (dir string, err error)
	// Defaults says what a recording of that call has whose request leaves out
	// started_at or outputs; the call may be none that is stored. It is asked within
	// LedgerTimeout. Nil: a request must say them.
	Defaults func(ctx context.Context, t callmodel.TenantID, call callmodel.CallID) (intake.Defaults, error)
	// DeadLetters is where messages are that came from a broker and could not be taken.
	// Nil: there are none here.
	DeadLetters intake.Desk
	// Keeper is where legal holds are, and what was deleted. Nil: there are none here.
	Keeper Keeper
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
	// Now is the clock of the start of recordings that are asked for without one, of a
	// call that isn't known, and that by which the audit lines of a minute are bounded that tell what
	// a principal was denied, and by which requests for audio are taken for one play.
	// Nil means time.Now.
	Now func() time.Time
	// Unreadable is told of each request for audio that can't be read for what it is, by its
	// code: CodeDamaged or CodeKeyMissing. Nil: nobody counts them.
	Unreadable func(callmodel.Code)
	// Tracer names the request's span in the jobs of recordings. Nil: nothing is traced.
	Tracer tracing.Tracer
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

const (
	defaultMediaExpiry   = 15 * time.Minute
	defaultLedgerTimeout = 10 * time.Second
)

// maxReasonBody bounds small bodies of requests, in bytes.
const maxReasonBody = 16 << 10

// Handler serves the API. Make one with New; it may be used by any number of
// goroutines and has none of its own.
type Handler struct {
	ledger  timedLedger
	door    *intake.Door
	opts    Options
	mux     *http.ServeMux
	denials callmodel.Denials
	plays   plays.Plays

	unreadable *unreadable.Teller
}

// New makes the handler of the jobs in l. o may be nil.
func New(l Ledger, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.MediaExpiry = cmp.Or(opts.MediaExpiry, defaultMediaExpiry)
	opts.LedgerTimeout = cmp.Or(opts.LedgerTimeout, defaultLedgerTimeout)
	if opts.JobEnqueued == nil {
		opts.JobEnqueued = func() {}
	}
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{ledger: timedLedger{l: l, timeout: opts.LedgerTimeout}, opts: opts, mux: http.NewServeMux()}
	checks := intake.Checks{Check: opts.Check, LegsBelow: opts.LegsBelow, Now: opts.Now, Tracer: opts.Tracer}
	if opts.Defaults != nil {
		checks.Defaults = h.defaults
	}
	h.unreadable = unreadable.New(opts.Logger, opts.Now, opts.Unreadable)
	h.door = intake.NewDoor(checks, opts.Kinds)
	frame := problem.Frame{Within: h.within, Denied: h.denied, Logger: opts.Logger}
	frame.Mount(h.mux, h.routes())
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	const read, submit, jobs = callmodel.ScopeRecordingsRead, callmodel.ScopeRecordingsWrite, callmodel.ScopeJobsWrite
	jobsQuery := []string{"limit", "after", "state", "queue", "status", "code", "since", "until", "call_id", "call"}
	media := problem.Door{Query: []string{"output", "codec"}, Gives: []string{"audio/*", problem.JSON, "application/octet-stream"}}
	return []problem.Route{
		problem.At("POST /v1/recordings", submit, h.enqueue, problem.Query()),
		problem.At("GET /v1/recordings/jobs", read, h.listRecordings, problem.Query(jobsQuery...)),
		problem.At("GET /v1/recordings/jobs/{id}", read, h.getJob(h.own), problem.Query()),
		problem.At("GET /v1/recordings/jobs/{id}/media", read, h.getMedia(h.own), media),
		problem.At("POST /v1/recordings/jobs/{id}/retry", jobs, h.retry(h.own), problem.Query()),
		problem.At("POST /v1/recordings/jobs/{id}/quarantine", jobs, h.quarantine(h.own), problem.Query()),
		problem.At("POST /v1/recordings/jobs/{id}/erase", callmodel.ScopeRecordingsErase, h.erase, problem.Query()),
		problem.At("POST /v1/recordings/jobs/{id}/redact", callmodel.ScopeRecordingsErase, h.redact, problem.Query()),
		problem.At("GET /v1/recordings/jobs/{id}/erasures", read, h.listErasures, problem.Query()),
		problem.At("POST /v1/recordings/jobs/retry", jobs, h.retryRecordings, problem.Query()),
		problem.At("POST /v1/recordings/jobs/move", jobs, h.moveRecordings, problem.Query()),
		problem.At("GET /v1/recordings/queues", read, h.queuesOfRecordings, problem.Query("limit")),

		problem.At("POST /v1/jobs", submit, h.enqueueJob, problem.Query()),
		problem.At("GET /v1/jobs", read, h.listAll, problem.Query(append(jobsQuery, "kind")...)),
		problem.At("GET /v1/jobs/{id}", read, h.getJob(h.tenants), problem.Query()),
		problem.At("GET /v1/jobs/{id}/media", read, h.getMedia(h.tenants), media),
		problem.At("POST /v1/jobs/retry", jobs, h.retryAll, problem.Query()),
		problem.At("POST /v1/jobs/move", jobs, h.moveAll, problem.Query()),
		problem.At("GET /v1/jobs/queues", read, h.allQueues, problem.Query("limit", "kind")),
		problem.At("POST /v1/jobs/{id}/retry", jobs, h.retry(h.tenants), problem.Query()),
		problem.At("POST /v1/jobs/{id}/quarantine", jobs, h.quarantine(h.tenants), problem.Query()),

		problem.At("POST /v1/holds", callmodel.ScopeHoldsWrite, h.placeHold, problem.Query()),
		problem.At("GET /v1/holds", callmodel.ScopeHoldsRead, h.listHolds, problem.Query("scope", "subject", "lifted", "limit", "after")),
		problem.At("GET /v1/holds/{hold}", callmodel.ScopeHoldsRead, h.getHold, problem.Query()),
		problem.At("POST /v1/holds/{hold}/lift", callmodel.ScopeHoldsWrite, h.liftHold, problem.Query()),

		problem.At("GET /v1/dead-letters", read, h.listLetters, problem.Query("limit", "after", "state")),
		problem.At("GET /v1/dead-letters/{letter}", read, h.getLetter, problem.Query()),
		problem.At("POST /v1/dead-letters/{letter}/replay", jobs, h.replayLetter, problem.Query()),
		problem.At("POST /v1/dead-letters/{letter}/discard", jobs, h.discardLetter, problem.Query()),
	}
}

// within serves an endpoint to a principal of a tenant: the ledger takes no tenant for
// every tenant.
func (h *Handler) within(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	if !callmodel.ValidID(string(p.TenantID)) {
		return callmodel.Errorf(callmodel.CodeUnauthenticated, "the credentials belong to no tenant")
	}
	return serve(w, r, p)
}

// denied leaves an audit line in the log of the tenant that asked, and of one that
// goes on asking a few a minute.
func (h *Handler) denied(ctx context.Context, p callmodel.Principal, what string) {
	e, keep := h.denials.Line(p, what, h.opts.Now())
	if !keep {
		return
	}
	if err := h.ledger.Audit(ctx, e); err != nil {
		h.opts.Logger.ErrorContext(ctx, "an audit line could not be stored",
			"tenant", p.TenantID, "action", e.Action, "subject", e.Subject, "error", err)
	}
}
