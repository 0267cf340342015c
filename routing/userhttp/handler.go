package userhttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/internal/lane"
)

// Options configure a Handler. The zero value works.
type Options struct {
	// DefaultRegion is where numbers are written that aren't international, where
	// neither the user nor its tenant says, as ISO 3166-1 alpha-2. "": nowhere.
	DefaultRegion string
	// CheckOutputs refuses outputs that no worker can make, as FieldErrors.
	// Nil: only what callmodel checks.
	CheckOutputs func([]record.OutputSpec) error
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// MaxInFlight bounds the requests that are served at once. 0 means 64.
	MaxInFlight int
	// QueueWait is how long a request may wait for a place before it is refused.
	// 0 means 100 ms.
	QueueWait time.Duration
	// RequestTimeout bounds the work on a request, once its body is there. 0 means 10 s;
	// users in lines have it for each thousand.
	RequestTimeout time.Duration
	// Logger gets the requests that failed for no fault of their own. Nil logs
	// nothing.
	Logger *slog.Logger
}

// Limits of bodies and pages.
const (
	maxBody    = 256 << 10
	maxLines   = 64 << 20
	usualPage  = 50
	maxPage    = 500
	maxHistory = 1000
)

// Handler serves users and tenants. Make one with New; it may be used by any number of
// goroutines and has none of its own.
type Handler struct {
	store Store
	opts  Options
	lane  *lane.Lane
	mux   *http.ServeMux
}

// New makes the handler. o may be nil.
func New(s Store, o *Options) *Handler {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 10*time.Second)
	if opts.CheckOutputs == nil {
		opts.CheckOutputs = func([]record.OutputSpec) error { return nil }
	}
	h := &Handler{
		store: s, opts: opts, mux: http.NewServeMux(),
		lane: lane.New(cmp.Or(opts.MaxInFlight, 64), cmp.Or(opts.QueueWait, 100*time.Millisecond)),
	}
	h.Mount(h.mux)
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves users and tenants, and answers 404 at every path that is not theirs.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Mount adds the endpoints to a mux of the host's, beside those of other handlers.
func (h *Handler) Mount(mux *http.ServeMux) {
	frame := problem.Frame{Within: h.inLane, Denied: h.opts.AccessDenied, Logger: h.opts.Logger}
	frame.Mount(mux, h.routes())
}

// Media types of bodies.
const (
	mergePatch = "application/merge-patch+json"
	ndjson     = "application/x-ndjson"
	jsonl      = "application/jsonl"
	plainText  = "text/plain"
)

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	const (
		readUsers, writeUsers     = callmodel.ScopeUsersRead, callmodel.ScopeUsersWrite
		readTenants, writeTenants = callmodel.ScopeTenantsRead, callmodel.ScopeTenantsWrite
	)
	patch := func(names ...string) problem.Door {
		return problem.Door{Query: names, Takes: []string{mergePatch, problem.JSON}}
	}
	return []problem.Route{
		problem.At("GET /v1/users", readUsers, h.listUsers, problem.Query("tenant", "number", "region", "limit", "cursor")),
		problem.At("POST /v1/users", writeUsers, h.importUsers, problem.Door{Query: []string{"tenant"}, Takes: []string{ndjson, jsonl, plainText}}),
		problem.At("GET /v1/users/{id}", readUsers, h.getUser, problem.Query("tenant")),
		problem.At("PUT /v1/users/{id}", writeUsers, h.putUser, problem.Query("tenant")),
		problem.At("PATCH /v1/users/{id}", writeUsers, h.patchUser, patch("tenant")),
		problem.At("DELETE /v1/users/{id}", writeUsers, h.deleteUser, problem.Query("tenant")),
		problem.At("GET /v1/users/{id}/versions", readUsers, h.userVersions, problem.Query("tenant", "limit", "before")),
		problem.At("GET /v1/tenants", readTenants, h.listTenants, problem.Query("limit", "cursor")),
		problem.At("GET /v1/tenants/{id}", readTenants, h.getTenant, problem.Query()),
		problem.At("PUT /v1/tenants/{id}", writeTenants, h.putTenant, problem.Query()),
		problem.At("PATCH /v1/tenants/{id}", writeTenants, h.patchTenant, patch()),
		problem.At("DELETE /v1/tenants/{id}", writeTenants, h.deleteTenant, problem.Query()),
		problem.At("GET /v1/tenants/{id}/versions", readTenants, h.tenantVersions, problem.Query("limit", "before")),
	}
}

// inLane serves an endpoint if there is room.
func (h *Handler) inLane(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	leave, err := h.lane.Enter(r.Context())
	if err != nil {
		return err
	}
	defer leave()
	return serve(w, r, p)
}

// within bounds the work on a request.
func (h *Handler) within(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), h.opts.RequestTimeout)
}

// tenantOf is whose users a request is about.
func tenantOf(r *http.Request, p callmodel.Principal) (callmodel.TenantID, error) {
	t := callmodel.TenantID(problem.Values(r).Get("tenant"))
	switch {
	case t == "" || t == p.TenantID:
		return p.TenantID, nil
	case !p.Allows(callmodel.ScopeTenantsEvery):
		return "", callmodel.Errorf(callmodel.CodeForbidden, "the credentials are of another tenant; another's users need the scope %q", callmodel.ScopeTenantsEvery)
	case !callmodel.ValidID(string(t)):
		return "", callmodel.FieldErrors{{Path: "tenant", Message: "is not a tenant id"}}
	}
	return t, nil
}

// thisTenant is the tenant of the path. One that the principal has nothing to do with
// looks like none.
func thisTenant(r *http.Request, p callmodel.Principal) (callmodel.TenantID, error) {
	t := callmodel.TenantID(r.PathValue("id"))
	if t != p.TenantID && !p.Allows(callmodel.ScopeTenantsEvery) || !callmodel.ValidID(string(t)) {
		return "", callmodel.ErrNotFound
	}
	return t, nil
}
