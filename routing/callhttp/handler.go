package callhttp

import (
	"log/slog"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/internal/rulebody"
)

// Options configure a Handler. The zero value works.
type Options struct {
	// Logger gets the requests that failed for no fault of their own. Nil logs
	// nothing.
	Logger *slog.Logger
	// RecordingLink is where the API's clients get the audio of a job's recording, as a
	// path of the API or a URL; recordinghttp has it at
	// "/v1/recordings/jobs/{id}/media". Nil: calls don't say.
	RecordingLink func(callmodel.JobID) string
	// Urgent reports whether a request for a call goes before all others, whatever the call:
	// it takes the lane of emergency calls. Nil: none does.
	Urgent func(*http.Request) bool
	// EmergencyOnly refuses calls that are no emergency calls with CodeMisdirected, urgent
	// ones aside: the handler serves a lane of their own.
	EmergencyOnly bool
}

// Limits of request bodies, in bytes.
const (
	maxCallBody   = 256 << 10
	maxEventBody  = 8 << 20 // an ended event may name 32 legs of 1000 files
	maxCanaryBody = 4 << 10
)

// Handler serves the API. Make one with New; it may be used by any number of
// goroutines and has none of its own. The service's Run must be running.
type Handler struct {
	service *callservice.Service
	log     *slog.Logger
	linkTo  func(callmodel.JobID) string // nil for nowhere
	mux     *http.ServeMux
	reading *rulebody.Reader // of large bodies

	emergencyOnly bool
	urgent        func(*http.Request) bool
}

// New makes the handler of a service. o may be nil.
func New(s *callservice.Service, o *Options) *Handler {
	h := &Handler{service: s, mux: http.NewServeMux(), reading: rulebody.NewReader()}
	if o != nil {
		h.log, h.linkTo, h.emergencyOnly, h.urgent = o.Logger, o.RecordingLink, o.EmergencyOnly, o.Urgent
	}
	if h.urgent == nil {
		h.urgent = func(*http.Request) bool { return false }
	}
	h.Mount(h.mux)
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves the API. It answers 404 at every path that is not of it, and 405 to
// methods that a path of it doesn't have.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Mount adds the endpoints to a mux of the host's, beside those of other
// handlers: those of package rulehttp have paths between these.
func (h *Handler) Mount(mux *http.ServeMux) {
	frame := problem.Frame{Denied: h.service.AccessDenied, Logger: h.log}
	frame.Mount(mux, h.routes())
}

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	list := []problem.Route{
		problem.At("POST /v1/calls", callmodel.ScopeCallsWrite, h.createCall, problem.Door{Late: true}), // it looks for emergency calls first
		problem.At("GET /v1/calls", callmodel.ScopeCallsRead, h.listCalls, problem.Door{Query: callParameters(), Gives: callTypes()}),
		problem.At("GET /v1/calls/{id}", callmodel.ScopeCallsRead, h.getCall, problem.Query()),
		problem.At("POST /v1/calls/{id}/events", callmodel.ScopeCallsWrite, h.postEvent, problem.Query()),
		problem.At("GET /v1/calls/{id}/events", callmodel.ScopeCallsRead, h.listEvents, problem.Query()),
		problem.At("GET /v1/calls/{id}/explanation", callmodel.ScopeCallsRead, h.explainCall, problem.Query()),
		problem.At("GET /v1/route", callmodel.ScopeCallsRead, h.tryRoute, problem.Query("call_id", "from", "to", "region", "type", "direction",
			"priority", "trunk", "capability*", "metadata*", "at")),
		problem.At("PUT /v1/rules", callmodel.ScopeRulesWrite, h.putRules, problem.Door{Query: []string{"activate"}, Takes: rulebody.Types(), Gzip: true}),
		problem.At("GET /v1/rules", callmodel.ScopeRulesRead, h.listRules, problem.Query()),
		problem.At("GET /v1/rules/history", callmodel.ScopeRulesRead, h.listHistory, problem.Query("limit")),
		problem.At("POST /v1/rules/rollback", callmodel.ScopeRulesWrite, h.change(rulesets.ActionRollback), problem.Query()),
		problem.At("GET /v1/audit", callmodel.ScopeAuditRead, h.listAudit, problem.Query("limit", "after", "subject*")),
	}
	for _, a := range []rulesets.Action{rulesets.ActionActivate, rulesets.ActionCanary, rulesets.ActionPromote, rulesets.ActionAbort} {
		list = append(list, problem.At("POST /v1/rules/{hash}/"+string(a), callmodel.ScopeRulesWrite, h.change(a), problem.Query()))
	}
	return append(list, h.editRoutes()...)
}

// body reads a body that may be large. It takes no place in the normal lane while
// it comes: whoever sends slowly holds up only others who send much. One that
// says to be small needs no share of what is read at a time. leave is called when
// the body isn't needed any more.
func (h *Handler) body(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, leave func(), err error) {
	if leave, err = h.reading.Enter(r, limit); err != nil {
		return nil, nil, err
	}
	if body, err = problem.Body(w, r, limit); err != nil {
		leave()
		return nil, nil, err
	}
	return body, leave, nil
}
