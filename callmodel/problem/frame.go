package problem

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
)

// Endpoint answers a request of an authenticated principal, or fails.
type Endpoint func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error

// Route is an endpoint and where it is.
type Route struct {
	Pattern string // of a mux: "GET /v1/calls/{id}"
	Scope   callmodel.Scope
	Serve   Endpoint
	Door    Door
}

// At is the route of an endpoint.
func At(pattern string, scope callmodel.Scope, serve Endpoint, door Door) Route {
	return Route{Pattern: pattern, Scope: scope, Serve: serve, Door: door}
}

// Frame is what stands around all endpoints of a handler: who asks, what they may, the
// door, and what becomes of a failure.
type Frame struct {
	// Within runs an endpoint, as within a lane or a time. Nil: it is called.
	Within func(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve Endpoint) error
	// Denied notes that the principal asked for what it may not have: what is beyond its
	// scopes, or isn't there. Another tenant's thing is not found just as none is, so both
	// are noted: who reads it can tell them apart no more than who asked. Nil: nowhere.
	Denied func(ctx context.Context, p callmodel.Principal, what string)
	// Logger gets the requests that failed for no fault of their own. Nil logs nothing.
	Logger *slog.Logger
}

// Mount adds the routes to the mux.
func (f *Frame) Mount(mux *http.ServeMux, routes []Route) {
	for _, route := range routes {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			p, err := Principal(r, route.Scope)
			if err == nil {
				err = f.serve(w, r, p, &route)
			}
			missing := r.PathValue("id") != "" && errors.Is(err, callmodel.ErrNotFound)
			if f.Denied != nil && (missing || callmodel.CodeOf(err) == callmodel.CodeForbidden) {
				f.Denied(r.Context(), p, r.Method+" "+r.URL.Path)
			}
			if err != nil {
				Fail(w, r, err, f.Logger)
			}
		})
	}
}

func (f *Frame) serve(w http.ResponseWriter, r *http.Request, p callmodel.Principal, route *Route) error {
	if !route.Door.Late {
		if err := route.Door.Check(r); err != nil {
			return err
		}
	}
	if f.Within == nil {
		return route.Serve(w, r, p)
	}
	return f.Within(w, r, p, route.Serve)
}
