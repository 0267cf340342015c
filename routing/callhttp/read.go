package callhttp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing"
)

func (h *Handler) getCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	call, err := h.stores.Call(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, call)
	return nil
}

const (
	defaultPage = 50
	maxPage     = 500
)

// callStates are the states to list by, "" for any.
func callStates() []calls.State {
	return []calls.State{
		"", calls.Routed, calls.Ringing, calls.Answered,
		calls.Ended, calls.Failed, calls.Rejected,
	}
}

// plus mends a number in a query whose plus was not escaped, and so came as a space.
func plus(number string) string {
	if rest, ok := strings.CutPrefix(number, " "); ok {
		return "+" + rest
	}
	return number
}

func (h *Handler) listCalls(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := r.URL.Query()
	var faults callmodel.FieldErrors
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	_ = errors.As(err, &faults)
	state := calls.State(q.Get("state"))
	if !slices.Contains(callStates(), state) {
		faults.Add("state", "is not one of routed, ringing, answered, ended, failed, rejected")
	}
	number := plus(q.Get("number"))
	if number != "" {
		number = h.number(&faults, "number", number, h.region(&faults, q.Get("region"))).Number
	}
	if err := faults.Err(); err != nil {
		return err
	}
	page, err := h.stores.Calls(r.Context(), p.TenantID, calls.Filter{
		State: state, Number: number, Limit: limit, Before: q.Get("cursor"),
	})
	if errors.As(err, &faults) {
		for i := range faults {
			if faults[i].Path == "before" { // as the port calls it
				faults[i].Path = "cursor"
			}
		}
		return faults
	}
	if err != nil {
		return err
	}
	if page.Calls == nil {
		page.Calls = []calls.Call{}
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Calls []calls.Call `json:"calls"`
		Next  string       `json:"next,omitempty"`
	}{page.Calls, page.Next})
	return nil
}

func (h *Handler) postEvent(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, err := problem.Body(w, r, maxEventBody)
	if err != nil {
		return err
	}
	var ev calls.Event
	if err := callmodel.DecodeJSON(body, &ev); err != nil {
		return err
	}
	if ev.At.IsZero() {
		ev.At = h.opts.Now().UTC()
	}
	call, err := h.stores.AppendEvent(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")), ev, p.Subject, h.opts.DefaultOutputs)
	if err != nil {
		return err
	}
	h.trunks.observe(&call, ev.Cause, h.opts.PlatformTenant)
	if ev.Type == calls.EventEnded {
		h.opts.JobEnqueued()
	}
	problem.WriteJSON(w, http.StatusOK, call)
	return nil
}

func (h *Handler) listEvents(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	events, err := h.stores.CallEvents(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	if events == nil {
		events = []calls.Event{}
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Events []calls.Event `json:"events"`
	}{events})
	return nil
}

// explanation is the answer to why a call was, or would be, routed as it was.
type explanation struct {
	routing.Explanation

	Request explainedRequest `json:"request"`
}

type explainedRequest struct {
	From string `json:"from"`
	To   string `json:"to"`
	At   string `json:"at"`
}

func explain(router *routing.Router, req *calls.Request, live routing.Live) explanation {
	return explanation{router.ExplainLive(req, live), explained(req)}
}

func explained(req *calls.Request) explainedRequest {
	return explainedRequest{From: req.From, To: req.To, At: req.At.Format("2006-01-02T15:04:05.000Z07:00")}
}

// explainCall explains a stored call by the very rule set that decided it.
func (h *Handler) explainCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	call, err := h.stores.Call(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	if call.State == calls.Rejected && call.Decision != nil && call.Decision.RuleSet == "" {
		// There were no rules at all.
		req := call.Request(call.CreatedAt)
		problem.WriteJSON(w, http.StatusOK, explanation{
			routing.Explanation{Decision: *call.Decision, NoRoute: true, Considered: []routing.Verdict{}}, explained(&req),
		})
		return nil
	}
	if call.Decision == nil || call.Decision.RuleSet == "" {
		return callmodel.Errorf(callmodel.CodeNotFound, "call %s was not decided by a rule set", call.ID)
	}
	router, err := h.decidedBy(r, &call)
	if err != nil {
		return err
	}
	req := call.Request(call.CreatedAt)
	x := explain(router, &req, nil)
	asDecided(&x.Explanation, call.Decision)
	problem.WriteJSON(w, http.StatusOK, x)
	return nil
}

func (h *Handler) decidedBy(r *http.Request, call *calls.Call) (*routing.Router, error) {
	if v := h.rules.table.Versions(call.TenantID); v != nil {
		for _, router := range [2]*routing.Router{v.Active, v.Canary} {
			if router != nil && router.Hash() == call.Decision.RuleSet {
				return router, nil
			}
		}
	}
	for _, t := range []callmodel.TenantID{call.TenantID, h.opts.PlatformTenant} {
		if t == "" {
			continue
		}
		c, err := h.rules.version(r.Context(), t, call.Decision.RuleSet, nil)
		if err == nil {
			return c.router, nil
		}
		if callmodel.CodeOf(err) != callmodel.CodeNotFound {
			return nil, err
		}
	}
	return nil, callmodel.Errorf(callmodel.CodeNotFound, "the rule set %s that decided call %s is not stored", call.Decision.RuleSet, call.ID)
}

// pairs reads the metadata of a query, each "key=value".
func pairs(faults *callmodel.FieldErrors, list []string) map[string]string {
	m := make(map[string]string, len(list))
	for i, kv := range list {
		key, value, ok := strings.Cut(kv, "=")
		if _, dup := m[key]; !ok || dup {
			faults.Add(fmt.Sprintf("metadata[%d]", i), "%q must be key=value, each key once", kv)
			continue
		}
		m[key] = value
	}
	return m
}

// dryRoute decides and explains for the numbers of the query, and stores nothing.
func (h *Handler) dryRoute(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := r.URL.Query()
	var faults callmodel.FieldErrors
	region := h.region(&faults, q.Get("region"))
	from := h.caller(&faults, plus(q.Get("from")), region)
	to := h.number(&faults, "to", plus(q.Get("to")), region)
	var late, urgent callmodel.FieldErrors
	at, err := problem.Time(r, "at", h.opts.Now().UTC())
	_ = errors.As(err, &late)
	priority, err := problem.Int(r, "priority", 0, calls.MinPriority, calls.MaxPriority)
	_ = errors.As(err, &urgent)
	faults = append(append(faults, late...), urgent...)
	req := calls.Request{
		TenantID: p.TenantID, CallID: callmodel.CallID(q.Get("call_id")), From: from.Number, To: to.Number,
		Type: calls.Type(cmp.Or(q.Get("type"), string(calls.TypeVoice))), Direction: calls.Direction(q.Get("direction")), Priority: priority, At: at,
		Trunk: q.Get("trunk"), Capabilities: q["capability"], Emergency: e164.Emergency(region, to.Number), Metadata: pairs(&faults, q["metadata"]),
	}
	if invalid, ok := errors.AsType[callmodel.FieldErrors](req.Validate()); ok {
		faults = append(faults, invalid...)
	}
	if err := faults.Err(); err != nil {
		return err
	}
	router, canary, err := h.rules.pick(r.Context(), &req)
	if err != nil {
		return err
	}
	x := explain(router, &req, h.rules.live(p.TenantID))
	x.Decision.Canary = canary
	problem.WriteJSON(w, http.StatusOK, x)
	return nil
}

const maxAuditPage = 1000

func (h *Handler) listAudit(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxAuditPage)
	if err != nil {
		return err
	}
	after, err := problem.Int(r, "after", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	events, err := h.stores.AuditEvents(r.Context(), p.TenantID, int64(after), limit)
	if err != nil {
		return err
	}
	if events == nil {
		events = []callmodel.AuditEvent{}
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Events []callmodel.AuditEvent `json:"events"`
	}{events})
	return nil
}
